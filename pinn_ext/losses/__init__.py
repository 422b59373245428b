"""The loss terms of a coupled system, and the error of a solution.

In come a network and a batch (`pinn_ext.datasets`), out come residual vectors and their mean
squares, one a term: PI (the equation), RK4 (a Runge-Kutta step on the graph), IC and BC where
conditions are soft. Each is in units of its field, so dimensionless.

`physics_loss` has them (`PhysicsLoss`); open it first. `rk4_mismatch` is the Runge-Kutta part;
`row_points` says which point each residual row belongs to, for strategies that weigh points.
`from_config` builds the loss and the network that a configuration describes. `solution_error`
measures relative L2 errors on points that are never trained on, against the exact solution or what
`known_solution` has of files and of Runge-Kutta steps.

Networks that step states on graphs have terms of their own, `step_loss`; `rollout` measures their
errors, `families_from_config` builds what a configuration says of them. `terms` has what all losses
share.
"""
