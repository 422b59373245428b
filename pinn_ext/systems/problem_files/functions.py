"""The functions of a problem file, each with the parameters that it names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pinn_ext.checks import ArgumentError, brief
from pinn_ext.systems.boundary import Condition


class Functions:
    """Gives each function of a file the parameters that it names.

    Args:
        parameters: by name.
    """

    def __init__(self, parameters: Mapping[str, float]) -> None:
        self.parameters = dict(parameters)
        self._used: set[str] = set()

    def positional(self, name: str, function: Any) -> int:
        """Return how many arguments a function takes beside parameters."""
        if not callable(function):
            raise ArgumentError(name, "be a function", brief(function))
        variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        own = inspect.signature(function).parameters.values()
        return sum(p.name not in self.parameters and p.kind not in variable for p in own)

    def bound(self, name: str, function: Any, taken: int) -> Callable[..., Any]:
        """Return a function of `taken` arguments, its parameters given."""
        if self.positional(name, function) != taken:
            what = {1: "x", 2: "x and t"}.get(taken, "u, v, d and what it asks for")
            wanted = f"take {what}, and then parameters of PARAMETERS"
            raise ArgumentError(name, wanted, str(inspect.signature(function)))
        own = inspect.signature(function).parameters
        takes_all = any(p.kind == inspect.Parameter.VAR_KEYWORD for p in own.values())
        named = {k: v for k, v in self.parameters.items() if takes_all or k in own}
        self._used |= set(named)
        return partial(function, **named) if named else function

    def condition(self, condition: Condition) -> Condition:
        """Return a condition whose function has its parameters."""
        if not callable(condition.values):
            return condition
        own = self.bound(f"the function of {condition.kind}(…)", condition.values, 2)
        return replace(condition, values=own)

    def refuse_unused(self) -> None:
        """Refuse a parameter that no function names: to change it would change nothing."""
        unused = [key for key in self.parameters if key not in self._used]
        if unused:
            wanted = "name parameters that a function takes as keywords"
            raise ArgumentError("PARAMETERS", wanted, f"{unused[0]!r}, which none does")
