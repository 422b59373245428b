"""Gauss-Newton beside `scipy.optimize.least_squares`: seconds to the same cost, and memory.

`ours` is `train_gauss_newton` with its defaults on a stock DeepXDE model (Brusselator, soft and
hard conditions, three hidden layers, about 4000 rows). The others are scipy's methods on the same
residual from the same start, in float64: `scipy_trf`, `scipy_trf_lsmr` and `scipy_lm` with our
Jacobian passed as `jac`, so that they differ from ours by the solver alone; `scipy_trf_2point`
with scipy's default differences. Each run is a separate process, ended by the clock.

`lowest` is the lowest cost reached (half the sum of squares, from `start` on) and `seconds` the
time until then; `njev` the Jacobians (for ours, iterations; for differences, residuals over one
more than the parameters), `ms_per_njev` the time of the run over their number, `ratio_njev` that
time over ours. `target` is the lowest cost that both the row's method and ours reached;
`seconds_to_target` and `ours_to_target` are when; `ratio` is the former over the latter.
`ratio_least` and `ratio_most` are the extremes of that ratio over this target and all those in
decades below the start that both reached. A method that has not halved the cost has no ratio.
`peak_bytes` (Linux) is what minimising adds to resident memory. Rows with seed "median" are
medians over the seeds.
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
from _gauss_newton.process import child

START = time.perf_counter()
CASES = ("brusselator_hard", "brusselator_soft")
METHODS = ("ours", "scipy_trf", "scipy_trf_lsmr", "scipy_lm", "scipy_trf_2point")
KEYS = ("case", "method", "seed", "parameters", "rows")
FIGURES = (
    "start",
    "lowest",
    "seconds",
    "nfev",
    "njev",
    "ms_per_njev",
    "target",
    "seconds_to_target",
    "ours_to_target",
    "ratio",
    "ratio_least",
    "ratio_most",
    "ratio_njev",
    "peak_bytes",
)

Course = list[list[float]]


def row_of(found: dict[str, Any], keys: dict[str, Any]) -> dict[str, Any]:
    """Return a row from what a process has found, without comparison."""
    row = {**dict.fromkeys(KEYS), **dict.fromkeys(FIGURES), **keys, "note": found.get("note")}
    row["_course"] = course = found.get("course", [])
    if course:
        row.update({key: found[key] for key in ("rows", "nfev", "njev", "peak_bytes")})
        row["parameters"] = found["parameters"]
        row["start"], row["lowest"], row["seconds"] = course[0][1], course[-1][1], course[-1][0]
        row["ms_per_njev"] = 1e3 * found["seconds"] / found["njev"] if found["njev"] else None
    return row


def when(course: Course, cost: float) -> float:
    """Return the seconds at which a course first was at a cost or below."""
    return next((seconds for seconds, found in course if found <= cost), math.inf)


def compare(row: dict[str, Any], ours: dict[str, Any]) -> None:
    """Fill in what needs our own run of the same problem and seed."""
    if not row["_course"] or not ours["_course"]:
        return
    row["target"] = target = max(row["lowest"], ours["lowest"])
    row["seconds_to_target"] = when(row["_course"], target)
    row["ours_to_target"] = when(ours["_course"], target)
    if row["ms_per_njev"] and ours["ms_per_njev"]:
        row["ratio_njev"] = row["ms_per_njev"] / ours["ms_per_njev"]
    if target > 0.5 * row["start"]:
        return
    decades = int(math.log10(row["start"] / target))
    costs = [target, *(row["start"] / 10**k for k in range(1, decades + 1))]
    ratios = [when(row["_course"], cost) / when(ours["_course"], cost) for cost in costs]
    row["ratio"], row["ratio_least"], row["ratio_most"] = ratios[0], min(ratios), max(ratios)


def median_row(group: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians over the seeds; None where fewer than half have a figure."""
    row = {**group[0], "seed": "median"}
    for name in FIGURES:
        values = [each[name] for each in group if each[name] is not None]
        row[name] = statistics.median(values) if 2 * len(values) >= len(group) else None
    return row


def main() -> None:
    """Run every method on every problem."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="a run")
    parser.add_argument("--seeds", default="3", metavar="N", help="how many")
    parser.add_argument("--cases", default=",".join(CASES), metavar="NAME[,NAME]")
    parser.add_argument("--methods", default=",".join(METHODS), metavar="NAME[,NAME]")
    parser.add_argument("--parameters", default="500,1000", metavar="N[,N]", help="about")
    parser.add_argument("--threads", default="2", metavar="N")
    args = parser.parse_args()
    (threads,) = _common.numbers("--threads", args.threads, 1)
    (seeds,) = _common.numbers("--seeds", args.seeds, 1)
    sizes = _common.numbers("--parameters", args.parameters, 50)
    cases = _common.chosen("--cases", args.cases, CASES)
    methods = _common.chosen("--methods", args.methods, METHODS)
    if not 0 < args.seconds < math.inf:
        sys.exit(f"`--seconds` must be positive, got {args.seconds}.")
    rows = []
    for case in cases:
        for size in sizes:
            rows += rows_of(case, size, methods, range(seeds), args.seconds, threads)
    facts = _common.machine(seconds=args.seconds)
    _common.report(rows, args.out, {**facts, "threads": threads})


def rows_of(
    case: str, size: int, methods: list[str], seeds: range, seconds: float, threads: int
) -> list[dict[str, Any]]:
    """Run all methods on one problem; ours first, whether or not it is a row."""
    by_method: dict[str, list[dict[str, Any]]] = {}
    for seed in seeds:
        for method in dict.fromkeys(("ours", *methods)):
            found = child(
                "scipy_run",
                threads,
                case=case,
                parameters=size,
                method=method,
                seed=seed,
                seconds=seconds,
            )
            keys = {"case": case, "method": method, "seed": seed, "parameters": size}
            row = row_of(found, keys)
            by_method.setdefault(method, []).append(row)
            compare(row, by_method["ours"][seed])
            lowest, ratio = row["lowest"], row["ratio"]
            text = f"{case} {size} {method} {seed}: {lowest}, ratio {ratio} {row['note'] or ''}"
            print(f"{time.perf_counter() - START:6.0f} s  {text}", file=sys.stderr, flush=True)
    chosen = [by_method[method] for method in methods]
    result = [row for group in chosen for row in group] + [median_row(group) for group in chosen]
    return [{k: v for k, v in row.items() if not k.startswith("_")} for row in result]


if __name__ == "__main__":
    main()
