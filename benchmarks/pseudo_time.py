"""Pseudo-time against the same training without it: one callback more, nothing else changed.

Scalar problems on a periodic interval, whose references come with the package. Adam with a cosine
schedule, new random points at each step in every arm, as the term is said to act on what lies
between points. The network is built periodic; its start is a loss term. A training ends after
`--steps`, or `--seconds` of the cores, in which an arm with the term makes fewer steps; the
schedule ends with it. Errors are relative L2 errors over all stored times and nodes. `start` is the
error of the start carried on unchanged. `--out` is written after each training.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
import time
from dataclasses import dataclass
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
from pinn_ext.dde.model.row_points import draw_points
from pinn_ext.networks import Sine

MU = 0.022  # Korteweg and de Vries: square root of the dispersion


def allen_cahn(x, u):
    u_t = dde.grad.jacobian(u, x, i=0, j=1)
    return u_t - 1e-4 * dde.grad.hessian(u, x, i=0, j=0) - 5.0 * (u - u**3)


def kdv(x, u):
    u_t, u_x = (dde.grad.jacobian(u, x, i=0, j=j) for j in (1, 0))
    u_xx = dde.grad.hessian(u, x, i=0, j=0)
    (u_xxx,) = torch.autograd.grad(u_xx.sum(), x, create_graph=True)
    return u_t + u * u_x + MU**2 * u_xxx[:, :1]


@dataclass(frozen=True)
class Case:
    """A problem, and the numbers that Scale-PINN's authors use for it: weight, rate, their term."""

    reference: str
    equation: Any
    weight: float
    rate: float
    tau: float
    smoothing: float


CASES = {
    "allen_cahn": Case("allen_cahn/jaxpi", allen_cahn, 100.0, 2e-3, 0.45, 1e-4 / 1.5),
    "kdv": Case("kdv/jaxpi", kdv, 1000.0, 1e-3, 0.1, MU / 20.0),
}
FORMS = ("none", "jaxpi2", "scale_pinn")


class NewPoints(dde.callbacks.Callback):
    """Draws new points at each step, for the arm without the term."""

    def on_batch_begin(self):
        draw_points(self.model.data)


class Budget(dde.callbacks.Callback):
    """Ends a training after some seconds of the cores, which other work does not add to."""

    def __init__(self, steps: int, seconds: float) -> None:
        super().__init__()
        self.steps, self.seconds = steps, seconds
        self._start = time.process_time()

    @property
    def elapsed(self) -> float:
        """Seconds of the cores so far."""
        return time.process_time() - self._start

    def rate(self, step: int) -> float:
        """Return the factor of the learning rate: along a cosine to 0 at the end of either."""
        part = max(step / self.steps, self.elapsed / self.seconds)
        return 0.5 * (1.0 + math.cos(math.pi * min(part, 1.0)))

    def on_batch_end(self):
        self.model.stop_training = self.model.stop_training or self.elapsed >= self.seconds


def model_of(case: Case, args: Any, seed: int) -> dde.Model:
    """Return a model with random points and a network of its own seed."""
    dde.config.set_random_seed(seed)
    problem = references.load(case.reference).problem
    geometry = dde.geometry.GeometryXTime(
        dde.geometry.Interval(*problem.lower, *problem.upper),
        dde.geometry.TimeDomain(0, problem.final_time),
    )
    start = dde.icbc.IC(geometry, lambda x: problem.u0(x[:, :1])[:, None], lambda _, on: on)
    data = dde.data.TimePDE(
        geometry, case.equation, [start], num_domain=args.points, num_initial=args.points // 10,
        train_distribution="pseudo",
    )  # fmt: skip
    widths = [3, *[args.width] * args.depth, 1]
    activations = [Sine(2 * math.pi), *["silu"] * (args.depth - 1), None]
    net = dde.nn.FNN(widths, activations, "He uniform")
    net.apply_feature_transform(
        lambda x: torch.cat((x[:, 1:], *(f(math.pi * x[:, :1]) for f in (torch.cos, torch.sin))), 1)
    )
    return dde.Model(data, net)


def callbacks_of(form: str, case: Case) -> list[Any]:
    """Return what an arm trains with."""
    if form == "none":
        return [NewPoints()]
    options = {"tau": case.tau, "smoothing": case.smoothing} if form == "scale_pinn" else {}
    return [pinn_ext.PseudoTime(form, verbose=0, **options)]


