"""The step in pseudo-time, one an equation: given, or by the rule of jaxpi2, in plain numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

LEAST, LARGEST = 1e-2, 100.0
"""Limits of `1 / tau`."""
KEPT = 0.9
"""Part of the old `1 / tau` kept at an update."""
_TINY = 1e-8
_PATIENCE = 3  # looks in a row with a negative product, until it is said


class Change(NamedTuple):
    """What one step has changed in an equation.

    Attributes:
        residual: 2-norm over the points of `R - R_prev`.
        field: 2-norm over the same points of `u - u_prev`.
        product: sum over the points of both, with the sign of the equation.
        first_loss: mean of R^2 at the start of the training.
        loss: mean of R^2 now.
    """

    residual: float
    field: float
    product: float
    first_loss: float
    loss: float


def shrink(
    first_loss: float, loss: float, start: float = 2.0, end: float = 6.0, least: float = 0.1
) -> float:
    """Return the factor by which `1 / tau` shrinks as the residual falls.

    Args:
        first_loss: mean of R^2 at the start.
        loss: mean of R^2 now.
        start: fall, in powers of ten, up to which nothing shrinks.
        end: fall at which the least factor is reached.
        least: that factor.

    Returns:
        From 1 down to `least`, along half a cosine.

    Example:
        >>> [round(shrink(1.0, loss), 3) for loss in (1.0, 1e-4, 1e-7)]
        [1.0, 0.55, 0.1]
    """
    fall = math.log10((first_loss + _TINY) / (loss + _TINY))
    part = min(max((fall - start) / (end - start), 0.0), 1.0)
    return least + (1.0 - least) * (1.0 + math.cos(math.pi * part)) / 2.0


def inverse_step(change: Change) -> float:
    """Return `1 / tau` as one look proposes it.

    A local estimate of the Lipschitz constant of the residual, as in Barzilai's and Borwein's
    method (Wang, Koohy, Lu and Perdikaris 2026, arXiv:2604.23528; constants as in their jaxpi2).

    Args:
        change: what the last step has changed.

    Returns:
        A number from `LEAST` to `LARGEST`, in units of the residual over those of the field.
    """
    found = change.residual / (change.field + _TINY) * shrink(change.first_loss, change.loss)
    return min(max(found, LEAST), LARGEST)


class StepRule:
    """The steps of all equations, and whether their signs look right.

    Args:
        tau: step of each equation, positive; None where the rule finds it, from 1 on.

    Attributes:
        inverse: `1 / tau` of each equation.
    """

    def __init__(self, tau: Sequence[float | None]) -> None:
        self.inverse = [1.0 if own is None else 1.0 / own for own in tau]
        self._found = [own is None for own in tau]
        self._against = [0] * len(tau)

    def state_dict(self) -> dict[str, list[float]]:
        """Return the steps and how often each sign has looked wrong, as plain numbers."""
        return {"inverse": list(self.inverse), "against": list(self._against)}

    def load_state_dict(self, state: Mapping[str, list[Any]]) -> None:
        """Continue from what `state_dict` returned.

        Args:
            state: of as many equations.

        Raises:
            ValueError: if it is of another number of equations.
        """
        count = len(self.inverse)
        for key in ("inverse", "against"):
            if len(state[key]) != count:
                raise ValueError(
                    f"The saved {key} must hold {count} numbers, got {len(state[key])}."
                )
        self.inverse, self._against = list(state["inverse"]), list(state["against"])

    def look(self, changes: Sequence[Change | None]) -> list[int]:
        """Take in what a step has changed.

        Args:
            changes: one an equation, None for those without a field. What is not finite counts
                for nothing.

        Returns:
            The equations whose residual has fallen where the field rose in three looks in a row,
            each once.
        """
        wrong = []
        for i, change in enumerate(changes):
            if change is None or not all(map(math.isfinite, change)):
                continue
            if self._found[i]:
                new = inverse_step(change)
                self.inverse[i] = KEPT * self.inverse[i] + (1.0 - KEPT) * new
            self._against[i] = self._against[i] + 1 if change.product < 0 else 0
            if self._against[i] == _PATIENCE:
                wrong.append(i)
        return wrong
