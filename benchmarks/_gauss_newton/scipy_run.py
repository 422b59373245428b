"""Minimise one problem by one method: `{"case", "parameters", "method", "seed", "seconds"}`.

Prints seconds and cost at every evaluation that lowered the cost, and what the method took. A
separate process for `gauss_newton_scipy.py`, for the sake of the memory.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import deepxde as dde
import torch
from scipy.optimize import least_squares

import pinn_ext
from _gauss_newton.cases import Problem, build, width_of
from _gauss_newton.process import Memory
from pinn_ext.dde.model.residual_rows import ModelRows

FOREVER = 10**9
# scipy's own defaults but for the tolerances, as the clock ends it, and for `x_scale="jac"`: lm has
# it by default, and trf gets further with it. (12 s of one core, 506 parameters, soft conditions:
# 1.9e-6 and 7.1e-7 with lsmr, against 3.0e-5 and 7.1e-6; hard conditions: 1.9e-9 either way.)
SCIPY: dict[str, dict[str, Any]] = {
    "scipy_trf": {"method": "trf", "x_scale": "jac"},
    "scipy_trf_lsmr": {"method": "trf", "x_scale": "jac", "tr_solver": "lsmr"},
    "scipy_lm": {"method": "lm", "x_scale": "jac"},
    "scipy_trf_2point": {"method": "trf", "x_scale": "jac", "jac": "2-point"},
}


class TimeIsUp(Exception):
    """Ends a minimisation from inside."""


class Course:
    """Seconds and costs of a minimisation; ends it when the seconds are over."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.points = seconds, []
        self.start = time.perf_counter()
        self.residuals = self.jacobians = 0

    def note(self, cost: float) -> None:
        """Note a cost if it is the lowest so far."""
        now = time.perf_counter() - self.start
        if math.isfinite(cost) and (not self.points or cost < self.points[-1][1]):
            self.points.append((now, cost))

    def check(self) -> None:
        """Raise if the seconds are over."""
        if time.perf_counter() - self.start > self.seconds:
            raise TimeIsUp


class Watch(dde.callbacks.Callback):
    """The course of our own training."""

    def __init__(self, course: Course) -> None:
        super().__init__()
        self.course = course

    def on_batch_end(self) -> None:
        self.course.jacobians += 1
        self.course.note(0.5 * float(sum(self.model.train_state.loss_train)))
        if time.perf_counter() - self.course.start > self.course.seconds:
            self.model.stop_training = True


def ours(problem: Problem, course: Course) -> None:
    """Minimise by `train_gauss_newton` with its defaults."""
    pinn_ext.train_gauss_newton(
        problem.model,
        FOREVER,
        tolerance=0.0,
        display_every=FOREVER,
        callbacks=[Watch(course)],
        verbose=0,
    )


def scipys(problem: Problem, course: Course, options: dict[str, Any]) -> None:
    """Minimise by scipy, with our residual and, unless it takes differences, our Jacobian."""
    rows = ModelRows(problem.model)

    def residual(x):
        course.check()
        found = rows.residual(torch.as_tensor(x)).numpy()
        course.residuals += 1
        course.note(0.5 * float(found @ found))
        return found

    def jacobian(x):
        course.check()
        course.jacobians += 1
        return rows.linearize(torch.as_tensor(x))[1].numpy()

    tolerances = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15, "max_nfev": FOREVER}
    with contextlib.suppress(TimeIsUp):
        least_squares(residual, rows.get().numpy(), **{"jac": jacobian, **tolerances, **options})


def run(case: str, parameters: int, method: str, seed: int, seconds: float) -> dict[str, Any]:
    """Run one method for some seconds."""
    problem = build(case, seed, width=width_of(parameters))
    problem.compile("adam", lr=1e-3)
    state = problem.model.train_state
    state.set_data_train(*problem.model.data.train_next_batch())
    rows = ModelRows(problem.model)
    x = rows.get()
    size = (rows.num_rows, len(x))
    rows.linearize(x)  # the first use loads libraries
    first = 0.5 * rows.residual(x).square().sum().item()
    del rows
    memory = Memory(problem.device)
    course = Course(seconds)
    course.note(first)
    minimise: Callable[..., None] = ours if method == "ours" else scipys
    minimise(problem, course, *([] if method == "ours" else [SCIPY[method]]))
    taken = time.perf_counter() - course.start
    return {
        "rows": size[0],
        "parameters": size[1],
        "course": course.points,
        "seconds": taken,
        "nfev": course.residuals or None,
        "njev": course.jacobians or course.residuals / (size[1] + 1),
        "peak_bytes": memory.growth(),
    }


if __name__ == "__main__":
    print(json.dumps(run(**json.loads(sys.argv[1]))))
