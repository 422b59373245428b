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

`--compare-to FOLDER` trains with this checkout and with the one in FOLDER in turns of 20 steps,
each in a process of its own. There `callback_us` and `step_ms`, the processor's time, are medians
over the steps, which another program on the same processor moves less than means; `mean_us` has
the updates of the weights too.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("DDE_BACKEND", "pytorch")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import _common
import _devices
import torch
from _overhead.problem import Case, model_of
from _turns import Worker

import pinn_ext
from pinn_ext.dde import callback
from pinn_ext.dde.weighting import kernel_meter, loss_recorder, step_snapshot
from solvers.devices import make_default

PERIOD = 100
WARM_UP = 20
PARTS = {
    "recorder": (loss_recorder.LossRecorder, ("_reads_plain", "_read")),
    "snapshot": (step_snapshot.Snapshot, ("take",)),
    "finite": (step_snapshot.Snapshot, ("looks_finite",)),
    "gradients": (kernel_meter.Meter, ("take",)),
    "update": (callback.AdaptiveWeights, ("_end_period",)),
}
ROOT = Path(__file__).resolve().parent.parent


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
    places = [(part, owner, name) for part, (owner, names) in PARTS.items() for name in names]
    originals = [getattr(owner, name) for _, owner, name in places]

    def timed(part, function):
        def wrapper(*args, **options):
            start = now()
            try:
                return function(*args, **options)
            finally:
                total[part] += now() - start

        return wrapper

    try:
        for (part, owner, name), original in zip(places, originals, strict=True):
            setattr(owner, name, timed(part, original))
        yield
    finally:
        for (_, owner, name), original in zip(places, originals, strict=True):
            setattr(owner, name, original)


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


def beside(
    other: Path, strategy: str, case: Case, iterations: int, threads: int
) -> list[dict[str, Any]]:
    """Train with both checkouts in turns; return a row each."""
    task = {"strategy": strategy, "terms": case.terms, "points": case.points, "period": PERIOD}
    task |= {"threads": threads, "steps": WARM_UP}
    script = ROOT / "benchmarks" / "_overhead" / "turn.py"
    names = {"this": ROOT, "other": other.resolve()}
    workers = {name: Worker(script, root, task, os.environ, ROOT) for name, root in names.items()}
    steps: dict[str, list[list[float]]] = {name: [] for name in workers}
    try:
        for worker in workers.values():
            worker.first_answer()
        for turn in range(1 + max(1, iterations // WARM_UP)):
            for name, worker in workers.items():
                worker.go_on()
                found = worker.answer()["steps"]
                steps[name] += found if turn else []
    finally:
        for worker in workers.values():
            worker.end()
    return [compared(name, strategy, case, found) for name, found in steps.items()]


def compared(name: str, strategy: str, case: Case, steps: list[list[float]]) -> dict[str, Any]:
    """Return the row of a checkout whose callback has taken (own, all) seconds in each step."""
    own, whole = zip(*steps, strict=True)
    median = statistics.median(own)
    return {
        "checkout": name,
        "strategy": strategy,
        "terms": case.terms,
        "callback_us": 1e6 * median,
        "mean_us": 1e6 * statistics.mean(own),
        "step_ms": 1e3 * statistics.median(whole),
        "fraction_of_training": median / (statistics.median(whole) - median),
        "steps": len(steps),
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
    parser.add_argument("--compare-to", type=Path, metavar="FOLDER", help="another checkout")
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
    other = args.compare_to
    if other is not None and not (other / "pinn_ext" / "__init__.py").is_file():
        sys.exit(f"`--compare-to` must be a checkout of this project, got {other}.")
    if other is not None and device.type != "cpu":
        sys.exit(f"`--compare-to` must be without `--device`, got {device}.")
    rows = []
    for terms in wanted:
        for name in chosen:
            case = Case(terms, args.points)
            if other is not None:
                rows += beside(other, name, case, args.iterations, args.threads)
                both = ", ".join(f"{r['checkout']} {r['callback_us']:.1f} us" for r in rows[-2:])
                print(f"{name}, {terms} terms: {both}", flush=True)
                continue
            rows.append(row_of(name, case, args.iterations))
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
