"""Seconds and memory of an iteration of Gauss-Newton as the network grows.

The model is a stock DeepXDE one: Brusselator with soft conditions, three hidden layers, float64.
`--sizes` are numbers of parameters; the rows are `--rows-per-parameter` times as many, at most
50,000. Iterations are those of `train_gauss_newton` by its defaults, from the start, the first not
counted: `seconds_per_iteration` is their median, the parts beneath it are means (`jacobian`: all
rows and their derivatives; `residuals`: of the trials; `matrix`: J^T J or lengths of columns;
`solves`: factors and triangular solves, with J J^T where that is smaller; `lsmr`: products).
`seconds_of_product` is a plain `J.T @ J` of the same shape in the same process with the same
threads, `ratio_to_jtj` an iteration in that unit; empty where J is not formed. `solver` is the one
that the memory limit left. `peak_bytes` (Linux) is what the iterations add to resident memory, on
another device than the CPU to what torch has allocated there; `peak_ratio` the same in units of J.
Each row is a separate process.
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
MOST_ROWS = 50_000
FIGURES = (
    "solver",
    "seconds_per_iteration",
    "seconds_of_product",
    "ratio_to_jtj",
    "jacobian_seconds",
    "residuals_seconds",
    "matrix_seconds",
    "solves_seconds",
    "lsmr_seconds",
    "trials",
    "iterations",
    "peak_bytes",
    "peak_ratio",
    "note",
)


def row_of(parameters: int, rows: int, args: Any, threads: int) -> dict[str, Any]:
    """Measure one size."""
    found = child(
        "scaling_run",
        threads,
        limit=60.0 + 10.0 * args.seconds,
        parameters=parameters,
        rows=rows,
        iterations=args.iterations,
        seconds=args.seconds,
        memory_limit_gb=args.memory_limit_gb,
        device=args.device,
    )
    row = {"parameters": parameters, "rows": rows, **dict.fromkeys(FIGURES), **found}
    if row["peak_bytes"] is not None:
        row["peak_ratio"] = row["peak_bytes"] / (8 * row["rows"] * row["parameters"])
    taken, ratio = row["seconds_per_iteration"], row["ratio_to_jtj"]
    text = f"{row['parameters']} x {row['rows']}: {row['solver']}, {taken} s, ratio {ratio}"
    print(f"{time.perf_counter() - START:6.0f} s  {text}", file=sys.stderr, flush=True)
    return row


def main() -> None:
    """Measure every size, and one with fewer rows than parameters."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="500,1000,2000,4000", metavar="N[,N]")
    parser.add_argument("--rows-per-parameter", type=float, default=4.0, metavar="R")
    parser.add_argument("--few-rows", default="2000", metavar="N[,N]", help="sizes with m = n / 2")
    parser.add_argument("--iterations", type=int, default=10, metavar="N", help="at most")
    parser.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        metavar="S",
        help="a size, about; a size that takes ten times as long is left",
    )
    parser.add_argument("--memory-limit-gb", type=float, metavar="GIB")
    parser.add_argument("--threads", default="2", metavar="N")
    _devices.add_argument(parser)
    args = parser.parse_args()
    (threads,) = _common.numbers("--threads", args.threads, 1)
    sizes = _common.numbers("--sizes", args.sizes, 20)
    few = _common.numbers("--few-rows", args.few_rows, 200) if args.few_rows else []
    if args.iterations < 1:
        sys.exit(f"`--iterations` must be at least 1, got {args.iterations}.")
    for flag in ("seconds", "rows_per_parameter", "memory_limit_gb"):
        value = getattr(args, flag)
        if value is not None and not 0 < value < math.inf:
            sys.exit(f"`--{flag.replace('_', '-')}` must be positive, got {value}.")
    device = _devices.named(args.device)
    wanted = [(n, min(MOST_ROWS, round(args.rows_per_parameter * n))) for n in sizes]
    rows = [row_of(n, m, args, threads) for n, m in [*wanted, *((n, n // 2) for n in few)]]
    given = {"seconds": args.seconds, "memory_limit_gb": args.memory_limit_gb}
    _common.report(rows, args.out, {**_common.machine(device, **given), "threads": threads})


if __name__ == "__main__":
    main()
