"""Ratios of losses, as the methods that look at rates of progress need them."""

from __future__ import annotations

from collections.abc import Sequence


def ratios(
    losses: Sequence[float], references: Sequence[float], most: float = 1e100
) -> list[float]:
    """Return `L_i / R_i` for each term; 1 where R_i is 0, as nothing compares with it.

    Infinity instead, once a term that was solved is so no more, would take the balance from all
    others.

    Args:
        losses: `[k]`, not negative.
        references: what they are compared with `[k]`, not negative.
        most: what stands for a quotient that overflows.

    Returns:
        Dimensionless numbers `[k]` in `[0, most]`.
    """
    return [
        min(loss / reference, most) if reference > 0.0 else 1.0
        for loss, reference in zip(losses, references, strict=True)
    ]
