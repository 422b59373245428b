"""Functions that `torch.compile` leaves as they are."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

F = TypeVar("F", bound=Callable[..., Any])


def uncompiled(function: F) -> F:
    """Do as `torch.compiler.disable`, which loads the compiler, when the function is first called.

    To load the compiler takes nearly as long as to load torch. By the first step of a training it
    is there anyway, since the optimiser's constructor loads it.

    Args:
        function: reads numbers from tensors, say, so that no graph can hold it.

    Returns:
        The same function, which a graph is broken for.
    """
    made: list[Callable[..., Any]] = []

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        if not made:
            made.append(torch.compiler.disable(function))
        return made[0](*arguments, **named)

    return call  # type: ignore[return-value]  # the arguments are passed on as they came
