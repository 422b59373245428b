"""What is wrong with an option, or a saved state, as a sentence. Loads without torch."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

_LONGEST = 80  # characters that are shown of what came


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


class SavedStateError(ValueError):
    """A part of a saved state is not what it can have been; the message is one sentence.

    Args:
        name: Of the part.
        wanted: What it must be or hold, the words after "must".
        got: What came; of a tensor its shape and type are said.
    """

    def __init__(self, name: str, wanted: str, got: Any) -> None:
        """See the class."""
        shape = getattr(got, "shape", None)
        text = repr(got) if shape is None else f"{list(shape)} of {got.dtype}"
        short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
        super().__init__(f"`{name}` of the saved state must {wanted}, got {short}.")


def check_saved_number(name: str, value: Any, least: float, *, whole: bool = False) -> None:
    """Refuse a part of a saved state that is no finite number.

    Args:
        name: Of the part.
        value: What came.
        least: Smallest legal value.
        whole: Whether it is one of Python's whole numbers.

    Raises:
        SavedStateError: If it is none.
    """
    kinds = (int,) if whole else (int, float)
    plain = isinstance(value, kinds) and not isinstance(value, bool)
    if not plain or not math.isfinite(value) or value < least:
        noun = "whole" if whole else "finite"
        raise SavedStateError(name, f"be a {noun} number >= {least:g}", value)
