"""A plain torch module as DeepXDE's network."""

from __future__ import annotations

from typing import Any, Protocol

import deepxde as dde
from torch import Tensor, nn


class Batches(Protocol):
    """Data that knows the batches it has served."""

    loss: Any

    def batch_at(self, inputs: Tensor) -> Any:
        """Return the batch that these very inputs were served from, if any."""


class NetworkAdapter(dde.nn.NN):
    """Gives a plain torch module the attributes that DeepXDE asks of its networks.

    Args:
        module: inputs `[N, d]` to outputs `[N, k]`.
        data: the batches that are served; what is precomputed at their inputs is made use of.
    """

    def __init__(self, module: nn.Module, data: Batches) -> None:
        super().__init__()
        self.module, self._data = module, data

    def serve_from(self, data: Batches) -> None:
        """Look for batches in other data from now on."""
        self._data = data

    def train(self, mode: bool = True) -> NetworkAdapter:
        """Set the mode of all layers, which DeepXDE does before each evaluation.

        Where adapter and module have it, so have their layers, unless one was set apart from the
        rest: DeepXDE's going through all of them is 1 % of a step of a graph network.

        Args:
            mode: whether they are trained.

        Returns:
            The adapter itself, as torch has it.
        """
        if not self.training == self.module.training == mode:
            super().train(mode)
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the module's outputs; at a batch, as its loss takes them best."""
        batch = self._data.batch_at(inputs)
        return self.module(inputs) if batch is None else self._data.loss.outputs(self.module, batch)


def plain_network(model: Any) -> Any:
    """Return the user's module of a DeepXDE model."""
    return model.net.module if isinstance(model.net, NetworkAdapter) else model.net
