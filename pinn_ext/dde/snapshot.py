"""Copies of what a training step changes, so that a bad step can be undone."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor


class Snapshot:
    """Parameters, external variables and optimiser state of a DeepXDE model at one moment.

    Tensors are copied in place into buffers that live as long as the snapshot, by one fused
    call. L-BFGS and NNCG keep lists in their state, which are copied whole; they run many
    iterations a step, so the cost does not show.

    Args:
        model: a compiled DeepXDE model.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._live: list[Tensor] = []
        self._kept: list[Tensor] = []
        self._state: dict[str, Any] | None = None
        self._sizes: tuple[int, ...] = ()
        self._count = 0
        self._deep = False

    def parameters(self) -> list[Tensor]:
        """Return the tensors that training moves: of the network, then external variables."""
        return [*self.model.net.parameters(), *self.model.external_trainable_variables]

    def take(self) -> None:
        """Copy the present values."""
        state = self.model.opt.state
        sizes = (id(self.model.opt), len(state), *map(len, state.values()))
        if sizes != self._sizes:
            self._gather(state)
            self._sizes = sizes
        with torch.no_grad():
            torch._foreach_copy_(self._kept, self._live)
        if self._deep:
            self._state = copy.deepcopy(self.model.opt.state_dict())

    def _gather(self, state: Any) -> None:
        """Find the tensors anew: optimisers make their state in the first step."""
        values = [value for entry in state.values() for value in entry.values()]
        self._deep = any(isinstance(value, (list, tuple, dict)) for value in values)
        tensors = [value for value in values if isinstance(value, Tensor)]
        self._count = len(self.parameters())
        self._live = [p.data for p in self.parameters()] + ([] if self._deep else tensors)
        self._kept = [tensor.clone() for tensor in self._live]

    def kept_parameters(self) -> list[Tensor]:
        """Return the parameters and external variables as they were (overwritten by `take`)."""
        return self._kept[: self._count]

    def restore(self) -> None:
        """Put everything back as it was when the copy was taken."""
        with torch.no_grad():
            torch._foreach_copy_(self._live, self._kept)
        if self._deep and self._state is not None:
            self.model.opt.load_state_dict(self._state)
        elif self._sizes and len(self.model.opt.state) != self._sizes[1]:
            self.model.opt.state.clear()  # the undone step was the first: it made the state
