"""Quasi-Newton beside DeepXDE's L-BFGS and NNCG, from the same start by Adam.

Soft conditions, three hidden layers, float64, as many points in the domain as parameters (2.75 rows
each). Adam is run once a case, size and seed, and not counted; every method then has the same
seconds from that network. `lbfgs` has a history of 200 and is started again where it gives up;
it is looked at and stopped between blocks of 50 iterations. `nncg` has the settings of
`benchmarks/gauss_newton.py`.

`error_start`, `error_quarter` and `error_end` are the relative L2 errors of the worse field on
points that no training has seen, after Adam, after a quarter of the seconds and at their end, each
the lowest until then; `trivial` is what a network that returns zero scores. A row with seed
"median" stands for a case, size and method: medians over the seeds; `ratio_quarter` and `ratio_end`
are the error of the better of L-BFGS and NNCG over its own, above 1 where it is ahead. An iteration
that has begun is finished. With `--seconds 1200` the quarter is five minutes. `--core-seconds`
counts the seconds of the processor, on a machine that has other work as well. A method trains all
cases before the next one does, and `--out` is written after each training: what is stopped early
has compared the methods that come first.
"""

from __future__ import annotations

import copy
import itertools
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import _common
import _devices
from _gauss_newton.process import restart

if TYPE_CHECKING:
    from _gauss_newton.cases import Problem
    from _gauss_newton.methods import Run

START = time.perf_counter()
CASES = {"fletcher": "burgers_2d", "brusselator": "brusselator_soft"}
OURS = ("ssbroyden", "ssbfgs", "bfgs")
THEIRS = ("lbfgs", "nncg")
ERRORS = ("error_start", "error_quarter", "error_end", "trivial")
FIGURES = (*ERRORS, "seconds", "iterations", "loss")


def methods() -> dict[str, Callable[[Run], None]]:
    """Return what trains a model, by name."""
    from _gauss_newton.methods import lbfgs, nncg

    theirs: dict[str, Callable[[Run], None]] = {
        "lbfgs": lambda run: lbfgs(run, 1.0),
        "nncg": nncg,
    }
    return {**{name: ours(name) for name in OURS}, **theirs}


def ours(method: str) -> Callable[[Run], None]:
    """Return a training by `train_quasi_newton`, which the clock ends."""
    from _gauss_newton.methods import FOREVER

    import pinn_ext

    def train(run: Run) -> None:
        run.problem.compile("adam", lr=1e-3)  # its optimiser makes no step
        pinn_ext.train_quasi_newton(
            run.problem.model,
            FOREVER,
            method=method,
            display_every=FOREVER,
            callbacks=[run],
            verbose=0,
        )

    return train


def problem_of(case: str, parameters: int, seed: int, device: str) -> Problem:
    """Return a case whose network has about so many parameters."""
    from _gauss_newton.cases import build, width_of

    return build(CASES[case], seed, width_of(parameters), parameters, device)


def start_of(problem: Problem, seconds: float, of_cores: bool = False) -> dict[str, Any]:
    """Return the network that Adam has trained for some seconds."""
    from _gauss_newton.methods import Run, adam

    if seconds > 0:
        adam(Run(problem, seconds, of_cores), 1.0, 5e-3)
    return copy.deepcopy(problem.model.net.state_dict())


def row_of(
    case: str,
    parameters: int,
    method: str,
    seed: int,
    seconds: float,
    start: dict[str, Any],
    device: str,
    of_cores: bool = False,
) -> dict[str, Any]:
    """Train once from a start."""
    from _gauss_newton.methods import Run

    problem = problem_of(case, parameters, seed, device)
    trivial = max(problem.trivial_errors())
    problem.model.net.load_state_dict(start)
    count = sum(parameter.numel() for parameter in problem.model.net.parameters())
    begun = max(problem.errors())
    run = Run(problem, seconds, of_cores)
    methods()[method](run)
    taken = run.elapsed
    run.look()
    errors = [begun, lowest(run, begun, seconds / 4), lowest(run, begun, math.inf), trivial]
    figures = (*errors, taken, problem.model.train_state.step, problem.loss())
    row = {"case": case, "parameters": count, "method": method, "seed": seed}
    row.update(zip(FIGURES, figures, strict=True))
    return {**row, "ratio_quarter": None, "ratio_end": None}


