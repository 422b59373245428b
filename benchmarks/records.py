"""The published records: hard problems by stock DeepXDE scripts, on one core of a shared machine.

Each case is a script in `benchmarks/records/`, which states its problem, the measure of its error
and where its reference comes from, and can be run by itself. A run trains one case in this process,
with one thread. `core_seconds` are those of the processor for building and training, without the
errors that are looked at in the course of it; `wall_seconds` are longer where other work shares
the machine. Budgets are counted in seconds of a core: ten minutes on two cores are 1200.

The row `trivial` is what a network scores that returns zero; `random features` is a least-squares
fit of random waves by fastlsq, where a problem is steady or smooth and fastlsq is installed.
Published figures, floors and aims are in `_records/cases.py`. `docs/write_records.py` makes
`docs/records.md` from the files in `benchmarks/records/results`.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

os.environ.setdefault("DDE_BACKEND", "pytorch")
sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(1, str(Path(__file__).resolve().parent.parent))

import _common
from _gauss_newton.process import restart
from _records.cases import CASES


def listed() -> str:
    """Return the cases, their budgets and goals as a table."""
    rows = [
        {
            "case": name,
            "core_seconds": int(case.core_seconds),
            "measure": goal.measure,
            "floor": goal.floor,
            "aim": goal.aim,
            "published": goal.published,
        }
        for name, case in CASES.items()
        for goal in case.goals
    ]
    return _common.table(rows)


def main() -> None:
    """Train one case and print its rows."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--case", metavar="NAME", help=f"one of {', '.join(CASES)}")
    parser.add_argument("--list", action="store_true", help="print cases and goals, and end")
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="of one core; those of the script if not given"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    args = parser.parse_args()
    if args.list:
        print(listed())
        return
    if args.case not in CASES:
        sys.exit(f"`--case` must be one of {', '.join(CASES)}, got {args.case}.")
    if args.seconds is not None and not 0 < args.seconds < math.inf:
        sys.exit(f"`--seconds` must be positive, got {args.seconds}.")
    if args.seed < 0:
        sys.exit(f"`--seed` must be at least 0, got {args.seed}.")
    restart(1)
    from _records.rows import rows_of

    rows = rows_of(args.case, args.seconds, args.seed)
    _common.report(rows, args.out, _common.machine())


if __name__ == "__main__":
    main()
