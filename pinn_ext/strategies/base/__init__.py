"""What weighting strategies are made of: protocols, and the mathematics that several share.

`terms` has the protocol of strategies that weigh loss terms (`Strategy`: `init` and `update` on a
`Statistics`, answering a `Proposal`); read it first. `points` has that of strategies that weigh
points, `gradients` the statistic of the terms' gradients. The rest is shared mathematics:
`loss_ratios`, `scalar_optimizer` and `learned_scales` for weights that are trained themselves, and
`members` for strategies that are made of other ones.
"""

from pinn_ext.strategies.base.gradients import Gradients
from pinn_ext.strategies.base.points import PointBlock, PointState, PointStrategy
from pinn_ext.strategies.base.terms import STATISTICS, Proposal, State, Statistics, Strategy

__all__ = [
    "STATISTICS",
    "Gradients",
    "PointBlock",
    "PointState",
    "PointStrategy",
    "Proposal",
    "State",
    "Statistics",
    "Strategy",
]
