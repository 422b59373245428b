"""Second-order training of a DeepXDE model: `train_gauss_newton`, as easy as L-BFGS.

In comes a compiled `dde.Model`; its weighted loss, a sum of squared residual rows, is minimised by
damped Gauss-Newton steps, and the parameters, the loss history and the training state of the model
are those of the last step.

`train` has the function that users call and what its arguments mean; open it first. `loop` has the
iterations, which can be stopped and continued from a checkpoint: it calls the callbacks, takes up
new points and loss weights, and says why a training ended; `advice` has what it says before.
`bounds` has the bounds of external variables. Residual rows and their Jacobian come from
`pinn_ext.dde.model.block_rows`, steps from `solvers.gauss_newton`.
"""

from pinn_ext.dde.gauss_newton.train import train_gauss_newton

__all__ = ["train_gauss_newton"]
