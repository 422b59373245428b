"""Networks that step, trained in several ways on one family and measured on unseen problems.

Each training is a run of the program in this process, with one thread. `u` and `v` are the medians
over the seeds of the relative L2 error after the roll-out of a run's test problems, `worst` the
larger of both in the worst run; `frozen_u` and `frozen_v` are the errors of the state at the start.
`seconds` is the CPU time of a run, median of the seeds; references, which are made once for all
rows, count in the first row alone.

`strategies`: all strategies of `training=`. `networks`: the two networks with the recipe that they
are shipped with. `starts`: what a training starts from, initial states alone or roll-outs of the
network, and noise on it.
"""

from __future__ import annotations

import contextlib
import io
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import _common

import pinn_ext
from pinn_ext.cli import main as run_program

SHORT = (
    *("dataset.num_graphs=40", "dataset.num_validation=4", "dataset.num_test=20"),
    *("dataset.nodes_per_side=12", "training.epochs=20"),
)
"""A recipe of some ten seconds."""
NOT_HERE = ("capu",)
"""Strategies that need terms which are conditions; a family has none."""


def cases() -> dict[str, dict[str, list[str]]]:
    """Return the arguments of every row, by case and name."""
    strategies = {
        name: ["training=default" if name == "fixed" else f"training=adaptive_{name}"]
        for name in pinn_ext.strategies.names()
        if name not in NOT_HERE
    }
    best = "training=adaptive_equal_init"
    return {
        "strategies": strategies,
        "networks": {name: [f"network={name}", best] for name in ("gnn", "mesh_graph_net")},
        "starts": {
            f"rollout={steps} noise={noise}": [
                *(best, f"dataset.family.rollout={steps}", f"dataset.family.noise={noise}")
            ]
            for steps in (0, 10)
            for noise in (0, 0.02, 0.1)
        },
    }


def run_of(arguments: list[str]) -> tuple[dict[str, Any], float]:
    """Return the report of a run and its CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        printed, start = io.StringIO(), time.process_time()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            status = run_program([*arguments, f"hydra.run.dir={folder}/run"])
        seconds = time.process_time() - start
        if status:
            sys.exit(f"{' '.join(arguments)} failed:\n{printed.getvalue()}")
        return json.loads(Path(folder, "run", "report.json").read_text("utf-8")), seconds


def row_of(name: str, arguments: list[str], seeds: int) -> dict[str, Any]:
    """Train with each seed."""
    runs = [run_of([*arguments, f"seed={seed}"]) for seed in range(seeds)]
    errors = [report["relative_l2"] for report, _ in runs]
    frozen = [report["relative_l2_trivial"] for report, _ in runs]
    return {
        "row": name,
        "u": statistics.median(own["u"] for own in errors),
        "v": statistics.median(own["v"] for own in errors),
        "worst": max(map(_common.worse, errors)),
        "frozen_u": statistics.median(own["u"] for own in frozen),
        "frozen_v": statistics.median(own["v"] for own in frozen),
        "seconds": statistics.median(seconds for _, seconds in runs),
        "seeds": seeds,
    }


def main() -> None:
    """Measure the rows of a case."""
    every = cases()
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("case", choices=sorted(every))
    parser.add_argument("--rows", metavar="NAME[,NAME]", help="some of its rows (default: all)")
    parser.add_argument("--seeds", type=int, default=2, help="how many, from 0")
    parser.add_argument("more", nargs="*", help="arguments of all runs (default: a short recipe)")
    args = parser.parse_args()
    if args.seeds < 1:
        sys.exit(f"`--seeds` must be at least 1, got {args.seeds}.")
    own = every[args.case]
    names = list(own) if args.rows is None else _common.chosen("--rows", args.rows, own)
    more, rows = args.more or list(SHORT), []
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        shared = ["network=gnn", "device=cpu", f"dataset.family.root={folder}", *more]
        for name in names:
            rows.append(row_of(name, [*shared, *own[name]], args.seeds))
            print(", ".join(f"{key} {_common.cell(v)}" for key, v in rows[-1].items()), flush=True)
    _common.report(rows, args.out, _common.machine(arguments=" ".join(more)))


if __name__ == "__main__":
    main()
