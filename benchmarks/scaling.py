"""What dimensionless fields do: raw loss terms and errors of each system, scaled and as it stands.

Each system, in its first case unless one is named, trains with each `problem.scaling` and seed: a
short training with the program's other defaults, hard conditions and fixed weights, as one sweep of
one thread. Further arguments are those of the program, such as `problem.conditions=soft`.

`ratio` is the largest over the smallest raw loss term, each the mean of the first epoch; `error` is
the larger of the two fields' relative L2 errors at the end, on held-out points; both are medians
over the seeds, beside the smallest and the largest. `trivial` is the error without training.

    python benchmarks/scaling.py --out scaling.json
    python benchmarks/scaling.py --systems brusselator,gray_scott/pulse training.epochs=100
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _common

from pinn_ext import systems
from pinn_ext.choices import SCALINGS

SHORT = (
    "dataset.num_graphs=20",
    "dataset.batch_size=4",
    "dataset.num_validation=2",
    "training.epochs=20",
)


def runs_of(problem: str, scalings: list[str], seeds: int, more: list[str]) -> list[dict[str, Any]]:
    """Return the reports of a sweep over scalings and seeds of `system` or `system/case`."""
    name, _, case = problem.partition("/")
    with tempfile.TemporaryDirectory() as folder:
        _common.call(
            str(_common.ROOT / "main.py"),
            "-m",
            f"problem={name}",
            *([f"problem.case={case}"] if case else []),
            f"problem.scaling={','.join(scalings)}",
            f"seed={','.join(map(str, range(seeds)))}",
            "device=cpu",
            *SHORT,
            *more,
            "hydra.sweep.dir=runs",
            folder=folder,
        )
        files = sorted(Path(folder, "runs").glob("*/report.json"))
        return [json.loads(file.read_text("utf-8")) for file in files]


def row_of(problem: str, scaling: str, reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of the runs with a scaling."""
    own = [report for report in reports if report["scaling"] == scaling]
    ratios = [ratio(report["raw_losses_first"].values()) for report in own]
    errors = [max(report["relative_l2"].values()) for report in own]
    return {
        "system": problem,
        "scaling": scaling,
        **spread("ratio", ratios),
        **spread("error", errors),
        "trivial": max(own[0]["relative_l2_trivial"].values()),
        "seconds": statistics.median(report["seconds_training"] for report in own),
        "seeds": len(own),
    }


def ratio(losses: Any) -> float:
    """Return the largest over the smallest of some losses, those that are 0 left out."""
    positive = [loss for loss in losses if loss > 0]
    return max(positive) / min(positive)


def spread(name: str, values: list[float]) -> dict[str, float]:
    """Return the median, the smallest and the largest of some values as columns."""
    return {
        name: statistics.median(values),
        f"{name}_smallest": min(values),
        f"{name}_largest": max(values),
    }


def main() -> None:
    """Measure all systems."""
    parser = _common.parser(__doc__.splitlines()[0])
    first = systems.names()
    legal = [*first, *(f"{name}/{case}" for name in first for case in systems.cases(name))]
    parser.add_argument("--systems", default=",".join(first), metavar="NAME[/CASE][,…]")
    parser.add_argument("--scalings", default="none,fields", metavar="NAME[,NAME]")
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0")
    parser.add_argument("more", nargs="*", help="further arguments of the program's runs")
    args = parser.parse_args()
    if args.seeds < 1:
        sys.exit(f"`--seeds` must be at least 1, got {args.seeds}.")
    scalings = _common.chosen("--scalings", args.scalings, SCALINGS)
    rows = []
    for problem in _common.chosen("--systems", args.systems, legal):
        reports = runs_of(problem, scalings, args.seeds, args.more)
        for scaling in scalings:
            rows.append(row_of(problem, scaling, reports))
            last = rows[-1]
            print(f"{problem}, {scaling}: {last['ratio']:.1e}, {last['error']:.1e}", flush=True)
    arguments = " ".join([*SHORT, *args.more])
    _common.report(rows, args.out, _common.machine(threads=1, arguments=arguments))


if __name__ == "__main__":
    main()
