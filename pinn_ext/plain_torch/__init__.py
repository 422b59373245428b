"""The door for training loops without DeepXDE.

In come raw losses by name in each step of a loop of your own, as tensors with their graph; out
comes the weighted sum to call `backward` on. Nothing is patched, and the optimiser is yours.

`loss_aggregator` has that module: `total = aggregator(losses, step)`; open it first. Strategies
that weigh points get residuals in place of losses, which `point_losses` looks after. `arguments`
checks what a call is given. `physics_step` has `train_physics`, which takes one optimiser step of a
coupled system on a batch of snapshot graphs, with the terms that the program trains on.

Weights, measurements and point weights are those of DeepXDE's callback: the same classes, from
`pinn_ext.adaptive_weights`, `pinn_ext.measurements` and `pinn_ext.point_weights`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinn_ext.lazy_names import loader

if TYPE_CHECKING:
    from pinn_ext.plain_torch.loss_aggregator import LossAggregator
    from pinn_ext.plain_torch.physics_step import train_physics

__all__ = ["LossAggregator", "train_physics"]

__getattr__ = loader(  # a loop that needs no system loads none of it
    __name__,
    {
        "LossAggregator": "pinn_ext.plain_torch.loss_aggregator",
        "train_physics": "pinn_ext.plain_torch.physics_step",
    },
)
