"""What the callback costs: its own time over that of the rest of the run, and its state.

Each strategy trains a coupled system (Brusselator in two dimensions) with DeepXDE on a 4 x 64
network and 2000 points, with 3 and with 8 loss terms. `fraction_of_training` counts everything
the callback does in a step: reading the losses, the snapshot, the test for finite numbers, the
gradients that a strategy asks for once a period of 100 steps, the update of the weights. The parts
are measured in a second run, as measuring costs too.

`every_step` is the same fraction where gradients are asked for in each step (period 1).

Strategies that weigh points act inside of DeepXDE's loss functions, where the callback's clock does
not run: their fraction is that by which their steps are longer than those of `fixed`, in turns of
20 steps. `auto` is measured over its pilots and what comes after: evaluations on held-out points,
copies of all states.

On another device than the CPU the callback's clock does not tell its own work from the work before
that it waits for. There the fraction of every strategy but `auto` is that by which its steps are
longer than those without a callback, in turns as well, and clocks are read once the device is done.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("DDE_BACKEND", "pytorch")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import _common
import _devices
import deepxde as dde
import torch

import pinn_ext
from pinn_ext.dde import callback
from pinn_ext.dde.weighting import kernel_meter, loss_recorder, step_snapshot
from solvers.devices import make_default

PERIOD = 100
WARM_UP = 20
PARTS = {
    "recorder": (loss_recorder.LossRecorder, "_read"),
    "snapshot": (step_snapshot.Snapshot, "take"),
    "finite": (step_snapshot.Snapshot, "looks_finite"),
    "gradients": (kernel_meter.Meter, "take"),
    "update": (callback.AdaptiveWeights, "_end_period"),
}


@dataclass(frozen=True)
class Case:
    """Loss terms, 3 or 8, and points for the equation; a tenth of them for the conditions."""

    terms: int
    points: int = 2000


def model_of(case: Case) -> dde.Model:
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
        return lambda x: field(sign)(torch.as_tensor(x, device="cpu"))

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
    conditions = initial[:1] if case.terms == 3 else [*initial, *walls]
    data = dde.data.TimePDE(
        domain,
        brusselator,
        conditions,
        num_domain=case.points,
        num_initial=case.points // 10,
        num_boundary=0 if case.terms == 3 else case.points // 10,
    )
    net = dde.nn.FNN([3, 64, 64, 64, 64, 2], "tanh", "Glorot normal")
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-3, verbose=0)
    return model


def train(
    strategy: str, case: Case, iterations: int, period: int = PERIOD
) -> tuple[Any, float, float]:
    """Return the callback after a training, the training's seconds and the callback's."""
    model, adaptive = model_of(case), callback_of(strategy, case.terms, period)
    quiet = {"callbacks": [adaptive], "verbose": 0, "display_every": 10**9}
    if strategy == "auto":  # its pilots are the first thing of a training
        iterations = max(iterations, 5 * period)
    else:
        model.train(iterations=WARM_UP, **quiet)
    before, start = adaptive.seconds, now()
    model.train(iterations=iterations, **quiet)
    return adaptive, now() - start, adaptive.seconds - before


def callback_of(strategy: str, terms: int, period: int) -> Any:
    """Return the callback; sizes of the fields are given, as three terms do not tell both."""
    return pinn_ext.AdaptiveWeights(strategy, period=period, field_scales=[1.0] * terms, verbose=0)


def now() -> float:
    """Return the seconds of a clock, once the device is done."""
    return _devices.clock(torch.get_default_device())


def longer(strategy: str, than: str | None, case: Case, iterations: int) -> float:
    """Return by which fraction a strategy's steps are longer than another's, or a bare model's."""
    models, k = [model_of(case) for _ in range(2)], case.terms
    callbacks = [[callback_of(name, k, PERIOD)] if name else [] for name in (than, strategy)]
    seconds = [0.0, 0.0]
    for turn in range(1 + max(1, iterations // WARM_UP)):
        for i, (model, own) in enumerate(zip(models, callbacks, strict=True)):
            start = now()
            model.train(iterations=WARM_UP, callbacks=own, verbose=0, display_every=10**9)
            seconds[i] += (now() - start) * (turn > 0)
    return seconds[1] / seconds[0] - 1.0


def every_step(strategy: str, case: Case) -> float | None:
    """Return the fraction of a training that asks for gradients in each of its steps."""
    if not needs(strategy) & {"gradients", "gradient_vectors", "ntk"} or strategy == "auto":
        return None
    _, seconds, own = train(strategy, case, WARM_UP, period=1)
    return own / (seconds - own)


@contextlib.contextmanager
def stopwatch(total: Counter):
    """Measure each part of the callback into `total`, in seconds."""
    originals = {part: getattr(owner, name) for part, (owner, name) in PARTS.items()}

    def timed(part, function):
        def wrapper(*args, **options):
            start = now()
            try:
                return function(*args, **options)
            finally:
                total[part] += now() - start

        return wrapper

    try:
        for part, (owner, name) in PARTS.items():
            setattr(owner, name, timed(part, originals[part]))
        yield
    finally:
        for part, (owner, name) in PARTS.items():
            setattr(owner, name, originals[part])


def row_of(strategy: str, case: Case, iterations: int) -> dict[str, Any]:
    """Measure one strategy on one problem."""
    adaptive, seconds, own = train(strategy, case, iterations)
    parts: Counter = Counter()
    with stopwatch(parts):
        train(strategy, case, PERIOD)
    state = len(json.dumps(adaptive.manager.state_dict()).encode())
    steps = PERIOD + WARM_UP
    fraction = own / (seconds - own)
    if torch.get_default_device().type != "cpu" and strategy != "auto":
        fraction = longer(strategy, None, case, iterations)
    elif pinn_ext.strategies.create(strategy).moves == "points":
        fraction = longer(strategy, "fixed", case, iterations)
    return {
        "strategy": strategy,
        "statistic": "+".join(sorted(needs(strategy))) or "none",
        "terms": case.terms,
        "fraction_of_training": fraction,
        "every_step": every_step(strategy, case),
        "bytes_per_term": state / case.terms,
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
    """Measure all strategies."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--terms", default="3,8", metavar="N[,N]", help="3 or 8 loss terms")
    parser.add_argument("--points", type=int, default=Case.points, metavar="N")
    _devices.add_argument(parser)
    legal = pinn_ext.strategies.names()
    parser.add_argument("--strategies", default=",".join(legal), metavar="NAME[,NAME]")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    chosen = _common.chosen("--strategies", args.strategies, legal)
    wanted = [int(terms) for terms in _common.chosen("--terms", args.terms, ("3", "8"))]
    for flag, least in (("iterations", 1), ("points", 20)):
        if getattr(args, flag) < least:
            sys.exit(f"`--{flag}` must be at least {least}, got {getattr(args, flag)}.")
    device = _devices.named(args.device)
    make_default(device)
    rows = []
    for terms in wanted:
        for name in chosen:
            rows.append(row_of(name, Case(terms, args.points), args.iterations))
            print(f"{name}, {terms} terms: {rows[-1]['fraction_of_training']:.3%}", flush=True)
    facts = _common.machine(
        device,
        problem="Brusselator 2-D + time",
        network="3-64-64-64-64-2",
        points=args.points,
        period=PERIOD,
    )
    _common.report(rows, args.out, facts)


if __name__ == "__main__":
    main()
