"""How each reference is made: case, resolutions, what is stored, and the independent run."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from pinn_ext.checks import check_choice
from pinn_ext.references.cases import (
    burgers_2d,
    fitzhugh_nagumo,
    ginzburg_landau,
    gray_scott,
    lambda_omega,
    predator_prey,
    scalar,
    schnakenberg,
    schroedinger,
)
from pinn_ext.references.cases.problem import Problem


@dataclass(frozen=True)
class Independent:
    """A run by the method of lines to compare with.

    Attributes:
        nodes: along each axis.
        until: its final time, as the cost of a long one says nothing new.
        reach: neighbours to either side; the order in space is twice that.
        tolerance: of the integrator, relative and absolute.
    """

    nodes: int
    until: float
    reach: int = 5
    tolerance: float = 1e-9


@dataclass(frozen=True)
class Recipe:
    """How a reference is made.

    Attributes:
        problem: the case.
        nodes: along each axis, of the finest run; of quadrature, panels of its rule.
        coarse: nodes of the run that shows the convergence in space.
        step: of the finest run, in time; twice that shows the convergence in time.
        stored: nodes along each axis of the stored fields.
        intervals: of equal length between stored times, from 0 to the final one.
        independent: the run by the method of lines.
        dtype: of the stored fields.
        quantum: to multiples of which they are rounded, for smaller files; 0 is not at all.
    """

    problem: Problem
    nodes: int
    coarse: int
    step: float
    stored: int
    intervals: int | tuple[float, ...]
    independent: Independent
    dtype: str = "float64"
    quantum: float = 0.0

    @property
    def method(self) -> str:
        """`"quadrature"` of a closed form where the problem has one, else `"etdrk4"`."""
        return "quadrature" if hasattr(self.problem, "exact") else "etdrk4"

    @property
    def times(self) -> tuple[float, ...]:
        """The stored times, the first 0 and the last the problem's final time."""
        end = self.problem.final_time
        if isinstance(self.intervals, tuple):
            return (0.0, *self.intervals)
        parts = (Fraction(i, self.intervals) for i in range(self.intervals + 1))
        return tuple(end * float(part) for part in parts)


_RECIPES = {
    "allen_cahn/jaxpi": Recipe(
        scalar.ALLEN_CAHN, 2048, 1024, 1e-3, 768, 10, Independent(2048, 1.0)
    ),
    "burgers/raissi": Recipe(scalar.BURGERS, 1600, 800, 0.0, 256, 10, Independent(2048, 1.0)),
    "burgers_2d/periodic": Recipe(
        burgers_2d.PERIODIC, 192, 128, 2e-3, 64, 4, Independent(128, 0.4), "float32"
    ),
    "fitzhugh_nagumo/pulses": Recipe(
        fitzhugh_nagumo.PULSES, 512, 384, 0.01, 256, 8, Independent(768, 40.0)
    ),
    "ginzburg_landau/jaxpi": Recipe(
        *(ginzburg_landau.JAXPI, 384, 256, 2e-3, 144, 2, Independent(256, 0.25, reach=8)),
        *("float32", 2.0**-23),
    ),
    "gray_scott/jaxpi": Recipe(
        *(gray_scott.JAXPI, 192, 168, 3.125e-4, 96, (0.5, 1.0, 2.0), Independent(160, 0.5)),
        *("float32", 2.0**-24),
    ),
    "gray_scott/pinnacle": Recipe(
        *(gray_scott.PINNACLE, 768, 640, 0.25, 384, 2, Independent(640, 50.0)),
        *("float32", 2.0**-23),
    ),
    "kdv/jaxpi": Recipe(scalar.KDV, 1024, 768, 5e-5, 512, 10, Independent(1024, 0.5)),
    "lambda_omega/spirals": Recipe(
        *(lambda_omega.SPIRALS, 192, 128, 0.02, 80, 2, Independent(192, 10.0)),
        *("float32", 2.0**-24),
    ),
    "predator_prey/waves": Recipe(
        predator_prey.WAVES, 512, 384, 0.02, 256, 12, Independent(512, 60.0)
    ),
    "schnakenberg/pattern": Recipe(
        *(schnakenberg.PATTERN, 144, 96, 2.5e-4, 64, 4, Independent(96, 0.5, reach=8)),
        *("float32", 2.0**-24),
    ),
    "schroedinger/raissi": Recipe(
        schroedinger.RAISSI, 4096, 2048, 5e-5, 512, 8, Independent(2048, np.pi / 4)
    ),
}


def names() -> list[str]:
    """Return the names of all references, sorted.

    Returns:
        Names as `system/case`.

    >>> names()[0]
    'allen_cahn/jaxpi'
    """
    return sorted(_RECIPES)


def find(name: str) -> Recipe:
    """Return the recipe called `name`.

    Args:
        name: one of `names()`.

    Returns:
        The recipe.

    Raises:
        ArgumentError: if there is none of that name; the message lists the legal ones.
    """
    return _RECIPES[check_choice("name", name, _RECIPES)]