def errors(case: Case, model: dde.Model | None) -> dict[str, float]:
    """Return relative L2 errors over all times and at the last, of the start for no model."""
    reference = references.load(case.reference)
    (nodes,), times = reference.axes, reference.times
    x, t = (a.reshape(-1, 1) for a in np.meshgrid(nodes, times))
    if model is None:
        found = reference.problem.u0(x)
    else:
        found = model.predict(np.hstack((x, t)).astype(dde.config.real(np)))[:, 0]
    wanted, found = reference.u, found.reshape(reference.u.shape)
    norm = np.linalg.norm
    last = norm(found[-1] - wanted[-1]) / norm(wanted[-1])
    return {"relative_l2": float(norm(found - wanted) / norm(wanted)), "last_time": float(last)}


def row_of(name: str, form: str, seed: int, args: Any) -> dict[str, Any]:
    """Train one arm with one seed."""
    case = CASES[name]
    model, callbacks = model_of(case, args, seed), callbacks_of(form, case)
    budget = Budget(args.steps, args.seconds)
    model.compile(
        "adam", lr=case.rate, decay=("lambda", budget.rate), loss_weights=[1.0, case.weight],
        verbose=0,
    )  # fmt: skip
    model.train(
        iterations=args.steps, callbacks=[*callbacks, budget], display_every=10**9, verbose=0
    )
    seconds = budget.elapsed
    model._test(verbose=0)  # which DeepXDE leaves out where a callback ends the training
    equation, initial = (float(own) for own in model.train_state.loss_train)
    tau = getattr(callbacks[0], "tau", [None])
    return {
        "case": name,
        "form": form,
        "seed": seed,
        **errors(case, model),
        "loss": equation,
        "initial": initial / case.weight,
        "tau": tau[0],
        "steps": model.train_state.step,
        "cpu_seconds": seconds,
    }


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return median, smallest and largest error of each arm, and what the start scores."""
    result: list[dict[str, Any]] = []
    for name in dict.fromkeys(row["case"] for row in rows):
        start = errors(CASES[name], None)["relative_l2"]
        own = [row for row in rows if row["case"] == name]
        arms = [arm(name, form, own) for form in dict.fromkeys(row["form"] for row in own)]
        result += [*arms, {"case": name, "form": "start", "median": start}]
    return result


def arm(case: str, form: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the row of one form over all seeds."""
    own = [row for row in rows if row["form"] == form]
    return {
        "case": case,
        "form": form,
        **_common.spread(row["relative_l2"] for row in own),
        "seeds": len(own),
        "steps": min(row["steps"] for row in own),
        "cpu_ms_a_step": 1e3 * sum(r["cpu_seconds"] for r in own) / sum(r["steps"] for r in own),
    }


def main() -> None:
    """Train every case with every form and seed."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--case", default="kdv", metavar="NAME[,NAME]")
    parser.add_argument("--forms", default=",".join(FORMS), metavar="NAME[,NAME]")
    parser.add_argument("--seeds", default="3", metavar="N", help="how many, from 0")
    parser.add_argument("--steps", type=int, default=10_000, help="a training")
    parser.add_argument("--seconds", type=float, default=math.inf, help="of the cores, a training")
    parser.add_argument("--points", type=int, default=1000, help="a tenth as many at the start")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=4)
    args = parser.parse_args()
    (seeds,) = _common.numbers("--seeds", args.seeds, 1)
    if args.steps < 1 or not args.seconds > 0:
        sys.exit(f"`--steps` and `--seconds` must be > 0, got {args.steps} and {args.seconds}.")
    torch.set_num_threads(1)
    cases = _common.chosen("--case", args.case, CASES)
    forms = _common.chosen("--forms", args.forms, FORMS)
    facts = _common.machine(
        points=args.points,
        widths=[args.width] * args.depth,
        seconds=args.seconds if math.isfinite(args.seconds) else None,
    )
    rows = []
    for name, seed, form in itertools.product(cases, range(seeds), forms):
        rows.append(row_of(name, form, seed, args))
        print(f"{name} {form} {seed}: {rows[-1]['relative_l2']:.2e}", flush=True)
        if args.out is not None:
            _common.write(rows, args.out, facts)
    print(_common.table(rows))
    print(_common.table(summary(rows)))


if __name__ == "__main__":
    main()
