"""Builds references: the finest run, two coarser ones, and an independent one."""

from __future__ import annotations

import itertools
import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy

from pinn_ext.references import lines, recipes
from pinn_ext.references.etdrk4 import Integrator
from pinn_ext.references.recipes import Recipe
from pinn_ext.references.store import Reference, rounded
from pinn_ext.version import __version__

_PROBES = 400
_BETWEEN = 0.3719
"""Where between two stored times `evaluate` is measured, as a part of the interval."""


def relative(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the relative L2 difference of each field.

    Args:
        found: [T, fields, …].
        wanted: of the same shape, not all 0.

    Returns:
        [fields], the largest of all times.
    """
    shape = (*found.shape[:2], -1)
    difference = np.linalg.norm((found - wanted).reshape(shape), axis=2)
    return (difference / np.linalg.norm(wanted.reshape(shape), axis=2)).max(axis=0)


def solution(recipe: Recipe, nodes: int, step: float, times: Sequence[float]) -> np.ndarray:
    """Return the fields at the stored nodes by the recipe's method at some resolution.

    Args:
        recipe: of a reference.
        nodes: along each axis, or panels of the quadrature.
        step: in time; not used by the quadrature.
        times: rising, at which the fields are wanted; none is 0.

    Returns:
        [T, fields, stored, …].
    """
    if recipe.method == "quadrature":
        return _by_quadrature(recipe, nodes, times)
    integrator = Integrator(recipe.problem, nodes, step)
    return np.stack([at_stored(integrator, s, recipe.stored) for s in integrator.states(times)])


def _by_quadrature(recipe: Recipe, panels: int, times: Sequence[float]) -> np.ndarray:
    problem: Any = recipe.problem
    x = _points(recipe)
    rows = [problem.exact(x, np.full(len(x), t), panels) for t in times]
    return np.stack(rows).reshape(len(times), -1, *[recipe.stored] * problem.dimension)


def at_stored(integrator: Integrator, spectrum: np.ndarray, stored: int) -> np.ndarray:
    """Return fields at fewer or more nodes, exact there: by a finer grid that has them as nodes."""
    times = -(-integrator.grid.nodes // stored)
    fields = integrator.fields(spectrum, times * stored)
    places = (slice(None), *[slice(None, None, times)] * integrator.grid.dimension)
    return fields[places]


def _points(recipe: Recipe) -> np.ndarray:
    return Integrator(recipe.problem, recipe.stored, 1.0).grid.points


def build(name: str, *, independent: bool = True) -> Reference:
    """Build a reference and measure how far it can be trusted.

    Args:
        name: one of `names()`.
        independent: whether to solve the problem by the method of lines too.

    Returns:
        The reference; `about` has the differences of all runs.

    Raises:
        ArgumentError: if there is none of that name; the message lists the legal ones.
    """
    recipe = recipes.find(name)
    problem, times = recipe.problem, recipe.times
    begin = time.perf_counter()
    fine, between, carried = _finest(recipe)
    steps = 2.0 * recipe.step
    slow = solution(recipe, recipe.nodes, steps, times[1:])
    coarse = solution(recipe, recipe.coarse, steps, times[1:])
    in_time = relative(slow, fine)
    in_space = relative(coarse, slow)
    start = problem.start(_points(recipe)).reshape(1, *fine.shape[1:])
    stored = rounded(np.concatenate([start, fine]), recipe.quantum, recipe.dtype)
    rounding = relative(stored[1:].astype(float), fine)
    per_field = lambda row: _per_field(problem.fields, row)  # noqa: E731 (a name for a column)
    about = {
        "name": name,
        "source": problem.source_of_case,
        "equation": " ".join((type(problem).__doc__ or "").split("\n\n")[0].split()),
        **problem.describe(),
        "fields": list(problem.fields),
        "kinked": problem.kinked,
        **_method(recipe),
        "differences": {"space": per_field(in_space), "time": per_field(in_time)},
        "rounding": per_field(rounding),
        "accuracy": per_field(in_space + in_time + rounding),
        "versions": {
            "pinn_ext": __version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "machine": f"{platform.machine()}, one thread",
    }
    axes = Integrator(problem, recipe.stored, 1.0).grid.axes
    v = stored[:, 1] if len(problem.fields) == 2 else None
    reference = Reference(name, axes, np.array(times), stored[:, 0], v, about)
    found = reference.evaluate(*carried)
    about["accuracy_between"] = per_field(relative(found.T[None], between[None]))
    about["seconds"] = round(time.perf_counter() - begin, 1)
    if independent:
        about["independent"] = _independent(recipe, per_field)
    return reference


def _per_field(fields: tuple[str, ...], row: np.ndarray) -> dict[str, float]:
    return {field: float(f"{number:.2g}") for field, number in zip(fields, row, strict=True)}


def _method(recipe: Recipe) -> dict[str, Any]:
    if recipe.method == "quadrature":
        text = f"{recipe.nodes} panels (compared with {recipe.coarse})"
        method = "Cole-Hopf and the trapezoidal rule"
    else:
        d = recipe.problem.dimension
        power = "" if d == 1 else f"^{d}"
        text = (
            f"{recipe.nodes}{power} nodes, step {recipe.step:g} "
            f"(compared with {recipe.coarse}{power} and {2 * recipe.step:g})"
        )
        method = "ETDRK4 on Fourier modes, 2/3 of them kept"
    return {
        "method": method,
        "resolution": text,
        "nodes": recipe.nodes,
        "coarse_nodes": recipe.coarse,
        "stored_nodes": recipe.stored,
        "step": recipe.step,
    }


def _finest(recipe: Recipe) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return the finest run at the stored times, and at random points between those.

    Returns:
        Fields [T - 1, fields, stored, …] without time 0; fields [fields, P] at probes; the probes'
        points [P, d] and times [P].
    """
    problem, times = recipe.problem, recipe.times
    draw = np.random.default_rng(0)
    probes = [a + _BETWEEN * (b - a) for a, b in itertools.pairwise(times)]
    lower, upper = np.array(problem.lower), np.array(problem.upper)
    x = lower + (upper - lower) * draw.random((_PROBES * len(probes), len(lower)))
    t = np.repeat(probes, _PROBES)
    if recipe.method == "quadrature":
        exact: Any = problem
        stored = solution(recipe, recipe.nodes, recipe.step, times[1:])
        return stored, exact.exact(x, t, recipe.nodes), (x, t)
    integrator = Integrator(problem, recipe.nodes, recipe.step)
    moments = sorted({*times[1:], *probes})
    fine, between = [], []
    for moment, spectrum in zip(moments, integrator.states(moments), strict=True):
        if moment in probes:
            values = integrator.grid.at(spectrum, x[t == moment])
            between.append(problem.fields_of(values))
        else:
            fine.append(at_stored(integrator, spectrum, recipe.stored))
    return np.stack(fine), np.concatenate(between, axis=1), (x, t)


def _independent(recipe: Recipe, per_field: Any) -> dict[str, Any]:
    """Return how far the method of lines is from the reference's own method, and its settings."""
    run, begin = recipe.independent, time.perf_counter()
    times = [0.5 * run.until, run.until]
    found = lines.solve(recipe.problem, run.nodes, times, reach=run.reach, tolerance=run.tolerance)
    here = replace(recipe, stored=run.nodes)
    wanted = solution(here, recipe.nodes, recipe.step, times)
    power = "" if recipe.problem.dimension == 1 else f"^{recipe.problem.dimension}"
    return {
        "method": f"differences of order {2 * run.reach} on {run.nodes}{power} nodes, DOP853",
        "until": run.until,
        "tolerance": run.tolerance,
        "difference": per_field(relative(found, wanted)),
        "seconds": round(time.perf_counter() - begin, 1),
    }
