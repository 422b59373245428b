"""The best parameters by raw losses, which moving weights cannot fool."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class BestModel:
    """Keeps the parameters with the smallest sum of raw losses, each over its first value.

    Attributes:
        step: how many steps the training had made then, None before the first record.
        score: their sum, dimensionless; the number of terms at the start.
    """

    def __init__(self) -> None:
        self.first: list[float] | None = None
        self.step: int | None = None
        self.score = math.inf
        self.parameters: list[Tensor] = []

    def record_if_best(
        self, step: int, losses: Sequence[float], parameters: Sequence[Tensor]
    ) -> None:
        """Keep `parameters` if their raw losses, all finite, are the best so far.

        Args:
            step: how many steps the training has made.
            losses: raw loss of each term `[k]`.
            parameters: tensors as they were when the losses were computed; copied if kept.
        """
        if not all(map(math.isfinite, losses)):
            return
        if self.first is None:
            self.first = list(losses)
        score = sum(
            loss / first if first > 0 else loss
            for loss, first in zip(losses, self.first, strict=True)
        )
        if score < self.score:
            self.step, self.score = step, score
            self.parameters = [tensor.detach().clone() for tensor in parameters]

    def or_new(self, live: Sequence[Tensor]) -> BestModel:
        """Return this one, or a new one where other tensors than those that are kept are trained.

        Args:
            live: the tensors that training moves from now on.
        """
        return self if self._is_of(live) else BestModel()

    def _is_of(self, live: Sequence[Tensor]) -> bool:
        shapes = [parameter.shape for parameter in self.parameters]
        return not shapes or shapes == [tensor.shape for tensor in live]

    def restore(self, live: Sequence[Tensor]) -> int:
        """Copy the best parameters into `live`.

        Args:
            live: the tensors to overwrite, in the order in which they were recorded.

        Returns:
            The step they belong to.

        Raises:
            ValueError: if nothing has been kept yet, or of other tensors than these.
        """
        if self.step is None:
            raise ValueError("There is no best model yet: train for at least one period first.")
        if not self._is_of(live):
            raise ValueError(
                f"The best model must be of the tensors that are trained now, got one of "
                f"{len(self.parameters)} for {len(live)}: network or external variables changed."
            )
        with torch.no_grad():
            for tensor, best in zip(live, self.parameters, strict=True):
                tensor.copy_(best)
        return self.step

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain numbers and tensors."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        vars(self).update(state)
