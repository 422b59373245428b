"""Gauss-Newton beside DeepXDE's own optimisers: the same model, the same seconds.

Each method starts from the same network, points, scaling and loss weights, in float64. `adam` has a
learning rate that falls along a cosine, `adam_lbfgs` goes on with L-BFGS, `adam_nncg` then with
NNCG; the shares of the time and the settings are the best of short trials and stand in
`_gauss_newton/methods.py`. `error_u` and `error_v` are relative L2 errors on points that no
training has seen, `worst` is the larger one, `trivial` what a network that returns zero scores in
the worse field. `seconds` is the time of the whole training; an iteration that has begun is
finished, so it can be more than was asked for. `iterations` are DeepXDE's.

A row with seed "median" stands for a case and a method: medians over the seeds; `ratio` is the
`worst` of the best other method over its own, above 1 for the best; `seconds_to_match` is when it
got to that of the best other method (looked at 40 times a training).

`--compare-to FOLDER` trains by Gauss-Newton alone, each case with this checkout and with the one in
FOLDER in turns, so that both meet the same machine. Seconds are then those of the process's cores;
`aim` is twice the error that the other checkout ended with, `seconds_to_aim` when each got there
(looked at 60 times), `ratio` that of this checkout over it: below 1 in the row "other" where this
one is faster.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import _common
import _devices
from _gauss_newton.process import restart

START = time.perf_counter()
FIGURES = ("error_u", "error_v", "worst", "trivial", "seconds", "iterations", "loss")


def row_of(case: str, method: str, seed: int, seconds: float, device: str) -> dict[str, Any]:
    """Train once; `_course` holds seconds and errors in its course."""
    from _gauss_newton.cases import build
    from _gauss_newton.methods import METHODS, Run

    problem = build(case, seed, device=device)
    trivial = max(problem.trivial_errors())
    run = Run(problem, seconds)
    METHODS[method](run)
    taken = run.elapsed
    run.look()
    error_u, error_v = problem.errors()
    figures = (error_u, error_v, max(error_u, error_v), trivial, taken)
    counted = (*figures, problem.model.train_state.step, problem.loss())
    row = {"case": case, "method": method, "seed": seed}
    row.update(zip(FIGURES, counted, strict=True))
    return {**row, "ratio": None, "seconds_to_match": None, "_course": run.course}


def with_medians(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of each case, followed by the medians of its methods."""
    result = []
    for case in dict.fromkeys(row["case"] for row in rows):
        own = [row for row in rows if row["case"] == case]
        by_method: dict[str, list[dict[str, Any]]] = {}
        for row in own:
            by_method.setdefault(row["method"], []).append(row)
        medians = [_common.median_row(group, FIGURES) for group in by_method.values()]
        for row in medians:
            others = [each["worst"] for each in medians if each is not row]
            if others:
                row["ratio"] = min(others) / row["worst"]
                row["seconds_to_match"] = median_match(by_method[row["method"]], min(others))
        result += own + medians
    return [{k: v for k, v in row.items() if not k.startswith("_")} for row in result]


def median_match(group: list[dict[str, Any]], error: float) -> float | None:
    """Return the median of the seconds to an error; None if not half of the seeds get there."""
    times = [
        next((seconds for seconds, found in each["_course"] if found <= error), math.inf)
        for each in group
    ]
    median = statistics.median(times)
    return median if math.isfinite(median) else None


def warm_up(methods: list[str], device: str) -> None:
    """Load and start what the first training would have to wait for."""
    for method in methods:
        row_of("coupled_burgers", method, 0, 0.01, device)


def beside(
    other: Path, cases: list[str], seeds: int, seconds: float, threads: int
) -> list[dict[str, Any]]:
    """Train every case and seed with this checkout and another; return rows and medians."""
    from _gauss_newton import side_by_side

    if not (other / "pinn_ext" / "__init__.py").is_file():
        sys.exit(f"`--compare-to` must be a checkout of this project, got {other}.")
    rows = []
    for case in cases:
        for seed in range(seeds):
            both = side_by_side.compare(other, case, seed, seconds, threads)
            rows += side_by_side.rows_of(both, case, seed)
            told = ", ".join(f"{row['checkout']} {row['worst']:.2e}" for row in rows[-2:])
            text = f"{case} {seed}: {told}, ratio {_common.cell(rows[-1]['ratio'])}"
            print(f"{time.perf_counter() - START:6.0f} s  {text}", file=sys.stderr, flush=True)
    return rows + side_by_side.medians(rows)


def main() -> None:
    """Train every case with every method and seed."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="a training")
    parser.add_argument("--seeds", default="3", metavar="N", help="how many")
    parser.add_argument("--cases", metavar="NAME[,NAME]")
    parser.add_argument("--methods", metavar="NAME[,NAME]")
    parser.add_argument("--threads", default="2", metavar="N")
    parser.add_argument("--compare-to", type=Path, metavar="FOLDER", help="another checkout")
    _devices.add_argument(parser)
    args = parser.parse_args()
    (threads,) = _common.numbers("--threads", args.threads, 1)
    (seeds,) = _common.numbers("--seeds", args.seeds, 1)
    if not 0 < args.seconds < math.inf:
        sys.exit(f"`--seconds` must be positive, got {args.seconds}.")
    if args.compare_to is not None and (args.methods or args.device != "cpu"):
        sys.exit("`--compare-to` trains by Gauss-Newton on the CPU: no --methods, no --device.")
    restart(threads)
    from _gauss_newton.cases import CASES
    from _gauss_newton.methods import METHODS

    cases = _common.chosen("--cases", args.cases or ",".join(CASES), CASES)
    methods = _common.chosen("--methods", args.methods or ",".join(METHODS), METHODS)
    device = _devices.named(args.device)
    facts = _common.machine(device, seconds=args.seconds)
    if args.compare_to is not None:
        rows = beside(args.compare_to, cases, seeds, args.seconds, threads)
        _common.report(rows, args.out, facts)
        return
    warm_up(methods, args.device)
    rows = []
    for case in cases:
        for seed in range(seeds):
            for method in methods:
                row = row_of(case, method, seed, args.seconds, args.device)
                rows.append(row)
                text = f"{case} {method} {seed}: {row['worst']:.2e} in {row['seconds']:.1f} s"
                print(f"{time.perf_counter() - START:6.0f} s  {text}", file=sys.stderr, flush=True)
    _common.report(with_medians(rows), args.out, facts)


if __name__ == "__main__":
    main()
