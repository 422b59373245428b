"""Weights that make the losses dimensionless, from the sizes of the fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.checks import check_number
from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy


@dataclass(frozen=True)
class FieldScale(Strategy):
    """`w_i = c_i / s_i^2` once: s_i the size of the field that term i is about.

    Losses of fields that differ in size are then measured in the same, dimensionless unit. c_i is
    1 for equations and `condition_factor` for initial and boundary conditions and data. Its
    statistic is read once, from the data, and costs nothing while training. Its weights may be of
    any size: those of a field of 1e-3 have to be 1e6 times those of a field of 1. (These are the
    weights of the nondimensional problem; no paper's.)

    Attributes:
        condition_factor: weight of a condition over that of an equation, dimensionless.
    """

    condition_factor: float = 10.0
    name: ClassVar[str] = "field_scale"
    needs: ClassVar[frozenset[str]] = frozenset({"field_scales"})
    limited: ClassVar[bool] = False
    scale_invariant: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse a factor that is not positive."""
        check_number("options.condition_factor", self.condition_factor, 0, open_low=True)

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return the state that says that nothing has been weighed yet."""
        return {"weighed": False}

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Propose the weights at the first call and nothing later."""
        if state["weighed"]:
            return None, state
        scales = statistics.field_scales or [1.0] * len(statistics.losses)
        conditions = statistics.conditions or [False] * len(statistics.losses)
        return Proposal(self.targets(scales, conditions), blend=False), {"weighed": True}

    def targets(self, scales: Sequence[float], conditions: Sequence[bool]) -> list[float]:
        """Return the weights of the dimensionless problem, up to a common factor.

        Args:
            scales: size of the field that each term is about `[k]`, in the field's units.
            conditions: whether each term is a condition `[k]`.

        Returns:
            `c_i / s_i^2` `[k]`.
        """
        return [
            (self.condition_factor if condition else 1.0) / scale**2
            for scale, condition in zip(scales, conditions, strict=True)
        ]
