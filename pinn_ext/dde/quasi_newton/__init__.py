"""Quasi-Newton training of a DeepXDE model: `train_quasi_newton`, in the place of L-BFGS.

In comes a compiled `dde.Model` with any loss; its weighted loss is minimised by self-scaled Broyden
or BFGS steps with a dense inverse Hessian, and parameters, loss history and training state of the
model are those of the last step.

`train` has the function that users call and what its arguments mean; open it first. `loop` has the
iterations, which can be stopped and continued from a saved state; `objective` the loss as a
function of one vector, `saved_state` a look at what is loaded. `lbfgs_end` says why DeepXDE's
L-BFGS has ended. Steps come from `solvers.quasi_newton`, all else that a training does from
`pinn_ext.dde.own_loop`.
"""

from pinn_ext.dde.quasi_newton.lbfgs_end import why_lbfgs_ended
from pinn_ext.dde.quasi_newton.train import train_quasi_newton

__all__ = ["train_quasi_newton", "why_lbfgs_ended"]
