"""A strategy's saved state by kind and range, held against the state that it begins with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pinn_ext.checks import (
    ArgumentError,
    brief,
    check_mapping,
    check_number,
    check_sequence,
    check_switch,
)


def check_like(name: str, value: Any, model: Any, terms: int) -> None:
    """Refuse a value that cannot have grown out of the one that a strategy begins with.

    Args:
        name: of the value, for the message.
        value: plain numbers, strings, lists and mappings, as saved.
        model: what stands there in the beginning. Where that is None or an empty list, nothing or
            numbers of all terms are legal; an empty list may become rows of them.
        terms: how many terms there are.

    Raises:
        ArgumentError: naming the part.
    """
    if isinstance(model, bool):
        check_switch(name, value)
    elif isinstance(model, int):
        check_number(name, value, 0, integer=True)
    elif isinstance(model, float):
        check_number(name, value)
    elif model is None:
        if value is not None:
            _check_list(name, value, [0.0] * terms, terms)
    elif isinstance(model, Mapping):
        check_mapping(name, value, model)
        for key, item in model.items():
            check_like(f"{name}.{key}", value[key], item, terms)
    elif model:
        _check_list(name, value, model, terms)
    else:
        _check_grown(name, value, terms)


def is_ours(strategy: object) -> bool:
    """Return whether a strategy is one of this package, whose states keep to `check_like`.

    What the state of a user's strategy can become only that one knows: it checks it in a
    `check_state` of its own.
    """
    return type(strategy).__module__.startswith("pinn_ext.")


def _check_list(name: str, value: Any, model: Any, terms: int) -> None:
    for item, own in zip(check_sequence(name, value, len(model)), model, strict=True):
        check_like(name, item, own, terms)


def _check_grown(name: str, value: Any, terms: int) -> None:
    """Refuse what is neither empty, nor numbers of all terms, nor rows of them."""
    check_sequence(name, value)
    rows = value if value and isinstance(value[0], (list, tuple)) else [value] if value else []
    for row in rows:
        numbers = isinstance(row, (list, tuple)) and len(row) == terms and all(map(_finite, row))
        if not numbers:
            raise ArgumentError(name, f"hold {terms} finite numbers", brief(row))


def _finite(value: Any) -> bool:
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return plain and math.isfinite(value)
