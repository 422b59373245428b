"""What the callback costs: its own time over that of the rest of the run, and its state.

Each strategy trains a coupled system (Brusselator in two dimensions) with DeepXDE on a 4 x 64
network and 2000 points, with 3 and with 8 loss terms. `fraction_of_training` counts everything
the callback does in a step: reading the losses, the snapshot, the test for finite numbers, the
gradients that a strategy asks for once a period of 100 steps, the update of the weights. The parts
are measured in a second run, as measuring costs too.

`every_step` is the same fraction where gradients are asked for in each step (period 1).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("DDE_BACKEND", "pytorch")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import _common
import deepxde as dde
import torch

import pinn_ext
from pinn_ext.dde import callback, meter, recorder, snapshot
from pinn_ext.strategies import Strategy

POINTS = 2000
PERIOD = 100
WARM_UP = 20
PARTS = {
    "recorder": (recorder.LossRecorder, "_read"),
    "snapshot": (snapshot.Snapshot, "take"),
    "finite": (snapshot.Snapshot, "looks_finite"),
    "gradients": (meter.Meter, "take"),
    "update": (callback.AdaptiveWeights, "_end_period"),
}


def model_of(terms: int) -> dde.Model:
    """Return a compiled model with 2 residuals, 1 or 2 initial and 0 or 4 boundary terms."""
    dde.config.set_random_seed(0)
    square = dde.geometry.Rectangle([0, 0], [2, 2])
    domain = dde.geometry.GeometryXTime(square, dde.geometry.TimeDomain(0, 1))

    def brusselator(x, y):
        u, v = y[:, :1], y[:, 1:]

        def laplacian(k):
            return sum(dde.grad.hessian(y, x, component=k, i=i, j=i) for i in (0, 1))

        def rate(k):
            return dde.grad.jacobian(y, x, i=k, j=2)

        return [
            rate(0) - (u * u * v - 2 * u + 0.25 * laplacian(0)),
            rate(1) - (u - u * u * v + 0.25 * laplacian(1)),
        ]

    def field(sign):
        return lambda x: torch.exp(sign * (x[:, :1] + x[:, 1:2] + x[:, 2:] / 2)).numpy()

    def exact(sign):
        return lambda x: field(sign)(torch.as_tensor(x))

    def side(axis):
        return lambda x, on: on and min(x[axis], 2 - x[axis]) < 1e-6

    initial = [
        dde.icbc.IC(domain, exact(sign), lambda _, on: on, component=k)
        for k, sign in enumerate((-1, 1))
    ]
    walls = [
        dde.icbc.DirichletBC(domain, exact(sign), side(axis), component=k)
        for k, sign in enumerate((-1, 1))
        for axis in (0, 1)
    ]
    conditions = initial[:1] if terms == 3 else [*initial, *walls]
    data = dde.data.TimePDE(
        domain,
        brusselator,
        conditions,
        num_domain=POINTS,
        num_initial=200,
        num_boundary=0 if terms == 3 else 200,
    )
    net = dde.nn.FNN([3, 64, 64, 64, 64, 2], "tanh", "Glorot normal")
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-3, verbose=0)
    return model


def train(
    strategy: str, terms: int, iterations: int, period: int = PERIOD
) -> tuple[Any, float, float]:
    """Return the callback after a training, the training's seconds and the callback's."""
    model = model_of(terms)
    adaptive = pinn_ext.AdaptiveWeights(strategy, period=period, verbose=0)
    quiet = {"callbacks": [adaptive], "verbose": 0, "display_every": 10**9}
    model.train(iterations=WARM_UP, **quiet)
    before, start = adaptive.seconds, time.perf_counter()
    model.train(iterations=iterations, **quiet)
    return adaptive, time.perf_counter() - start, adaptive.seconds - before


def every_step(strategy: str, terms: int) -> float | None:
    """Return the fraction of a training that asks for gradients in each of its steps."""
    if needs(strategy) <= {"losses", "field_scales"}:
        return None
    _, seconds, own = train(strategy, terms, WARM_UP, period=1)
    return own / (seconds - own)


@contextlib.contextmanager
def stopwatch(total: Counter):
    """Measure each part of the callback into `total`, in seconds."""
    originals = {part: getattr(owner, name) for part, (owner, name) in PARTS.items()}

    def timed(part, function):
        def wrapper(*args):
            start = time.perf_counter()
            try:
                return function(*args)
            finally:
                total[part] += time.perf_counter() - start

        return wrapper

    try:
        for part, (owner, name) in PARTS.items():
            setattr(owner, name, timed(part, originals[part]))
        yield
    finally:
        for part, (owner, name) in PARTS.items():
            setattr(owner, name, originals[part])


def row_of(strategy: str, terms: int, iterations: int) -> dict[str, Any]:
    """Measure one strategy on one problem."""
    adaptive, seconds, own = train(strategy, terms, iterations)
    parts: Counter = Counter()
    with stopwatch(parts):
        train(strategy, terms, PERIOD)
    state = len(json.dumps(adaptive.manager.state_dict()).encode())
    steps = PERIOD + WARM_UP
    return {
        "strategy": strategy,
        "statistic": "+".join(sorted(needs(strategy))) or "none",
        "terms": terms,
        "fraction_of_training": own / (seconds - own),
        "every_step": every_step(strategy, terms),
        "bytes_per_term": state / terms,
        "step_ms": 1e3 * seconds / iterations,
        "callback_us": 1e6 * own / iterations,
        **{f"{part}_us": 1e6 * parts[part] / steps for part in PARTS},
        "updates": adaptive.manager.updates,
        "iterations": iterations,
    }


def needs(strategy: str) -> frozenset[str]:
    """Return the statistics that a strategy reads."""
    return pinn_ext.strategies.create(strategy).needs


def main() -> None:
    """Measure all strategies that weigh loss terms."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    names = pinn_ext.strategies.names()
    legal = [n for n in names if isinstance(pinn_ext.strategies.create(n), Strategy)]
    parser.add_argument("--strategies", default=",".join(legal), metavar="NAME[,NAME]")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    chosen = _common.chosen("--strategies", args.strategies, legal)
    rows = [row_of(name, terms, args.iterations) for terms in (3, 8) for name in chosen]
    facts = _common.machine(
        problem="Brusselator 2-D + time", network="3-64-64-64-64-2", points=POINTS, period=PERIOD
    )
    _common.report(rows, args.out, facts)


if __name__ == "__main__":
    main()
