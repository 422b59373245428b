"""The keys `dataset.family`. Loads without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pinn_ext.checks import ArgumentError, brief, check_number

WHERE = "dataset.family"
SNAPSHOT_STEP = 1e-2
"""`dataset.step` of snapshot graphs unless a user says otherwise."""


@dataclass
class Family:
    """`dataset.family`: problems of one equation; null takes what its recipe says."""

    nodes: str = "grid"
    own_nodes: bool = False
    domains: list[str] = field(default_factory=list)
    boundary: str = "periodic"
    fields: str = "fourier"
    waves: int = 3
    mean: list[float] | None = None
    spread: list[float] | None = None
    positive: bool | None = None
    constants: dict[str, Any] = field(default_factory=dict)
    horizon: float | None = None
    steps: int = 10
    rollout: int = 10
    noise: float = 0.0
    trajectories: str | None = None
    step: float | None = None
    root: str = "data"
    on_disk: bool = False


def constants_of(family: Family) -> dict[str, float | tuple[float, float]]:
    """Return the constants that the user gave: each a number, or the two ends of an interval.

    Args:
        family: `dataset.family`.

    Returns:
        By name.

    Raises:
        ArgumentError: if one is neither.
    """
    found: dict[str, float | tuple[float, float]] = {}
    for name, value in family.constants.items():
        key, wanted = f"{WHERE}.constants.{name}", "be a number or a list of two, the lower first"
        if isinstance(value, Sequence) and not isinstance(value, str):
            ends = [check_number(key, end) for end in value]
            if len(ends) != 2 or not ends[0] < ends[1]:
                raise ArgumentError(key, wanted, brief(ends))
            found[name] = (float(ends[0]), float(ends[1]))
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ArgumentError(key, wanted, brief(value))
        else:
            found[name] = float(check_number(key, value))
    return found
