"""The loss terms of a coupled system, and the error of a solution.

In come a network and a batch (`pinn_ext.datasets`), out come residual vectors and their mean
squares, one a term: PI (the equation), RK4 (a Runge-Kutta step on the graph), IC and BC where
conditions are soft. `physics_loss` has them (`PhysicsLoss`); read it first. `rk4_mismatch` is the
Runge-Kutta part; `solution_error` measures relative L2 errors against the reference on points
never trained on; `from_config` builds the loss that a configuration describes.
"""
