"""Gauss-Newton with many rows: the whole Jacobian, the exact sum over blocks, a sketch of the rows.

The model is a stock DeepXDE one: Brusselator with soft conditions, three hidden layers, float64.
Each row of the table makes iterations for `--seconds` from the same start by one solver:
`primal` holds the Jacobian, `accumulated` makes it in blocks and sums `J^T J`, `sketched` folds
each block into a sketch of four rows a parameter. `error` is the relative L2 error of the worse
field on points that no training has seen, `loss` that of the training points, both at the end.
`seconds_per_iteration` is the median without the first. On the CPU all seconds are those of its
cores, divided by the number of threads, so that other work on the machine counts for little.
`peak_bytes` (Linux) is what the iterations add to resident memory, on another device than the CPU
to what torch has allocated there; `peak_ratio` the same in units of the Jacobian. Each row is a
separate process.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import _common
import _devices
from _gauss_newton.process import child

START = time.perf_counter()
WAYS = ("primal", "accumulated", "sketched")
FIGURES = (
    "seconds_per_iteration",
    "iterations",
    "trials",
    "seconds",
    "error",
    "loss",
    "peak_bytes",
    "peak_ratio",
    "note",
)


def row_of(parameters: int, rows: int, solver: str, seed: int, args: Any) -> dict[str, Any]:
    """Measure one solver on one size."""
    found = child(
        "sketch_run",
        args.threads,
        limit=600.0 + 100.0 * args.seconds,  # of the wall clock, beside other work
        parameters=parameters,
        rows=rows,
        solver=solver,
        seconds=args.seconds,
        seed=seed,
        memory_limit_gb=args.memory_limit_gb,
        device=args.device,
    )
    row = {"parameters": parameters, "rows": rows, "solver": solver, "seed": seed}
    row |= {**dict.fromkeys(FIGURES), **found}
    if row["peak_bytes"] is not None:
        row["peak_ratio"] = row["peak_bytes"] / (8 * row["rows"] * row["parameters"])
    text = f"{solver}: {row['seconds_per_iteration']} s, error {row['error']} {row['note'] or ''}"
    said = f"{row['parameters']} x {row['rows']}, {text}"
    print(f"{time.perf_counter() - START:6.0f} s  {said}", file=sys.stderr, flush=True)
    return row


def main() -> None:
    """Measure every number of rows by every solver, for every number of parameters."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000,3000", metavar="N[,N]", help="parameters")
    parser.add_argument("--rows", default="8000,32000,100000", metavar="M[,M]")
    parser.add_argument("--solvers", default=",".join(WAYS), metavar="NAME[,NAME]")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="a row, about")
    parser.add_argument("--seeds", type=int, default=1, metavar="N")
    parser.add_argument("--memory-limit-gb", type=float, metavar="GIB")
    parser.add_argument("--threads", default="1", metavar="N")
    _devices.add_argument(parser)
    args = parser.parse_args()
    (args.threads,) = _common.numbers("--threads", args.threads, 1)
    sizes = _common.numbers("--sizes", args.sizes, 20)
    counts = _common.numbers("--rows", args.rows, 100)
    solvers = _common.chosen("--solvers", args.solvers, WAYS)
    if args.seeds < 1:
        sys.exit(f"`--seeds` must be at least 1, got {args.seeds}.")
    for flag in ("seconds", "memory_limit_gb"):
        value = getattr(args, flag)
        if value is not None and not 0 < value < math.inf:
            sys.exit(f"`--{flag.replace('_', '-')}` must be positive, got {value}.")
    device = _devices.named(args.device)
    rows = [
        row_of(parameters, count, solver, seed, args)
        for parameters in sizes
        for count in counts
        if count >= parameters
        for solver in solvers
        for seed in range(args.seeds)
    ]
    if not rows:
        sys.exit(f"`--rows` must reach the parameters ({args.sizes}), got {args.rows}.")
    given = {"seconds": args.seconds, "memory_limit_gb": args.memory_limit_gb}
    _common.report(rows, args.out, {**_common.machine(device, **given), "threads": args.threads})


if __name__ == "__main__":
    main()
