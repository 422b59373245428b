"""What the phases of a run share: network, graphs, `dde.Model`, weights callback, and the clock."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import deepxde as dde
from torch import nn

from pinn_ext.dde.callback import AdaptiveWeights
from pinn_ext.dde.data.mini_batches import MiniBatches
from pinn_ext.dde.data.network_adapter import NetworkAdapter
from pinn_ext.dde.model.loss_terms import set_float


class GraphModel:
    """A network on graphs as a `dde.Model`, with the callback that weighs its losses.

    Args:
        data: the graphs and their loss terms.
        network: a plain module on its device.
        weights: the callback that moves, or keeps, the loss weights.
        initial_weights: weight of each loss term at the start, by name.
        weight_decay: of the first-order optimiser; other phases leave it out, and say so.

    Attributes:
        net: the network as DeepXDE takes it.
        model: the `dde.Model`.
    """

    def __init__(
        self,
        data: MiniBatches,
        network: nn.Module,
        weights: AdaptiveWeights,
        initial_weights: Mapping[str, float],
        weight_decay: float = 0.0,
    ) -> None:
        self.data, self.network, self.weights = data, network, weights
        self.initial_weights, self.weight_decay = dict(initial_weights), weight_decay
        self.net = NetworkAdapter(network, data)
        self.model = dde.Model(data, self.net)
        self._exact: Any = None
        self._started: float | None = None
        self._seconds = 0.0

    def held_weights(self) -> dict[str, float]:
        """Return the present loss weights by name."""
        manager = self.weights.manager
        return self.initial_weights if manager is None else manager.get_weights()

    def exact_validation(self) -> Any:
        """Return the validation batch in float64, on the device of the training."""
        if self._exact is None:
            self._exact = self.data.exact_batch(self.data.device)
        return self._exact

    @contextlib.contextmanager
    def clock(self) -> Iterator[None]:
        """Count the time inside the block as training."""
        self._started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds, self._started = self.training_seconds(), None

    def training_seconds(self) -> float:
        """Return the time spent in training so far."""
        running = time.perf_counter() - self._started if self._started is not None else 0.0
        return self._seconds + running

    def state_dict(self) -> dict[str, Any]:
        """Return the state of network, optimiser, weights and counters."""
        state = self.model.train_state
        return {
            "model_state_dict": self.network.state_dict(),
            "optimizer_state_dict": self.model.opt.state_dict(),
            "adaptive_weights_state": self.weights.state_dict(),
            "next_step": self.data.next_step,
            "step": state.step,
            "iteration": state.iteration,
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned; compile for the same phase first."""
        self.network.load_state_dict(saved["model_state_dict"])
        self.model.opt.load_state_dict(saved["optimizer_state_dict"])
        self.data.next_step = saved["next_step"]
        self.weights.load_state_dict(saved["adaptive_weights_state"], self.model)
        self.model.train_state.step = saved["step"]
        self.model.train_state.iteration = saved["iteration"]


def configure(dtype: str, seed: int) -> None:
    """Set what DeepXDE and torch keep globally, before anything is built.

    Args:
        dtype: `"float32"` or `"float64"`.
        seed: of torch, numpy and random.
    """
    set_float(dtype)
    dde.config.set_random_seed(seed)
