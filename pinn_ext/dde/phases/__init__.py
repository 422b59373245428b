"""The phases of a run of the program: first-order epochs, L-BFGS, Gauss-Newton.

In come a network, its graphs and the callback that weighs the losses (`graph_model`); out comes the
trained network. Whoever runs a phase passes itself as a `Watcher`, whose `after_epoch` is called
when an epoch or a block of iterations is complete.

`phase` has what all three share, open it first: a phase compiles the model, trains it, knows its
losses and weights, and saves what it needs. `epochs`, `lbfgs` and `gauss_newton` are one each.
Which of them a run goes through, and what it logs and saves between their steps, is
`pinn_ext.program.run`.
"""

from pinn_ext.dde.phases.epochs import Epochs
from pinn_ext.dde.phases.gauss_newton import GaussNewton
from pinn_ext.dde.phases.graph_model import GraphModel, configure
from pinn_ext.dde.phases.lbfgs import LBFGS
from pinn_ext.dde.phases.phase import Measured, Phase, Watcher

__all__ = [
    "LBFGS",
    "Epochs",
    "GaussNewton",
    "GraphModel",
    "Measured",
    "Phase",
    "Watcher",
    "configure",
]
