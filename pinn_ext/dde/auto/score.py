"""Scores of candidate strategies, from raw losses on held-out points."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from pinn_ext.dde.auto.held_out import HeldOutPoints
from pinn_ext.dde.model.field_scales import (
    check_field_scales,
    condition_names,
    field_scales,
    shared,
)
from pinn_ext.measurements import processes
from pinn_ext.strategies.auto import Auto, successive_halving


class HeldOutScore:
    """Compares the raw losses on held-out points with those before the first step.

    Args:
        method: says by which score, and on how many points.

    Attributes:
        start: raw losses before the first step `[k]`, None before `start_on`.
        scales: size of the field that each term is about `[k]`, in the field's units.
        conditions: whether each term is a condition `[k]`.
    """

    def __init__(self, method: Auto) -> None:
        self.method = method
        self.start: list[float] | None = None
        self._active: list[int] = []
        self.scales: list[float] = []
        self.conditions: list[bool] = []
        self._points: HeldOutPoints | None = None

    def hold_out(self, model: Any) -> None:
        """Have points, before the model draws its first batch of a `train()`."""
        if self._points is None:
            self._points = HeldOutPoints(model, self.method.score_points, self.method.seed)

    def give_back(self) -> None:
        """Give points that were held back to the training again."""
        if self._points is not None:
            self._points.give_back()
            self._points = None

    def start_on(
        self,
        model: Any,
        names: Sequence[str],
        weights: Sequence[float],
        scales: Sequence[float] | None,
    ) -> None:
        """Measure a model before its first step.

        Args:
            model: a compiled DeepXDE model.
            names: of its loss terms.
            weights: of the user; terms of weight 0 do not count.
            scales: sizes of the fields by term, None reads them from the model's data, or takes
                ones where they cannot be read.
        """
        conditions = condition_names(model.data, names)
        self._active = [i for i, weight in enumerate(weights) if weight > 0]
        self.conditions = [name in conditions for name in names]
        given = _scales(model, names) if scales is None else check_field_scales(scales, names)
        self.scales = shared(given)
        self.start = self._losses(model)

    def of(self, model: Any) -> float:
        """Return how good a model is, smaller is better."""
        losses, start = self._of_active(self._losses(model)), self._of_active(self.start or [])
        if self.method.score == "geometric":
            return successive_halving.geometric_score(losses, start)
        return successive_halving.scaled_score(
            losses,
            start,
            self._of_active(self.scales),
            self._of_active(self.conditions),
            self.method.condition_factor,
        )

    def _losses(self, model: Any) -> list[float]:
        self.hold_out(model)
        measured = self._points.losses(model) if self._points else []
        return list(processes.mean_of_numbers(measured))

    def _of_active(self, values: Sequence[Any]) -> list[Any]:
        return [values[i] for i in self._active]

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain numbers and lists."""
        return {
            "start": self.start,
            "active": list(self._active),
            "scales": list(self.scales),
            "conditions": list(self.conditions),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.start, self._active = state["start"], list(state["active"])
        self.scales, self.conditions = list(state["scales"]), list(state["conditions"])


def _scales(model: Any, names: Sequence[str]) -> list[float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the candidate `field_scale` says it
        try:
            return list(field_scales(model, names))
        except ValueError:
            return [1.0] * len(names)
