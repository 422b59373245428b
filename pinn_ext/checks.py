"""Checks of user input: every error says what was wanted and what came.

They raise `ArgumentError`, which knows the argument's name apart from the rest of its sentence: a
caller whose users know that argument by another name, or under a prefix, says so by `renamed` and
`under` instead of rewriting text.
"""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Iterable, Mapping, Sequence, Set
from numbers import Integral, Real
from typing import Any


class ArgumentError(ValueError):
    """An argument that cannot be used, in the sentence "`name` must WANTED, got GOT.".

    Args:
        name: of the argument, as the user writes it.
        wanted: what it must be or do, the words after "must".
        got: what came, the words after "got".
        of: what the argument belongs to, said after its name; empty for nothing.

    >>> error = ArgumentError("ema_alpha", "be a finite number in [0, 1)", "2")
    >>> print(error.under("training.loss.adaptive"))
    `training.loss.adaptive.ema_alpha` must be a finite number in [0, 1), got 2.
    """

    def __init__(self, name: str, wanted: str, got: object, of: str = "") -> None:
        super().__init__(name, wanted, str(got), of)  # its `args`, by which it can be pickled
        self.name, self.wanted, self.got, self.of = name, wanted, str(got), of

    def __str__(self) -> str:
        owner = f" of {self.of}" if self.of else ""
        return f"`{self.name}`{owner} must {self.wanted}, got {self.got}."

    def renamed(self, name: str) -> ArgumentError:
        """Return the same error of an argument that is called `name`."""
        return ArgumentError(name, self.wanted, self.got, self.of)

    def under(self, prefix: str) -> ArgumentError:
        """Return the same error of the argument `prefix.name`."""
        return self.renamed(f"{prefix}.{self.name}")


