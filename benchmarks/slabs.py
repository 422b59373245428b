"""Slabs in time: what a step costs from slab to slab, and the error at equal total time.

Allen-Cahn's equation (jaxpi's problem: `u_t = 1e-4 u_xx + 5 (u - u^3)` on a periodic interval) with
period and start built in, float64. `cost` rows: Adam in `--cost-slabs` slabs, seconds of a step in
each over those in the first, with the start kept, as `march` does it, and with the start
followed through all former networks in each step, as a script does that chains them. `error` rows:
Gauss-Newton for `--seconds` in all, shared by 1, 2, 4, … slabs, against the stored reference; each
slab begins with the parameters of the former one or with new ones (`--begin`), by each `--damping`;
its network sees two waves and the time, or the start of the slab as well (`--inputs`).
Seconds are those of the processor, which other work on the machine does not add to.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("DDE_BACKEND", "pytorch")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import _common
import deepxde as dde
import numpy as np
import torch

import pinn_ext
from pinn_ext import references
from pinn_ext.slabs.kept_start import KeptStart
from solvers.gauss_newton import DAMPINGS

REFERENCE = "allen_cahn/jaxpi"
ARMS = ("kept", "chained")
BEGINNINGS = ("former", "new")
INPUTS = ("waves", "start")  # of the network, each beside those before it


def pde(x, u):
    u_t = dde.grad.jacobian(u, x, i=0, j=1)
    return u_t - 1e-4 * dde.grad.hessian(u, x, i=0, j=0) - 5 * (u - u**3)


def initial(x):
    return x[:, :1] ** 2 * torch.cos(math.pi * x[:, :1])


def exact(x):
    return references.load(REFERENCE).evaluate(x[:, :1], x[:, 1])


def builder(points: int, width: int, sees_start: bool = False) -> Any:
    """Return a function that builds the model of a slab."""

    def build(slab: Any) -> dde.Model:
        domain = dde.geometry.GeometryXTime(
            dde.geometry.Interval(-1, 1), dde.geometry.TimeDomain(slab.lower, slab.upper)
        )
        data = dde.data.TimePDE(domain, pde, [], num_domain=points)
        net = dde.nn.FNN([5 + sees_start, width, width, width, 1], "tanh", "Glorot normal")

        def features(x):
            angle = math.pi * x[:, :1]
            waves = [f(k * angle) for k in (1, 2) for f in (torch.cos, torch.sin)]
            start = [slab.start(x)] if sees_start else []
            return torch.cat((*waves, *start, 2 * slab.ramp(x) - 1), dim=1)

        net.apply_feature_transform(features)
        net.apply_output_transform(slab.transform)
        model = dde.Model(data, net)
        model.compile("adam", lr=1e-3, verbose=0)
        return model

    return build


def edges_of(count: int) -> list[float]:
    """Return the edges of equal slabs of [0, 1]."""
    return np.linspace(0, 1, count + 1).tolist()


# ---- what a step costs --------------------------------------------------------------------------


@contextlib.contextmanager
def chained() -> Iterator[None]:
    """Follow the start through all former networks in each step, instead of keeping it."""
    original = KeptStart.__call__
    KeptStart.__call__ = lambda self, positions: self._function(positions)
    try:
        yield
    finally:
        KeptStart.__call__ = original


def cost_rows(arm: str, args: Any) -> list[dict[str, Any]]:
    """Measure the steps of each slab, the fastest of five stretches."""
    steps, seconds = max(args.steps // 5, 1), []

    def train(model: Any, slab: Any) -> None:
        quiet = {"display_every": 10**9, "verbose": 0}
        model.train(iterations=2, **quiet)
        taken = []
        for _ in range(5):
            begun = time.process_time()
            model.train(iterations=steps, **quiet)
            taken.append((time.process_time() - begun) / steps)
        seconds.append(min(taken))

    dde.config.set_random_seed(0)
    with chained() if arm == "chained" else contextlib.nullcontext():
        solution = pinn_ext.march(
            builder(args.points, args.width), edges_of(args.cost_slabs), initial,
            train=train, verbose=0,
        )  # fmt: skip
    return [
        {
            "what": "cost",
            "start": arm,
            "slab": row["slab"] + 1,
            "step_ms": 1e3 * own,
            "over_first": own / seconds[0],
            "start_sets": row["start_sets"],
            "start_ms": 1e3 * row["start_seconds"],
        }
        for own, row in zip(seconds, solution.rows, strict=True)
    ]


# ---- error at equal total time ------------------------------------------------------------------


class Until(dde.callbacks.Callback):
    """Ends a training after some seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.end = time.process_time() + seconds

    def on_epoch_end(self):
        self.model.stop_training = self.model.stop_training or time.process_time() > self.end


