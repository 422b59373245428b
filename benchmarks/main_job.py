"""A training step of the default main job: of this checkout, of another one, on a device.

The program runs as `python main.py` does (Brusselator, hard conditions, 10 of 100 graphs a step),
in one process for each checkout and device. The processes take turns, block by block of some
epochs, in an order that is turned round each time, so that a busy machine hits all alike; only one
of them works at a time. Further arguments are those of the program, such as
`problem.conditions=soft training=adaptive_ema`.

`ms` is the median over the blocks of the time of a step with its batch and callbacks;
`ms_with_ends` counts what is done at the end of an epoch too (errors, tables, a checkpoint).
`ratio` is the median over the blocks of how many times as long the step takes as that of the first
row, `ratio_least` and `ratio_most` are the quartiles; above 1, the first row is faster. With one
thread the clock is the process's CPU time; on another device than the CPU it is read once the
device is done. `commit` is what git says of the checkout.

    python benchmarks/main_job.py --other ../older --out main_job.json
    python benchmarks/main_job.py --device cuda,cpu
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import _common
import _devices
from _turns import Worker

ROOT = Path(__file__).resolve().parents[1]
WORKER = ROOT / "benchmarks" / "_main_job" / "worker.py"
START = time.perf_counter()
WARM_UP = 2  # epochs


@dataclass
class Runner:
    """One process, which works when it is told to.

    Attributes:
        name: of the checkout.
        root: where it lies.
        device: where it trains.
        worker: the process.
        steps: seconds of a step, one a block.
        with_ends: the same with a step's share of the end of an epoch.
    """

    name: str
    root: Path
    device: str
    worker: Worker
    steps: list[float] = field(default_factory=list)
    with_ends: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """Let it work for a block and keep what it took."""
        self.worker.go_on()
        found = self.worker.answer()
        self.steps.append(found["step"])
        self.with_ends.append(found["with_ends"])


def start(name: str, root: Path, device: str, args: argparse.Namespace, folder: str) -> Runner:
    """Start a process, which halts before the first block."""
    per_epoch = -(-args.graphs // args.batch)
    task = {
        "device": device,
        "per_epoch": per_epoch,
        "warm_up": WARM_UP,
        "epochs": args.epochs,
        "arguments": [
            *args.more,
            f"dataset.num_graphs={args.graphs}",
            f"dataset.batch_size={args.batch}",
            f"training.epochs={WARM_UP + args.epochs * args.blocks + 1}",
            f"hydra.run.dir={folder}/run",
        ],
    }
    environment = {**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": str(args.threads)}
    return Runner(name, root, device, Worker(WORKER, root, task, environment, folder))


def measure(runners: list[Runner], blocks: int) -> None:
    """Let all work in turns, the order turned round each time."""
    for runner in runners:
        runner.worker.first_answer()
    for block in range(blocks):
        for runner in runners if block % 2 == 0 else reversed(runners):
            runner.measure()
        told = ", ".join(f"{each.name} {1e3 * each.steps[-1]:.3g} ms" for each in runners)
        print(f"{time.perf_counter() - START:6.0f} s  {told}", file=sys.stderr, flush=True)


def row_of(runner: Runner, first: Runner) -> dict[str, Any]:
    """Return what was measured, beside the first."""
    ratios = [own / other for own, other in zip(runner.steps, first.steps, strict=True)]
    least, middle, most = quartiles(ratios)
    return {
        "name": runner.name,
        "commit": commit_of(runner.root),
        "device": runner.device,
        "ms": 1e3 * statistics.median(runner.steps),
        "ms_with_ends": 1e3 * statistics.median(runner.with_ends),
        "ratio": middle,
        "ratio_least": least,
        "ratio_most": most,
        "blocks": len(ratios),
    }


def quartiles(values: list[float]) -> list[float]:
    """Return the first quartile, the median and the third quartile."""
    if len(values) == 1:
        return 3 * values
    return statistics.quantiles(values, n=4, method="inclusive")


def commit_of(root: Path) -> str | None:
    """Return the short name of the commit that is checked out, with a mark if files differ."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None


def arguments() -> argparse.Namespace:
    """Return the command line, refused in one sentence where it makes no sense."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--other", type=Path, metavar="PATH", help="another checkout")
    parser.add_argument("--device", default="cpu", metavar="NAME[,NAME]", help="default: cpu")
    parser.add_argument("--blocks", type=int, default=15, metavar="N", help="of each process")
    parser.add_argument("--epochs", type=int, default=2, metavar="N", help="of a block")
    parser.add_argument("--graphs", type=int, default=100, metavar="N")
    parser.add_argument("--batch", type=int, default=10, metavar="N", help="graphs of a step")
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    parser.add_argument("more", nargs="*", help="further arguments of the program")
    args = parser.parse_args()
    for flag in ("blocks", "epochs", "batch", "threads"):
        if getattr(args, flag) < 1:
            sys.exit(f"`--{flag}` must be at least 1, got {getattr(args, flag)}.")
    if args.graphs <= args.batch:
        sys.exit(f"`--graphs` must be more than `--batch`, {args.batch}, got {args.graphs}.")
    if args.other is not None and not (args.other / "pinn_ext" / "__init__.py").is_file():
        sys.exit(f"`--other` must be a checkout of this project, got {args.other}.")
    return args


def main() -> None:
    """Measure all checkouts on all devices."""
    args = arguments()
    devices = list(dict.fromkeys(args.device.split(",")))
    cards = [device for device in map(_devices.named, devices) if device.type != "cpu"]
    checkouts = {"this": ROOT}
    if args.other is not None:
        checkouts["other"] = args.other.resolve()
    runners: list[Runner] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name, root in checkouts.items():
                for device in devices:
                    own = tempfile.mkdtemp(dir=folder)
                    runners.append(start(name, root, device, args, own))
            measure(runners, args.blocks)
        finally:
            for runner in runners:
                runner.worker.end()
    rows = [{**row_of(runner, runners[0]), "epochs": args.epochs} for runner in runners]
    facts = _common.machine(cards[0] if cards else None)
    steps = {"graphs": args.graphs, "batch": args.batch, "arguments": " ".join(args.more)}
    _common.report(rows, args.out, {**facts, "threads": args.threads, **steps})


if __name__ == "__main__":
    main()
