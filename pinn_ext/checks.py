"""Checks of user input: every error says what was wanted and what came."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any


def check_choice(what: str, value: Any, legal: Iterable[str]) -> str:
    """Return `value` if it is one of the `legal` names.

    Args:
        what: name of the argument, as the user writes it.
        value: what the user gave.
        legal: the names that are allowed.

    Returns:
        `value` itself.

    Raises:
        ValueError: if `value` is not one of `legal`; the message lists them and the nearest.
    """
    options = sorted(legal)
    if isinstance(value, str) and value in options:
        return value
    near = difflib.get_close_matches(str(value), options, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ValueError(f"`{what}` must be one of {', '.join(options)}, got {value!r}{hint}.")


def check_number(
    what: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
    integer: bool = False,
) -> Any:
    """Return `value` if it is a finite number between `low` and `high`.

    Args:
        what: name of the argument, as the user writes it.
        value: what the user gave.
        low: smallest legal value.
        high: largest legal value.
        open_low: whether `low` itself is excluded.
        open_high: whether `high` itself is excluded.
        integer: whether a whole number is wanted.

    Returns:
        `value` itself.

    Raises:
        ValueError: if `value` is no such number; the message states the range and the value.
    """
    kind: Any = Integral if integer else Real
    fits = (
        isinstance(value, kind)
        and not isinstance(value, bool)
        and _is_finite(value)
        and (low < value if open_low else low <= value)
        and (value < high if open_high else value <= high)
    )
    if fits:
        return value
    noun = "whole number" if integer else "finite number"
    raise ValueError(
        f"`{what}` must be a {noun}{_range(low, high, open_low, open_high)}, got {value!r}."
    )


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        return False


def _range(low: float, high: float, open_low: bool, open_high: bool) -> str:
    if math.isinf(low) and math.isinf(high):
        return ""
    if math.isinf(high):
        return f" {'>' if open_low else '>='} {low:g}"
    if math.isinf(low):
        return f" {'<' if open_high else '<='} {high:g}"
    return f" in {'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"


def check_switch(what: str, value: Any) -> bool:
    """Return `value` if it is true or false.

    Args:
        what: name of the argument, as the user writes it.
        value: what the user gave.

    Returns:
        `value` itself.

    Raises:
        ValueError: if it is neither.
    """
    if not isinstance(value, bool):
        raise ValueError(f"`{what}` must be true or false, got {value!r}.")
    return value


def check_names(what: str, wanted: Iterable[str], given: Iterable[str]) -> None:
    """Refuse `given` unless it holds exactly the names in `wanted`.

    Args:
        what: what the names belong to, for the message.
        wanted: the legal names.
        given: the names that came.

    Raises:
        ValueError: if a name is missing or unknown; the message lists both and the legal names.
    """
    wanted, given = list(wanted), list(given)
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    if missing or unknown:
        faults = [f"missing {missing}"] * bool(missing) + [f"unknown {unknown}"] * bool(unknown)
        raise ValueError(f"{what} must name exactly {wanted}, got {' and '.join(faults)}.")
