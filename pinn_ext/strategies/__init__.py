"""Weighting strategies by name: pure functions of the losses, without model or trainer."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pinn_ext.checks import check_choice
from pinn_ext.strategies._base import Proposal, State, Statistics, Strategy
from pinn_ext.strategies.ema import Ema
from pinn_ext.strategies.equal_init import EqualInit
from pinn_ext.strategies.equal_init_ema import EqualInitEma
from pinn_ext.strategies.fixed import Fixed

__all__ = ["Proposal", "State", "Statistics", "Strategy", "create", "names"]

_REGISTRY: dict[str, type[Strategy]] = {
    cls.name: cls for cls in (Fixed, EqualInit, EqualInitEma, Ema)
}


def names() -> list[str]:
    """Return the names of all strategies, sorted.

    Returns:
        The names that `AdaptiveLossWeights(strategy=...)` accepts.

    >>> names()
    ['ema', 'equal_init', 'equal_init_ema', 'fixed']
    """
    return sorted(_REGISTRY)


def create(name: str, **settings: Any) -> Strategy:
    """Build the strategy called `name`.

    Args:
        name: one of `names()`.
        **settings: values that strategies share (`ema_alpha`, `eps`); each takes those it has.

    Returns:
        The strategy, an immutable object.

    Raises:
        ValueError: if there is no such strategy.
    """
    cls = _REGISTRY[check_choice("strategy", name, _REGISTRY)]
    own = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    return cls(**{key: value for key, value in settings.items() if key in own})
