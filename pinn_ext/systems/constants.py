"""The equation of a system with other constants than its own, one for all nodes or one each."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from pinn_ext.checks import ArgumentError, check_choice, check_number
from pinn_ext.systems.system import System


def rhs_with(
    system: System, constants: Mapping[str, float | Tensor]
) -> Callable[..., tuple[Tensor, Tensor]]:
    """Return the right-hand side of a system with some of its constants replaced.

    Args:
        system: names them in `System.constants`; it stays as it is.
        constants: by name a number, or one a node `[N]`, dimensionless as all of the system.

    Returns:
        `rhs(u, v, d)`, or what the system has in its place.

    Raises:
        ArgumentError: if the system has no such constant, or a number is not finite.

    >>> import torch
    >>> from pinn_ext.systems import Brusselator
    >>> from solvers.operators import GraphOperators, grid_graph
    >>> d = GraphOperators.from_graph(grid_graph([3, 3], [0.0, 0.0], [1.0, 1.0]))
    >>> u = torch.ones(9, dtype=torch.float64)
    >>> du, dv = rhs_with(Brusselator(), {"feed": 2.0})(u, u, d)
    >>> du[0].item(), dv[0].item()
    (1.0, 0.0)
    """
    check_constants(system, constants)
    other: Any = copy.copy(system)
    for name, value in constants.items():
        if not isinstance(value, Tensor):
            check_number(name, value)
        setattr(other, name, value)
    return other.rhs


def check_constants(system: System, names: Mapping[str, object]) -> None:
    """Refuse names that are no constants of a system.

    Args:
        system: the coupled system.
        names: what are said to be constants of it.

    Raises:
        ArgumentError: naming the first that is none, and those that there are.
    """
    for name in names:
        if not system.constants:
            wanted = f"be empty for {system.name}, none of whose constants may be others"
            raise ArgumentError("constants", wanted, repr(name))
        check_choice(f"constants of {system.name}", name, system.constants)
