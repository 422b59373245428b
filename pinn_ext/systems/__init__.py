"""Coupled systems of two fields u and v, by name: equation, domain, conditions, exact solution.

In comes a name with parameters, `create("brusselator", side=2.0)`; out comes a `System`. It has the
right-hand side of the equation, `rhs(u, v, d)` or `rhs(u, v, d, x, t)`, which asks an object d for
derivatives and so serves networks and graphs alike; the box and the time interval; initial and
boundary data; and the exact solution, to measure errors against. All quantities are dimensionless.

`system` says what a system is, open it first; then `brusselator` or `gray_scott`, one file a
system. `manufactured` is what those share whose solution is made by a source. `boundary` has what
holds on the sides of a box, `domains` the shapes in space that a system can be put on: the box, or
a disk, an L or an annulus in it; `placement` puts a system on any other (`on_domain`), or lets it
start elsewhere (`starting_from`). `problem_files` makes a system of a user's Python file
(`from_file`), `templates` has such files to begin with. This file has the registry; a new system is
one more file, one more name here and one in `pinn_ext.choices` (CONTRIBUTING.md), and `register` is
for systems from outside, which `class_check` looks at.
"""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from pinn_ext.checks import ArgumentError
from pinn_ext.registry import SYSTEMS, Registry, check_parameters
from pinn_ext.registry import check_case as refuse_case
from pinn_ext.systems.belousov_zhabotinsky import BelousovZhabotinsky
from pinn_ext.systems.boundary import dirichlet, neumann
from pinn_ext.systems.brusselator import Brusselator
from pinn_ext.systems.burgers_2d import Burgers2d
from pinn_ext.systems.class_check import build, check_system
from pinn_ext.systems.coupled_burgers import CoupledBurgers
from pinn_ext.systems.fitzhugh_nagumo import FitzHughNagumo
from pinn_ext.systems.ginzburg_landau import GinzburgLandau
from pinn_ext.systems.gray_scott import GrayScott
from pinn_ext.systems.lambda_omega import LambdaOmega
from pinn_ext.systems.linear_reaction_diffusion import LinearReactionDiffusion
from pinn_ext.systems.placement import on_domain, starting_from
from pinn_ext.systems.predator_prey import PredatorPrey
from pinn_ext.systems.problem_files import from_file
from pinn_ext.systems.schnakenberg import Schnakenberg
from pinn_ext.systems.schroedinger import Schroedinger
from pinn_ext.systems.system import FIELDS, Derivatives, System, check_case

__all__ = [
    "FIELDS",
    "Derivatives",
    "System",
    "boundaries",
    "cases",
    "create",
    "default_parameters",
    "dirichlet",
    "from_file",
    "names",
    "neumann",
    "on_domain",
    "register",
    "starting_from",
]

_REGISTRY: dict[str, type[System]] = {
    cls.name: cls
    for cls in (
        BelousovZhabotinsky,
        Brusselator,
        Burgers2d,
        CoupledBurgers,
        FitzHughNagumo,
        GinzburgLandau,
        GrayScott,
        LambdaOmega,
        LinearReactionDiffusion,
        PredatorPrey,
        Schnakenberg,
        Schroedinger,
    )
}
_SYSTEMS = Registry(_REGISTRY, SYSTEMS, check_system)
Kind = TypeVar("Kind", bound=System)


def names() -> list[str]:
    """Return the names of all systems, sorted.

    Returns:
        The names that `create` and `problem.name` accept.

    >>> len(names()), names()[:3]
    (12, ['belousov_zhabotinsky', 'brusselator', 'burgers_2d'])
    """
    return _SYSTEMS.names()


def cases(name: str) -> list[str]:
    """Return the problems that are posed with a system, the default first; none for a single one.

    Args:
        name: one of `names()`.

    Returns:
        What `create` and `problem.case` accept.

    Raises:
        ArgumentError: if there is no such system.

    >>> cases("burgers_2d")
    ['fletcher', 'cole_hopf', 'periodic']
    """
    return list(_class_of(name).cases)


def boundaries(name: str, case: str | None = None) -> list[str]:
    """Return the kinds of boundary that a system can have in a case, the default first.

    Args:
        name: one of `names()`.
        case: one of `cases(name)`, None for the first, or where there are none.

    Returns:
        What `create` accepts as `boundary`.

    Raises:
        ArgumentError: if there is no such system or case.

    Example:
        >>> boundaries("coupled_burgers"), boundaries("burgers_2d", "periodic")
        (['periodic', 'dirichlet'], ['periodic'])
    """
    cls = _class_of(name)
    return list(cls.cases[check_case(cls, case)] if cls.cases else cls.boundaries)


def default_parameters(name: str) -> dict[str, float]:
    """Return the parameters of a system that are numbers unless a user says otherwise.

    Args:
        name: one of `names()`.

    Returns:
        The defaults by name: what `problem.parameters` begins with.

    Raises:
        ArgumentError: if there is no such system.

    >>> default_parameters("linear_reaction_diffusion")
    {'a': 0.11, 'b': 0.1, 'diffusion': 0.5}
    """
    found = inspect.signature(_class_of(name)).parameters
    values = {key: parameter.default for key, parameter in found.items()}
    return {key: value for key, value in values.items() if type(value) in (int, float)}


def register(cls: type[Kind]) -> type[Kind]:
    """Make a system known under its name, here and in the program; this is a decorator too.

    An installed package need not call it if it has an entry point of the group `pinn_ext.systems`
    (docs/plugins.md).

    Args:
        cls: a class derived from `System` with `name`, `boundaries` or `cases`, `default_nodes`,
            `rhs`, and `exact` or `data`.

    Returns:
        The class.

    Raises:
        ArgumentError: if it lacks one of these, or another system has its name.

    Example:
        >>> class Mine(Brusselator):
        ...     name = "gray_scott"
        >>> register(Mine)
        Traceback (most recent call last):
            ...
        pinn_ext.checks.ArgumentError: `name` of pinn_ext.systems.Mine must be a name that no
        other system has, got 'gray_scott', as has pinn_ext.systems.gray_scott.GrayScott.
    """
    _SYSTEMS.register(cls)
    return cls


def _class_of(name: str) -> type[System]:
    return _SYSTEMS.find("name", name)


def create(
    name: str, *, case: str | None = None, geometry: str | None = None, **parameters: Any
) -> System:
    """Build the system called `name`.

    Args:
        name: one of `names()`.
        case: one of `cases(name)`; None is the first, or that there are none.
        geometry: one of `pinn_ext.systems.domains.names()`; None is the system's own box.
        **parameters: the system's own parameters.

    Returns:
        The system.

    Raises:
        ArgumentError: if there is no such system, or it has no such case, parameter or domain.

    Example:
        >>> system = create("linear_reaction_diffusion", diffusion=0.1)
        >>> system.diffusion, system.final_time, system.boundary
        (0.1, 1.0, 'periodic')
        >>> create("brusselator", geometry="annulus").on_box
        False
        >>> create("brusselator", diffusion=0.1)
        Traceback (most recent call last):
            ...
        pinn_ext.checks.ArgumentError: `parameter of brusselator` must be one of boundary, side,
        got 'diffusion'.
    """
    cls = _class_of(name)
    if case is not None:
        refuse_case(name, tuple(cls.cases), case)
        parameters = {"case": case, **parameters}
    if name in _REGISTRY:
        check_parameters(name, inspect.signature(cls).parameters, parameters)
        system = cls(**parameters)
    else:
        system = build(cls, parameters)
    if geometry is None:
        return system
    try:
        return system.on(geometry)
    except ArgumentError as error:
        raise error.renamed("geometry") from None
