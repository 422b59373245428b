"""Time iterations of Gauss-Newton on one model: a separate process for the sake of the memory.

Takes `{"parameters", "rows", "iterations", "seconds", "memory_limit_gb", "device"}`.
"""

from __future__ import annotations

import functools
import inspect
import json
import statistics
import sys
from collections import Counter
from typing import Any

import torch
from _devices import clock

import pinn_ext
from _gauss_newton.cases import build, width_of
from _gauss_newton.process import Memory
from pinn_ext.dde.model.residual_rows import ModelRows
from solvers import devices
from solvers.gauss_newton import Stepper, linearizer

# What is counted as a part of an iteration.
PARTS = {
    "jacobian": [(ModelRows, "linearize"), (ModelRows, "products")],
    "residuals": [(ModelRows, "residual")],
    "matrix": [(linearizer.Primal, "__init__"), (linearizer.Dual, "__init__")],
    "solves": [(kind, "solve") for kind in (linearizer.Primal, linearizer.Dual)],
    "lsmr": [
        (linearizer.MatrixFree, "__init__"),
        (linearizer.MatrixFree, "solve"),
    ],
}


def model_rows(parameters: int, rows: int, device: str) -> ModelRows:
    """Return the Brusselator with soft conditions with about that many parameters and rows."""
    # Two residuals at each of the 1 + 1/8 + 1/4 points an interior one brings along, and two
    # values at each that is not inside.
    interior = max(round(rows / 3.5), 16)
    problem = build("brusselator_soft", 0, width_of(parameters), interior, device)
    problem.compile("adam", lr=1e-3)
    state = problem.model.train_state
    state.set_data_train(*problem.model.data.train_next_batch())
    return ModelRows(problem.model)


def stepper_of(rows: ModelRows, memory_limit_gb: float | None) -> Stepper:
    """Return a stepper with the defaults of `train_gauss_newton`."""
    signature = inspect.signature(pinn_ext.train_gauss_newton).parameters
    return Stepper(
        rows,
        rows.get(),
        solver=signature["solver"].default,
        damping=signature["damping"].default,
        geodesic=signature["geodesic"].default,
        memory_limit_gb=memory_limit_gb,
    )


def measure_parts(total: Counter[str], device: torch.device) -> None:
    """From now on, add up the seconds of each part in `total`."""

    def timed(part, function):
        @functools.wraps(function)
        def wrapper(*args, **options):
            start = clock(device)
            try:
                return function(*args, **options)
            finally:
                total[part] += clock(device) - start

        return wrapper

    for part, places in PARTS.items():
        for owner, name in places:
            setattr(owner, name, timed(part, getattr(owner, name)))


def product_seconds(rows: int, columns: int, device: torch.device) -> float | None:
    """Return the seconds of `J.T @ J` of random numbers; None without memory for it."""
    free = 0.8 * devices.available_memory(device)
    if 8 * (rows * columns + columns**2) > free:
        return None
    jacobian = torch.randn(rows, columns, dtype=torch.float64, device=device)
    out = torch.empty(columns, columns, dtype=torch.float64, device=device)
    seconds: list[float] = []
    while len(seconds) < 3 or (len(seconds) < 9 and sum(seconds) < 1.0):
        start = clock(device)
        torch.mm(jacobian.T, jacobian, out=out)
        seconds.append(clock(device) - start)
        if sum(seconds) > 60.0:
            break
    return statistics.median(seconds)


def run(
    parameters: int,
    rows: int,
    iterations: int,
    seconds: float,
    memory_limit_gb: float | None,
    device: str,
) -> dict[str, Any]:
    """Make iterations until there are enough of them or the seconds are over; one at least."""
    problem, where = model_rows(parameters, rows, device), torch.device(device)
    size = {"parameters": problem.num_parameters, "rows": problem.num_rows}
    memory = Memory(where)
    stepper = stepper_of(problem, memory_limit_gb)
    total: Counter[str] = Counter()
    measure_parts(total, where)
    times: list[float] = []
    trials = 0
    start = clock(where)
    while len(times) <= iterations and (len(times) < 2 or clock(where) - start < seconds):
        if len(times) == 1:  # the first finds out which samples each row depends on
            total.clear()
            trials = 0
        begun = clock(where)
        trials += stepper.step().trials
        times.append(clock(where) - begun)
        if times[0] > seconds:
            break
    counted = times[1:] or times
    growth, solver = memory.growth(), stepper.solver
    del stepper, problem
    product = None
    if solver != "matrix_free":
        product = product_seconds(size["rows"], size["parameters"], where)
    iteration = statistics.median(counted)
    return {
        **size,
        "solver": solver,
        "iterations": len(counted),
        "seconds_per_iteration": iteration,
        "seconds_of_product": product,
        "ratio_to_jtj": iteration / product if product else None,
        **{f"{part}_seconds": total[part] / len(counted) for part in PARTS},
        "trials": trials / len(counted),
        "peak_bytes": growth,
    }


if __name__ == "__main__":
    print(json.dumps(run(**json.loads(sys.argv[1]))))
