"""Iterations of Gauss-Newton by one solver for some seconds: a separate process, for the memory.

Takes `{"parameters", "rows", "solver", "seconds", "seed", "memory_limit_gb", "device"}`.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

import torch
from _devices import clock as wall_clock

from _gauss_newton.cases import build, width_of
from _gauss_newton.process import Memory
from pinn_ext.dde.model.block_rows import BlockRows
from solvers.gauss_newton import Stepper


def clock(where: torch.device) -> float:
    """Return seconds: on the CPU those of its cores, which other work on the machine spares."""
    if where.type != "cpu":
        return wall_clock(where)
    return time.process_time() / torch.get_num_threads()


def run(
    parameters: int,
    rows: int,
    solver: str,
    seconds: float,
    seed: int,
    memory_limit_gb: float | None,
    device: str,
) -> dict[str, Any]:
    """Make iterations until the seconds are over, two at least; measure error, loss, memory."""
    where = torch.device(device)
    # Two residuals at each of the 1 + 1/8 + 1/4 points an interior one brings along, and two
    # values at each that is not inside.
    interior = max(round(rows / 3.5), 16)
    problem = build("brusselator_soft", seed, width_of(parameters), interior, device)
    problem.compile("adam", lr=1e-3)
    state = problem.model.train_state
    state.set_data_train(*problem.model.data.train_next_batch())
    own = BlockRows(problem.model)
    memory = Memory(where)
    start = clock(where)
    stepper = Stepper(own, own.get(), solver=solver, memory_limit_gb=memory_limit_gb)
    times: list[float] = []
    trials = 0
    while len(times) < 2 or clock(where) - start < seconds:
        begun = clock(where)
        step = stepper.step()
        trials += step.trials
        times.append(clock(where) - begun)
        if not step.accepted:
            break
    taken, growth = clock(where) - start, memory.growth()
    own.put(stepper.x)
    return {
        "parameters": own.num_parameters,
        "rows": own.num_rows,
        "seconds": taken,
        "iterations": len(times),
        # The first finds out which samples each row depends on.
        "seconds_per_iteration": statistics.median(times[1:] or times),
        "trials": trials / len(times),
        "error": max(problem.errors()),
        "loss": 2.0 * stepper.cost,
        "peak_bytes": growth,
    }


if __name__ == "__main__":
    print(json.dumps(run(**json.loads(sys.argv[1]))))
