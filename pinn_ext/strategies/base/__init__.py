"""What weighting strategies are made of: protocols, and the mathematics that several share.

`terms` has the base class of strategies that weigh loss terms: `Strategy`, with `init` and `update`
on a `Statistics`, which returns a `Proposal` and the next state; open it first. `points` has that
of strategies that weigh points. `method` is what both have in common with `auto`: the attributes
that can be read of everything in the registry; `class_check` says what a class from outside must
have to be in it. `gradients` is the statistic of the terms' gradients, sums over tensors from which
the published methods follow.

The rest is shared mathematics: `loss_ratios`; `scalar_optimizer` and `learned_scales` for weights
that are trained themselves; `members` for strategies that are made of other ones.

Users import these names from `pinn_ext.strategies`.
"""

from pinn_ext.strategies.base.gradients import Gradients
from pinn_ext.strategies.base.points import (
    JointPointStrategy,
    PointBlock,
    PointState,
    PointStrategy,
)
from pinn_ext.strategies.base.terms import STATISTICS, Proposal, State, Statistics, Strategy

__all__ = [
    "STATISTICS",
    "Gradients",
    "JointPointStrategy",
    "PointBlock",
    "PointState",
    "PointStrategy",
    "Proposal",
    "State",
    "Statistics",
    "Strategy",
]
