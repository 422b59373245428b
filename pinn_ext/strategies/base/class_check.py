"""What a class must be like to be known as a strategy."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from pinn_ext.checks import ArgumentError, brief
from pinn_ext.registry import check_class
from pinn_ext.strategies.base.points import PointStrategy
from pinn_ext.strategies.base.terms import STATISTICS, Strategy


def check_strategy(cls: Any) -> None:
    """Refuse a class that cannot be built and asked as a strategy is.

    Args:
        cls: the class.

    Raises:
        ArgumentError: naming the class and what it lacks.
    """
    check_class(cls, Strategy, PointStrategy)
    parameters = getattr(cls, "__dataclass_params__", None)
    if parameters is None or not parameters.frozen:
        kind = "another class" if parameters is None else "one that is not frozen"
        raise ArgumentError(cls.__name__, "be a frozen dataclass", kind)
    for field in fields(cls):
        if field.init and field.default is MISSING and field.default_factory is MISSING:
            raise ArgumentError(field.name, "have a default", "none", of=cls.__name__)
    needs = cls.needs
    if isinstance(needs, property):  # each object has its own
        return
    if not isinstance(needs, frozenset) or not needs <= set(STATISTICS):
        wanted = f"be a frozenset of names among {', '.join(STATISTICS)}"
        raise ArgumentError("needs", wanted, brief(needs), of=cls.__name__)
