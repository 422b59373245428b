"""One first-order training step, loss, backward pass and Adam, beside stock DeepXDE.

Each variant trains the same network from the same parameters at the same points: `stock` is the
model that a DeepXDE user would write, with `dde.grad.jacobian` and `dde.grad.hessian`; `reverse` is
our loss with nested reverse passes; `jets` is our loss with derivatives that travel forward. Hard
conditions are the same constrained expression in all three; `stock_bare` leaves the data part out
of it, as a bound: no output transform costs DeepXDE less. Soft conditions are point sets for each
field, at which stock DeepXDE evaluates the equation too.

`ms` is the median over the repeats, `ratio_to_stock` the median of the ratios within a repeat, in
which the variants take turns. With one thread, the clock is the CPU time of the process, which
other work on the machine disturbs least; on another device than the CPU it is read once the device
is done. `difference` is that of the first step's loss, relative.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("DDE_BACKEND", "pytorch")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import _common
import _devices
import deepxde as dde
import torch
from _training_step.models import VARIANTS, Case, fits, loss_of, step_of, with_points

from solvers.devices import make_default

WIDE = (32, 32, 32)
CASES = {
    "brusselator_hard": Case("brusselator", None, "hard", 2890, WIDE),
    "brusselator_soft": Case("brusselator", None, "soft", 2890, WIDE),
    "coupled_burgers_hard": Case("coupled_burgers", "periodic", "hard", 480, WIDE),
    "coupled_burgers_soft": Case("coupled_burgers", "dirichlet", "soft", 480, WIDE),
    "linear_reaction_diffusion_hard": Case(
        "linear_reaction_diffusion", "periodic", "hard", 480, WIDE
    ),
}
DTYPES = ("float32", "float64")
WARM_UP = 3


def rows_of(
    name: str, case: Case, dtype: str, repeats: int, steps: int, device: torch.device
) -> list[dict[str, Any]]:
    """Measure all variants of one case."""
    with contextlib.redirect_stdout(io.StringIO()):  # DeepXDE prints the type it sets
        dde.config.set_default_float(dtype)
    torch.set_default_dtype(getattr(torch, dtype))
    models = {variant: make(case) for variant, make in VARIANTS.items() if fits(variant, case)}
    takes = {variant: step_of(model) for variant, model in models.items()}
    losses = {variant: loss_of(model) for variant, model in models.items()}
    for take in takes.values():
        seconds(take, WARM_UP, device)
    times: dict[str, list[float]] = {variant: [] for variant in takes}
    for _ in range(repeats):
        for variant, take in takes.items():
            times[variant].append(seconds(take, steps, device))
    return [
        {
            "case": name,
            "dtype": dtype,
            "name": variant,
            "ms": 1e3 * statistics.median(times[variant]),
            "ratio_to_stock": ratio(times["stock"], times[variant]),
            "ratio_to_reverse": ratio(times["reverse"], times[variant]),
            "difference": None
            if variant == "stock_bare"
            else abs(losses[variant] / losses["stock"] - 1.0),
            "points": case.points,
            "network": "-".join(map(str, case.hidden)),
        }
        for variant in takes
    ]


def ratio(others: list[float], own: list[float]) -> float:
    """Return how many times as long the others took, a median over the repeats."""
    return statistics.median(a / b for a, b in zip(others, own, strict=True))


def seconds(step: Callable[[], None], steps: int, device: torch.device) -> float:
    """Return the time of one step, the mean over some."""
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else functools.partial(_devices.clock, device)
    start = clock()
    for _ in range(steps):
        step()
    return (clock() - start) / steps


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--dtypes", default=",".join(DTYPES))
    parser.add_argument("--points", type=int, help="for the equation; each case has its own")
    parser.add_argument("--hidden", help="widths, such as 64,64,64,64")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--steps", type=int, default=5, help="steps in a row of one variant")
    parser.add_argument("--threads", type=int, default=1)
    _devices.add_argument(parser)
    return parser.parse_args()


def main() -> None:
    """Measure every case in every floating-point type."""
    args = arguments()
    device = _devices.named(args.device)
    make_default(device)
    torch.set_num_threads(args.threads)
    hidden = tuple(_common.numbers("--hidden", args.hidden, 1)) if args.hidden else None
    rows = []
    for name in _common.chosen("--cases", args.cases, CASES):
        case = with_points(CASES[name], args.points, hidden)
        for dtype in _common.chosen("--dtypes", args.dtypes, DTYPES):
            rows += rows_of(name, case, dtype, args.repeats, args.steps, device)
    facts = _common.machine(device, optimizer="adam", repeats=args.repeats)
    _common.report(rows, args.out, facts)


if __name__ == "__main__":
    main()