def lowest(run: Run, begun: float, seconds: float) -> float:
    """Return the lowest error that was seen until some seconds, with a hundredth to finish."""
    seen = [error for when, error in run.course if when <= 1.01 * seconds and error == error]
    return min([begun, *seen])


def with_medians(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of each case and size, followed by the medians of its methods."""
    result = []
    for key in dict.fromkeys((row["case"], row["parameters"]) for row in rows):
        own = [row for row in rows if (row["case"], row["parameters"]) == key]
        medians = []
        for method in dict.fromkeys(row["method"] for row in own):
            group = [row for row in own if row["method"] == method]
            values = {name: statistics.median(row[name] for row in group) for name in FIGURES}
            medians.append({**group[0], "seed": "median", **values})
        for row in medians:
            for when in ("quarter", "end"):
                others = [each[f"error_{when}"] for each in medians if each["method"] in THEIRS]
                if others and row["method"] in OURS:
                    row[f"ratio_{when}"] = min(others) / row[f"error_{when}"]
        result += own + medians
    return result


def main() -> None:
    """Train every case, size and seed by Adam, then all of them by each method in turn."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1200.0, metavar="S", help="a method")
    parser.add_argument("--adam-seconds", type=float, metavar="S", help="default: an eighth of it")
    parser.add_argument("--sizes", default="3000,10000", metavar="P[,P]", help="parameters")
    parser.add_argument("--seeds", default="1", metavar="N", help="how many")
    parser.add_argument("--cases", default=",".join(CASES), metavar="NAME[,NAME]")
    parser.add_argument("--methods", default="ssbroyden,lbfgs,nncg", metavar="NAME[,NAME]")
    parser.add_argument("--threads", default="2", metavar="N")
    parser.add_argument("--core-seconds", action="store_true", help="not those of the wall clock")
    _devices.add_argument(parser)
    args = parser.parse_args()
    (threads,) = _common.numbers("--threads", args.threads, 1)
    (seeds,) = _common.numbers("--seeds", args.seeds, 1)
    sizes = _common.numbers("--sizes", args.sizes, 20)
    before = args.seconds / 8 if args.adam_seconds is None else args.adam_seconds
    if not 0 < args.seconds < math.inf:
        sys.exit(f"`--seconds` must be positive, got {args.seconds}.")
    if not 0 <= before < math.inf:
        sys.exit(f"`--adam-seconds` must be at least 0, got {before}.")
    cases = _common.chosen("--cases", args.cases, CASES)
    names = _common.chosen("--methods", args.methods, (*OURS, *THEIRS))
    restart(threads)
    device = _devices.named(args.device)
    rows, of_cores = [], args.core_seconds
    facts = _common.machine(device, seconds=args.seconds, adam_seconds=before, of_cores=of_cores)
    keys = [(case, size, seed) for case in cases for size in sizes for seed in range(seeds)]
    starts = {key: start_of(problem_of(*key, args.device), before, of_cores) for key in keys}
    for name, (case, size, seed) in itertools.product(names, keys):
        start = starts[case, size, seed]
        row = row_of(case, size, name, seed, args.seconds, start, args.device, of_cores)
        rows.append(row)
        errors = " ".join(f"{row[key]:.2e}" for key in ERRORS[:3])
        text = f"{case} {row['parameters']} {name} {seed}: {errors}"
        print(f"{time.perf_counter() - START:6.0f} s  {text}", file=sys.stderr, flush=True)
        if args.out is not None:
            _common.write(with_medians(rows), args.out, facts)
    print(_common.table(with_medians(rows)))


if __name__ == "__main__":
    main()
