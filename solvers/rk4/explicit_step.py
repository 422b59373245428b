"""The formula of an explicit Runge-Kutta step."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from .semidiscrete import Fields
from .state import Time
from .tableaus import Tableau

FieldRates = Callable[[Time, Fields], Fields]


def advance(
    tableau: Tableau,
    rates: FieldRates,
    impose: FieldRates,
    fields: Fields,
    time: Time,
    step: float | Tensor,
) -> Fields:
    """Advance fields by one step, boundary data imposed at the time of every stage.

    Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I (1993), eq. (II.1.8). The
    sum over the stages is made as they come, so that a method like RK4 keeps one stage at a time.

    Args:
        tableau: The method.
        rates: Rates of change of the fields at a time.
        impose: Puts boundary data into the fields at a time.
        fields: What is advanced.
        time: Time of the fields.
        step: Step, in units of time.

    Returns:
        The fields at `time + step`.
    """
    start = impose(time, fields)
    result = start
    kept: dict[int, Fields] = {}
    for i, (c, row, b) in enumerate(zip(tableau.c, tableau.a, tableau.b, strict=True)):
        at = time + float(c) * step if c else time
        stage = start
        for j, a in enumerate(row):
            if a:
                stage = _add(stage, float(a) * step, kept[j])
        k = rates(at, impose(at, stage) if i else stage)
        result = _add(result, float(b) * step, k) if b else result
        kept[i] = k
        kept = {j: kept[j] for j in kept if tableau.last_use[j] > i}
    return impose(time + step, result)


def _add(fields: Fields, factor: float | Tensor, rates: Fields) -> Fields:
    return tuple(f + factor * k for f, k in zip(fields, rates, strict=True))
