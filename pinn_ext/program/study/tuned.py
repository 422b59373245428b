"""Fixed weights that get their chance: a grid of them at the total budget of one run.

A part of the epochs of a run is divided among the points of the grid, each trained from the start
on its share. The one with the smallest held-out score is trained from the start on the epochs that
are left, so that grid and training together have as many epochs as any other run. The true error
decides nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pinn_ext.checks import ArgumentError, brief, check_choice, check_list, check_number
from pinn_ext.schema import Config
from pinn_ext.schema.keys import WEIGHT_KEYS

FACTORS = {
    "conditions": ("w1_IC", "w2_IC", "w1_BC", "w2_BC"),
    "rk4": ("w1_rk4", "w2_rk4"),
    "second_field": tuple(key for key in WEIGHT_KEYS.values() if key.startswith("w2")),
}
"""Axes of the grid, and the keys under `training.loss` that each multiplies."""
MOST = 100
"""A larger grid leaves each of its points no epochs to tell anything by."""


@dataclass(frozen=True)
class Tuned:
    """A grid of fixed weights.

    Attributes:
        name: of the strategy in tables.
        part: of the epochs of a run that the grid takes, in (0, 1).
        grid: factors by axis.
    """

    name: str = "tuned_fixed"
    part: float = 0.5
    grid: dict[str, tuple[float, ...]] = field(
        default_factory=lambda: {"conditions": (1.0, 10.0, 100.0), "second_field": (0.1, 1.0, 10.0)}
    )


def read_tuned(value: Any) -> Tuned | None:
    """Check `tuned` of a study file.

    Args:
        value: a mapping of `name`, `part` and `grid`, all of which have defaults; None or false
            for no grid, true for the defaults.

    Returns:
        The grid, None without one.

    Raises:
        ArgumentError: naming the key.
    """
    if value is None or value is False:
        return None
    if value is True:
        return Tuned()
    if not isinstance(value, Mapping):
        raise ArgumentError("tuned", "be a mapping of name, part and grid", brief(value))
    for key in value:
        check_choice("tuned", key, ("name", "part", "grid"))
    own = Tuned()
    name = value.get("name", own.name)
    if not isinstance(name, str):
        raise ArgumentError("tuned.name", "be a name", brief(name))
    part = check_number(
        "tuned.part", value.get("part", own.part), 0, 1, open_low=True, open_high=True
    )
    grid = value.get("grid", own.grid)
    if not isinstance(grid, Mapping) or not grid:
        raise ArgumentError("tuned.grid", f"be a mapping of {', '.join(FACTORS)}", brief(grid))
    factors = {}
    for axis, numbers in grid.items():
        check_choice("tuned.grid", axis, FACTORS)
        key = f"tuned.grid.{axis}"
        given = check_list(key, numbers, "be a list of factors")
        for number in given:
            check_number(key, number, 0, open_low=True)
        if not given or len(set(given)) < len(given):
            raise ArgumentError(key, "hold different factors", given)
        factors[axis] = tuple(map(float, given))
    return Tuned(name, float(part), factors)


def weight_overrides(tuned: Tuned, cfg: Config) -> list[tuple[str, ...]]:
    """Return the points of a grid as overrides, each another training.

    Args:
        tuned: the grid.
        cfg: configuration of a run with fixed weights, whose weights the factors multiply.

    Returns:
        Overrides of `training.loss`, those of the weights that a factor changes; axes that
        multiply no term of this run are left out.

    Raises:
        ArgumentError: if nothing is left of the grid, or it is too large.
    """
    loss = cfg.training.loss
    there = {
        "conditions": cfg.problem.conditions == "soft",
        "rk4": bool(loss.use_rk4),
        "second_field": True,
    }
    axes = [axis for axis in tuned.grid if there[axis]]
    points = list(itertools.product(*(tuned.grid[axis] for axis in axes)))
    if len(points) < 2:
        raise ArgumentError("tuned.grid", "hold at least two points for each run", len(points))
    if len(points) > MOST:
        raise ArgumentError("tuned.grid", f"hold at most {MOST} points", len(points))
    found = []
    for factors in points:
        weights: dict[str, float] = {}
        for axis, factor in zip(axes, factors, strict=True):
            for key in FACTORS[axis]:
                weights[key] = weights.get(key, getattr(loss, key)) * factor
        found.append(tuple(f"training.loss.{key}={value:g}" for key, value in weights.items()))
    return found


def epochs_of(tuned: Tuned, epochs: int, points: int) -> tuple[int, int]:
    """Divide the epochs of a run.

    Args:
        tuned: says which part the grid takes.
        epochs: of a run.
        points: of the grid.

    Returns:
        Epochs of each point, and of the training with the best weights.

    Raises:
        ArgumentError: if a point would have none.

    >>> epochs_of(Tuned(part=0.5), 200, 9)
    (11, 101)
    """
    share = int(tuned.part * epochs / points)
    if share < 1:
        wanted = f"be at least {math.ceil(points / tuned.part)}, as tuned.grid has {points} points"
        raise ArgumentError("training.epochs", wanted, epochs)
    return share, epochs - share * points


def without_further_phases(cfg: Config) -> tuple[str, ...]:
    """Return overrides by which a point of the grid trains by its epochs alone."""
    training = cfg.training
    found = ["training.lbfgs_iterations=0"] if training.lbfgs_iterations else []
    return (*found, *(["training.loss.use_gn_solver=false"] if training.loss.use_gn_solver else []))


def chosen(scores: Sequence[float | None]) -> int | None:
    """Return which point of a grid has the smallest held-out score.

    Args:
        scores: of the points, None or not finite where the training failed.

    Returns:
        Its number, the first of equals; None if all have failed.

    >>> chosen([0.3, None, 0.1, float("nan")])
    2
    """
    finite = [(s, i) for i, s in enumerate(scores) if s is not None and math.isfinite(s)]
    return min(finite)[1] if finite else None
