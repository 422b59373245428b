"""What is wrong with an option that a user gave, as a sentence. Loads without torch."""

from __future__ import annotations

import math
from numbers import Real


def switch_problem(name: str, value: object, *, optional: bool = False) -> str | None:
    """Say what is wrong with an option that is on or off, or None; the caller raises."""
    if isinstance(value, bool) or (optional and value is None):
        return None
    return f"`{name}` must be true or false{', or None' * optional}, got {value!r}."


def number_problem(
    name: str,
    value: object,
    wanted: str,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    whole: bool = False,
    infinite: bool = False,
) -> str | None:
    """Say what is wrong with an option that is a number, or None; the caller raises.

    Args:
        name: Of the option.
        value: What the user gave.
        wanted: What it must be, after "must be".
        least: Smallest legal value.
        above: What it has to exceed.
        whole: Whether it has no fraction.
        infinite: Whether infinity is legal.

    Returns:
        A sentence that names the option, what it must be and what came; None if it is right.
    """
    sentence = f"`{name}` must be {wanted}, got {value!r}."
    if isinstance(value, bool) or not isinstance(value, Real):
        return sentence
    number = float(value)
    in_range = number >= least and number > above and (infinite or number < math.inf)
    return None if in_range and not (whole and math.isfinite(number) and number % 1) else sentence


def require(*problems: str | None) -> None:
    """Raise the first problem.

    Args:
        *problems: Sentences, None where nothing is wrong.

    Raises:
        ValueError: If there is one.
    """
    for problem in problems:
        if problem:
            raise ValueError(problem)
