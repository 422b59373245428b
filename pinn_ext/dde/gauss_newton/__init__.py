"""Second-order training of a DeepXDE model: `train_gauss_newton`, as easy as L-BFGS.

`train` has the function users call and what its arguments mean; `loop` the iterations, which can
be stopped and taken up again. Rows and Jacobian come from `pinn_ext.dde.model.residual_rows`,
steps from `solvers.gauss_newton`.
"""

from pinn_ext.dde.gauss_newton.train import train_gauss_newton

__all__ = ["train_gauss_newton"]
