"""Coupled systems of two fields u and v, by name: equation, domain, conditions, exact solution.

In comes a name with parameters, `create("brusselator", side=2.0)`; out comes a `System`. It has the
right-hand side of the equation, `rhs(u, v, d)`, which asks an object d for derivatives and so
serves networks and graphs alike; the box and the time interval; initial and boundary data; and the
exact solution, to measure errors against. All quantities are dimensionless.

`system` says what a system is, open it first; then `brusselator`, `coupled_burgers` or
`linear_reaction_diffusion`, one file each. `domains` has the shapes in space that a system can be
put on: the box, or a disk, an L or an annulus in it. This file has the registry; a new system is
one more file and one more name here (CONTRIBUTING.md).
"""

from __future__ import annotations

import inspect
from typing import Any

from pinn_ext.checks import ArgumentError, check_choice
from pinn_ext.systems.brusselator import Brusselator
from pinn_ext.systems.coupled_burgers import CoupledBurgers
from pinn_ext.systems.linear_reaction_diffusion import LinearReactionDiffusion
from pinn_ext.systems.system import FIELDS, Derivatives, System

__all__ = ["FIELDS", "Derivatives", "System", "create", "names"]

_REGISTRY: dict[str, type[System]] = {
    cls.name: cls for cls in (Brusselator, CoupledBurgers, LinearReactionDiffusion)
}


def names() -> list[str]:
    """Return the names of all systems, sorted.

    Returns:
        The names that `create` and `problem.name` accept.

    >>> names()
    ['brusselator', 'coupled_burgers', 'linear_reaction_diffusion']
    """
    return sorted(_REGISTRY)


def create(name: str, *, geometry: str | None = None, **parameters: Any) -> System:
    """Build the system called `name`.

    Args:
        name: one of `names()`.
        geometry: one of `pinn_ext.systems.domains.names()`; None is the system's own box.
        **parameters: the system's own parameters.

    Returns:
        The system.

    Raises:
        ArgumentError: if there is no such system, or it has no such parameter or domain.
    """
    cls = _REGISTRY[check_choice("name", name, _REGISTRY)]
    legal = [key for key in inspect.signature(cls).parameters]
    for key in parameters:
        check_choice(f"parameter of {name}", key, legal)
    system = cls(**parameters)
    if geometry is None:
        return system
    try:
        return system.on(geometry)
    except ArgumentError as error:
        raise error.renamed("geometry") from None
