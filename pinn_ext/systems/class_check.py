"""What a class must be like to be known as a system, and what it must have once it is built."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from pinn_ext.checks import ArgumentError, brief, check_number
from pinn_ext.choices import FROM_FILE
from pinn_ext.registry import check_class, check_parameters
from pinn_ext.systems.system import System

_LEAST_NODES = 3
_MOST_DIMENSIONS = 3


def check_system(cls: Any) -> None:
    """Refuse a class that cannot be built and asked as a system is.

    Args:
        cls: the class.

    Raises:
        ArgumentError: naming the class and what it lacks.
    """
    check_class(cls, System)
    name = cls.__name__
    if cls.name == FROM_FILE:
        wanted = "be another one, as problem files have this one"
        raise ArgumentError("name", wanted, repr(FROM_FILE), of=name)
    if not isinstance(cls.cases, Mapping):
        raise ArgumentError("cases", "map names to kinds of boundary", brief(cls.cases), of=name)
    kinds = dict(cls.cases) or {"boundaries": cls.boundaries}
    for key, own in kinds.items():
        if not _are_names(own):
            what = f"cases[{key!r}]" if cls.cases else key
            wanted = "be a tuple of kinds of boundary, the default first"
            raise ArgumentError(what, wanted, brief(own), of=name)
    if cls.cases and "case" not in inspect.signature(cls).parameters:
        raise ArgumentError(name, "take `case`, as it has several", "a class that does not")
    nodes = getattr(cls, "default_nodes", None)
    try:
        check_number("default_nodes", nodes, _LEAST_NODES, integer=True)
    except ArgumentError as error:
        raise ArgumentError(error.name, error.wanted, error.got, of=name) from None
    if cls.exact is System.exact and cls.data is System.data:
        wanted = "define `exact`, or `data` for initial and boundary values"
        raise ArgumentError(name, wanted, "a class without")


def build(cls: type[System], parameters: Mapping[str, Any]) -> System:
    """Build a system of a class from outside.

    Args:
        cls: the class; it need not take `boundary` if it has one.
        parameters: as a user gave them, None for a boundary or a case that was left out.

    Returns:
        The system.

    Raises:
        ArgumentError: if it has no such parameter or lacks one, or its constructor has left out
            what every system has.
    """
    signature = inspect.signature(cls)
    chosen = ("boundary", "case")  # the program always says them, None for the default
    given = {
        key: value
        for key, value in parameters.items()
        if key in signature.parameters or key not in chosen or value is not None
    }
    check_parameters(cls.name, signature.parameters, given)
    try:
        signature.bind(**given)
    except TypeError as error:
        raise ArgumentError(f"parameters of {cls.name}", "be complete", str(error)) from None
    system = cls(**given)
    _check_built(system, cls.__name__)
    return system


def _check_built(system: System, name: str) -> None:
    """Refuse a system without a box or a boundary."""
    ends = [getattr(system, key, None) for key in ("lower", "upper")]
    for key, end in zip(("lower", "upper"), ends, strict=True):
        if not isinstance(end, tuple) or not 1 <= len(end) <= _MOST_DIMENSIONS:
            wanted = f"be a tuple of 1 to {_MOST_DIMENSIONS} numbers once the system is built"
            raise ArgumentError(key, wanted, brief(end), of=name)
    lower, upper = map(tuple, ends)  # type: ignore[arg-type]  # tuples, as just seen
    if len(lower) != len(upper) or not all(a < b for a, b in zip(lower, upper, strict=True)):
        raise ArgumentError("upper", f"lie above lower = {lower}", upper, of=name)
    legal = system.cases.get(str(system.case), ()) if system.cases else system.boundaries
    boundary = getattr(system, "boundary", None)
    if boundary not in legal:
        wanted = f"be one of {', '.join(legal)} once the system is built"
        raise ArgumentError("boundary", wanted, repr(boundary), of=name)


def _are_names(kinds: Any) -> bool:
    return (
        isinstance(kinds, (tuple, list))
        and bool(kinds)
        and all(isinstance(kind, str) for kind in kinds)
    )