def error_row(count: int, begin: str, damping: str, inputs: str, args: Any) -> dict[str, Any]:
    """Train by Gauss-Newton in so many slabs, which share the seconds equally."""
    dde.config.set_random_seed(args.seed)
    own = args.seconds / count

    def train(model: Any, slab: Any) -> None:
        until = Until(own)
        pinn_ext.train_gauss_newton(
            model, 10**6, damping=damping, tolerance=0, callbacks=[until], verbose=0
        )

    begun = time.process_time()
    solution = pinn_ext.march(
        builder(args.points, args.width, inputs == "start"), edges_of(count), initial,
        train=train, warm_start=begin == "former", verbose=0,
    )  # fmt: skip
    seconds = time.process_time() - begun
    reference = references.load(REFERENCE)
    grid = np.stack(np.meshgrid(reference.axes[0], reference.times), axis=-1).reshape(-1, 2)
    found, true = solution.predict(grid)[:, 0], reference.u.ravel()
    last = grid[:, 1] == grid[:, 1].max()
    return {
        "what": "error",
        "slabs": count,
        "begin": begin,
        "damping": damping,
        "inputs": inputs,
        "cpu_seconds": seconds,
        "iterations": sum(row["steps"] for row in solution.rows),
        "relative_l2": relative(found, true),
        "relative_l2_last": relative(found[last], true[last]),
        "loss_last_slab": solution.rows[-1]["loss"],
        "seed": args.seed,
    }


def relative(found: np.ndarray, true: np.ndarray) -> float:
    """Return the relative L2 error."""
    return float(np.linalg.norm(found - true) / np.linalg.norm(true))


def main() -> None:
    """Measure both."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument(
        "--cost-slabs", type=int, default=8, metavar="N", help="0 leaves these rows out"
    )
    parser.add_argument("--steps", type=int, default=200, metavar="N", help="of Adam a slab")
    parser.add_argument("--slabs", default="1,2,4,8", metavar="N[,N]")
    parser.add_argument(
        "--seconds", type=float, default=80.0, help="of the processor, for all slabs"
    )
    parser.add_argument("--begin", default="former", help=f"a list of {', '.join(BEGINNINGS)}")
    parser.add_argument("--damping", default="bold", help=f"a list of {', '.join(DAMPINGS)}")
    parser.add_argument("--inputs", default="waves", help=f"a list of {', '.join(INPUTS)}")
    parser.add_argument("--points", type=int, default=2500, metavar="N", help="in each slab")
    parser.add_argument("--width", type=int, default=20, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    for flag, least in (("cost_slabs", 0), ("steps", 1), ("points", 10), ("width", 1)):
        if getattr(args, flag) < least:
            name = flag.replace("_", "-")
            sys.exit(f"`--{name}` must be at least {least}, got {getattr(args, flag)}.")
    counts = _common.numbers("--slabs", args.slabs, 1)
    beginnings = _common.chosen("--begin", args.begin, BEGINNINGS)
    dampings = _common.chosen("--damping", args.damping, DAMPINGS)
    inputs = _common.chosen("--inputs", args.inputs, INPUTS)
    torch.set_num_threads(args.threads)
    dde.config.set_default_float("float64")
    costs = [row for arm in ARMS for row in cost_rows(arm, args)] if args.cost_slabs else []
    if costs:
        print(_common.table(costs), flush=True)
    errors = []
    for arm in itertools.product(counts, beginnings, dampings, inputs):
        if arm[0] == 1 and arm[1] != beginnings[0]:
            continue  # one slab has no former one
        errors.append(error_row(*arm, args))
        print(*arm, f"{errors[-1]['relative_l2']:.2e}", file=sys.stderr, flush=True)
    print(_common.table(errors))
    if args.out is not None:
        network = f"5-{args.width}-{args.width}-{args.width}-1"
        facts = _common.machine(problem=REFERENCE, network=network, points=args.points)
        _common.write([*costs, *errors], args.out, facts)


if __name__ == "__main__":
    main()
