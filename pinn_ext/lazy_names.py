"""Names of a package that are loaded when they are first used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def loader(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package whose names stand in modules not loaded yet.

    Args:
        package: its name.
        homes: the module of each name; none of these modules may have the name itself, as Python
            puts a module that is loaded under its own name into the package.

    Returns:
        A function that loads a name, and raises AttributeError for one that is not there.

    >>> loader("made_up", {"log": "math"})("log")(1.0)
    0.0
    """

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(homes[name]), name)

    return load
