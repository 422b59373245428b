"""The factor w0 of sine networks, and tanh beside it: errors of the program's runs over seeds.

Each run is one command of the program, all in one process with one thread: some epochs of Adam, or
Gauss-Newton alone. Errors are relative L2 errors of the worse field on points that were never
trained on.
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
import torch

import pinn_ext
from pinn_ext.cli import main as program

METHODS = {
    "adam": ["training.epochs=30", "dataset.num_graphs=40", "network.hidden=[24,24,24]"],
    "gauss_newton": [
        *("training=gauss_newton", "training.gauss_newton.iterations=30"),
        *("dataset.num_graphs=10", "network.hidden=[12,12,12]"),
    ],
}
"""Arguments of the program by name."""


def network_arguments(kind: str) -> list[str]:
    """Return the arguments of a network: `tanh`, or a number, the factor of sines."""
    return [] if kind == "tanh" else ["network=sine", f"network.w0={kind}"]


def run(system: str, method: str, kind: str, seed: int, more: list[str]) -> tuple[float, float]:
    """Return the error of a run and its seconds of processor time."""
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        arguments = [
            f"problem={system}",
            *METHODS[method],
            *network_arguments(kind),
            *more,
            f"seed={seed}",
            "device=cpu",
            f"hydra.run.dir={folder}/run",
        ]
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = program(arguments)
        if status:
            sys.exit(f"{' '.join(arguments)} failed:\n{said.getvalue()}")
        report = json.loads(Path(folder, "run", "report.json").read_text("utf-8"))
    return _common.worse(report["relative_l2"]), time.process_time() - start


def row_of(system: str, method: str, kind: str, seeds: int, more: list[str]) -> dict[str, Any]:
    """Train with each seed."""
    found = [run(system, method, kind, seed, more) for seed in range(seeds)]
    errors = [error for error, _ in found]
    return {
        "system": system,
        "method": method,
        "network": kind if kind == "tanh" else f"sine, w0={kind}",
        **_common.spread(errors),
        "cpu_seconds": statistics.median(seconds for _, seconds in found),
        "seeds": seeds,
    }


def main() -> None:
    """Train every system with every method and network."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--systems", default="coupled_burgers,schroedinger", metavar="NAME[,NAME]")
    parser.add_argument("--methods", default=",".join(METHODS), metavar="NAME[,NAME]")
    parser.add_argument("--w0", default="1,2,3,5,10", metavar="W[,W]", help="tanh is always there")
    parser.add_argument("--seeds", default="3", metavar="N", help="how many, from 0")
    parser.add_argument("more", nargs="*", help="further arguments of the runs")
    args = parser.parse_args()
    (seeds,) = _common.numbers("--seeds", args.seeds, 1)
    torch.set_num_threads(1)
    systems = _common.chosen("--systems", args.systems, pinn_ext.systems.names())
    methods = _common.chosen("--methods", args.methods, METHODS)
    factors = args.w0.split(",")
    if not all(factor.replace(".", "", 1).isdecimal() and float(factor) for factor in factors):
        sys.exit(f"`--w0` must be numbers > 0, got {args.w0}.")
    rows = []
    for system in systems:
        for method in methods:
            for kind in ("tanh", *factors):
                rows.append(row_of(system, method, kind, seeds, args.more))
                row = rows[-1]
                print(f"{system} {method} {row['network']}: {row['median']:.2e}", flush=True)
    _common.report(rows, args.out, _common.machine(threads=1))


if __name__ == "__main__":
    main()
