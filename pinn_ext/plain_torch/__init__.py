"""The door for training loops without DeepXDE.

`loss_aggregator` adds any named losses up with adaptive weights inside a loop of your own:
`total = aggregator(losses, step)`; strategies that weigh points get residuals instead, which
`point_losses` looks after. `train_physics` takes one optimiser step of a coupled system on
a batch of snapshot graphs, with the terms that the program trains on.
"""

from pinn_ext.plain_torch.loss_aggregator import LossAggregator
from pinn_ext.plain_torch.train_physics import train_physics

__all__ = ["LossAggregator", "train_physics"]