def check_choice(what: str, value: Any, legal: Iterable[str]) -> str:
    """Return `value` if it is one of the `legal` names.

    Args:
        what: name of the argument, as the user writes it.
        value: what the user gave.
        legal: the names that are allowed.

    Returns:
        `value` itself.

    Raises:
        ArgumentError: if `value` is not one of `legal`; the message lists them and the nearest.
    """
    options = sorted(legal)
    if isinstance(value, str) and value in options:
        return value
    near = difflib.get_close_matches(str(value), options, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ArgumentError(what, f"be one of {', '.join(options)}", f"{value!r}{hint}")


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
        ArgumentError: if `value` is no such number; the message states the range and the value.
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
    interval = _range(low, high, open_low, open_high)
    raise ArgumentError(what, f"be a {noun}{interval}", repr(value))


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        return False


def _range(low: float, high: float, open_low: bool, open_high: bool) -> str:
    first, last = _bound(low), _bound(high)
    if math.isinf(low) and math.isinf(high):
        return ""
    if math.isinf(high):
        return f" {'>' if open_low else '>='} {first}"
    if math.isinf(low):
        return f" {'<' if open_high else '<='} {last}"
    return f" in {'(' if open_low else '['}{first}, {last}{')' if open_high else ']'}"


def _bound(value: float) -> str:
    """Return a bound as it is written in a sentence; whole numbers with all their digits."""
    return str(value) if isinstance(value, Integral) else f"{value:g}"


_FLOATS = {
    "float32": (2.0**-126, (2.0 - 2.0**-23) * 2.0**127),
    "float64": (sys.float_info.min, sys.float_info.max),
}
"""Smallest and largest size of a number that a float type holds to its full precision."""


def check_fits(what: str, value: Any, float_type: str, power: int = 1) -> Any:
    """Return `value` if a float type holds it, not as infinity nor, if it is tiny, as 0.

    Args:
        what: name of the argument, as the user writes it.
        value: a number.
        float_type: `"float32"` or `"float64"`; others are not looked at.
        power: that is taken of the number, which must fit too.

    Returns:
        `value` itself.

    Raises:
        ArgumentError: if it is not 0 and out of the range; the message states it.
    """
    low, high = (end ** (1 / power) for end in _FLOATS.get(float_type, (0.0, math.inf)))
    if value == 0 or low <= abs(value) <= high:
        return value
    held = f"that {float_type} holds (0, or {low:.3g} to {high:.3g} by size)"
    wanted = f"be a number {held}" if power == 1 else f"have a power of {power} {held}"
    raise ArgumentError(what, wanted, repr(value))


def check_numbers_fit(owner: Any, float_type: str, prefix: str) -> None:
    """Refuse an object one of whose numbers a float type does not hold.

    Args:
        owner: its attributes, and lists of numbers among them, are looked at.
        float_type: as in `check_fits`.
        prefix: what their names stand under, as the user writes it.

    Raises:
        ArgumentError: as `check_fits`.
    """
    for name, value in vars(owner).items():
        for number in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(number, Real) and not isinstance(number, bool):
                check_fits(f"{prefix}.{name}", number, float_type)


def check_switch(what: str, value: Any) -> bool:
    """Return `value` if it is true or false.

    Args:
        what: name of the argument, as the user writes it.
        value: what the user gave.

    Returns:
        `value` itself.

    Raises:
        ArgumentError: if it is neither.
    """
    if not isinstance(value, bool):
        raise ArgumentError(what, "be true or false", repr(value))
    return value


def check_list(what: str, value: Any, wanted: str) -> list[Any]:
    """Return the items of `value`, whatever holds them in an order, as a list.

    A generator can be read once only: who looks at a value twice takes this list instead.

    Args:
        what: name of the argument, as the user writes it.
        value: what the user gave.
        wanted: the words after "must".

    Returns:
        A new list.

    Raises:
        ArgumentError: if it is text, a mapping, a set, or holds nothing at all to go through.
    """
    barred = (str, bytes, Mapping, Set)
    if isinstance(value, barred) or not isinstance(value, Iterable):
        raise ArgumentError(what, wanted, repr(value))
    return list(value)


def check_names(what: str, wanted: Iterable[str], given: Iterable[str]) -> None:
    """Refuse `given` unless it holds exactly the names in `wanted`.

    Args:
        what: what the names belong to, for the message: an argument in backquotes, or words.
        wanted: the legal names.
        given: the names that came.

    Raises:
        ArgumentError: if a name is missing or unknown; the message lists both and the legal
            names.
        ValueError: the same sentence, where `what` is no argument.
    """
    wanted, given = list(wanted), list(given)
    legal, there = set(wanted), set(given)
    missing = [name for name in wanted if name not in there]
    unknown = [name for name in given if name not in legal]
    if missing or unknown:
        faults = [f"missing {missing}"] * bool(missing) + [f"unknown {unknown}"] * bool(unknown)
        if what.startswith("`"):
            raise ArgumentError(what.strip("`"), f"name exactly {wanted}", " and ".join(faults))
        raise ValueError(f"{what} must name exactly {wanted}, got {' and '.join(faults)}.")


# ---- values that were saved ---------------------------------------------------------------------

_LONGEST = 80  # characters of a value in a message


def brief(value: Any) -> str:
    """Return a value for a message, cut off where it is longer than anyone reads."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def check_mapping(what: str, value: Any, keys: Iterable[Any] | None = None) -> None:
    """Refuse what is no mapping, or not one of some keys.

    Args:
        what: name of the value.
        value: as saved.
        keys: that it must have, None for any.

    Raises:
        ArgumentError: if it has others or is no mapping.
    """
    if keys is None:
        if not isinstance(value, Mapping):
            raise ArgumentError(what, "be a mapping", brief(value))
        return
    wanted = set(keys)
    if not isinstance(value, Mapping) or set(value) != wanted:
        named = ", ".join(sorted(map(str, wanted))) or "nothing"
        raise ArgumentError(what, f"be a mapping of {named}", brief(value))


def check_sequence(what: str, value: Any, length: int | None = None) -> Sequence[Any]:
    """Return `value` if it is a list or a tuple.

    Args:
        what: name of the value.
        value: as saved.
        length: how many items it must have, None for any.

    Returns:
        `value` itself.

    Raises:
        ArgumentError: if it is none, or of another length.
    """
    if not isinstance(value, (list, tuple)) or (length is not None and len(value) != length):
        of = "" if length is None else f" of {length}"
        raise ArgumentError(what, f"be a list{of}", brief(value))
    return value
