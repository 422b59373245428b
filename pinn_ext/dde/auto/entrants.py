"""Which candidates take part in the pilots of a model, and who of them is the incumbent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from pinn_ext.dde.auto.score import HeldOutScore
from pinn_ext.dde.weighting.model_weights import ModelWeights
from pinn_ext.strategies.auto import Auto
from pinn_ext.strategies.field_scale import FieldScale

_APART = 10.0
"""From this ratio of the sizes of fields on, units decide, and no short pilot has to show it."""


def entrants(
    method: Auto,
    weights_of: Callable[[int], ModelWeights],
    model: Any,
    first: Sequence[float],
    score: HeldOutScore,
) -> tuple[list[int], dict[int, str]]:
    """Return the candidates that fit a model, the incumbent first, and why the others do not.

    Args:
        method: has the candidates.
        weights_of: returns the weights of a candidate, for a model to start with.
        model: a compiled DeepXDE model; its weights are to be put back by the caller.
        first: weights that it has `[k]`.
        score: started on the model, so that it knows the sizes of the fields.

    Returns:
        Indices of those that take part; `field_scale` is the incumbent where it is among them and
        the sizes of the fields are `_APART` or more, else `fixed`; and a reason for each of the
        others.
    """
    fitting, why = [], {}
    for candidate, own in enumerate(method.field):
        try:
            weights_of(candidate).start_from(model, first)
        except ValueError as error:
            why[candidate] = f"it cannot be used here: {str(error).rstrip('.')}"
            continue
        if isinstance(own.method, FieldScale) and _changes_nothing(own.method, first, score):
            why[candidate] = "it leaves the weights as they are, like fixed"
            continue
        fitting.append(candidate)
    if max(score.scales) >= _APART * min(score.scales):
        fitting.sort(key=lambda candidate: method.field[candidate].name != "field_scale")
    return fitting, why


def _changes_nothing(method: FieldScale, first: Sequence[float], score: HeldOutScore) -> bool:
    """Return whether its weights are those that the model has, but for a common factor."""
    targets = method.targets(score.scales, score.conditions)
    factors = [target / own for target, own in zip(targets, first, strict=True) if own > 0.0]
    return not factors or math.isclose(min(factors), max(factors), rel_tol=1e-6)
