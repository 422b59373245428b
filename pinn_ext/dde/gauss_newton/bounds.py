"""Bounds of the external variables of a model, such as coefficients that must be positive."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from solvers.gauss_newton import Box


class VariableBounds:
    """Lower and upper bounds of external trainable variables.

    Args:
        model: a compiled DeepXDE model.
        bounds: (variable, low, high) each; None or an infinity for no bound.

    Raises:
        ValueError: if an entry is not such a triple, its variable is not trained or named twice, or
            its lower bound is not below the upper one.
    """

    def __init__(self, model: Any, bounds: Sequence[tuple[Tensor, float | None, float | None]]):
        if not isinstance(bounds, (list, tuple)):
            raise ValueError(f"`bounds` must be a list of (variable, low, high), got {bounds!r}.")
        known = list(model.external_trainable_variables)
        self._bounds: list[tuple[int, Tensor, float, float]] = []
        for entry in bounds:
            if not isinstance(entry, (list, tuple)) or len(entry) != 3:
                raise ValueError(
                    f"`bounds` must be a list of (variable, low, high), got {entry!r} in it."
                )
            number = next((i for i, each in enumerate(known) if each is entry[0]), None)
            if number is None or not known[number].requires_grad:
                raise ValueError(
                    "`bounds` must be of variables that are trained, in the "
                    "external_trainable_variables that the model is compiled with "
                    f"({len(known)} of them), got {entry[0]!r}."
                )
            if number in [taken for taken, *_ in self._bounds]:
                raise ValueError(f"`bounds` must name external variable {number} once, got twice.")
            low, high = _number(entry[1], -math.inf), _number(entry[2], math.inf)
            if not low < high:
                raise ValueError(
                    "`bounds` must have each lower bound below the upper one, got "
                    f"{entry[1]!r} and {entry[2]!r} for external variable {number}."
                )
            self._bounds.append((number, known[number], low, high))

    def box(self, tensors: Sequence[Tensor]) -> Box:
        """Return the bounds of all parameters as one vector.

        Args:
            tensors: what is trained, in the order of the vector.

        Returns:
            The box.

        Raises:
            ValueError: if a variable lies outside.
        """
        lower = [torch.full_like(tensor, -math.inf).reshape(-1) for tensor in tensors]
        upper = [torch.full_like(tensor, math.inf).reshape(-1) for tensor in tensors]
        for number, variable, low, high in self._bounds:
            place = next(i for i, tensor in enumerate(tensors) if tensor is variable)
            lower[place].fill_(low)
            upper[place].fill_(high)
            value = variable.detach().reshape(-1)
            if bool(((value < lower[place]) | (value > upper[place])).any()):
                raise ValueError(
                    f"`bounds` must hold where the training starts, got external variable {number} "
                    f"at {variable.tolist()}, outside [{low:g}, {high:g}]."
                )
        return Box(torch.cat(lower), torch.cat(upper))


def _number(bound: Any, none: float) -> float:
    if bound is None:
        return none
    try:
        return math.nan if isinstance(bound, (bool, str)) else float(bound)
    except (TypeError, ValueError):
        return math.nan
