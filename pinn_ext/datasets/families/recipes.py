"""What a family of problems with one equation is made of, unless a user says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Constants and initial states of a family of problems; all numbers are dimensionless.

    Attributes:
        constants: of the equation by name, each a number or the two ends that it is drawn between.
        mean: of u and of v at the start.
        spread: standard deviation of each at the start: of the field itself, or, where it is
            positive, of its logarithm.
        positive: whether the fields are concentrations, which have no negative values.
        horizon: the longest time that a network steps over.

    Example:
        >>> from pinn_ext.datasets.families import RECIPES
        >>> recipe = RECIPES["brusselator"]
        >>> recipe.constants, recipe.positive, recipe.horizon
        ({'feed': 1.0, 'decay': 2.5, 'diffusion': 0.05}, True, 0.25)
    """

    constants: Mapping[str, float | tuple[float, float]]
    mean: tuple[float, float]
    spread: tuple[float, float]
    positive: bool
    horizon: float


RECIPES: dict[str, Recipe] = {
    "brusselator": Recipe(
        constants={"feed": 1.0, "decay": 2.5, "diffusion": 0.05},
        mean=(1.0, 2.65),
        spread=(0.3, 0.3),
        positive=True,
        horizon=0.25,
    ),
    "gray_scott": Recipe(
        constants={"du": 0.01, "dv": 0.005, "feed": 0.1, "loss": 0.16, "rate": 1.0},
        mean=(0.9, 0.2),
        spread=(0.25, 0.35),
        positive=True,
        horizon=1.5,
    ),
}
"""By the name of the system; a system that is not here needs all of it from the user."""
