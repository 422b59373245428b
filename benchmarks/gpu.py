"""The figures of docs/gpu.md from an accelerator, in one run of ten minutes at most.

Each piece is one of the other benchmarks in a process of its own: `main_job` (the training step of
the program, beside the same on the CPU), `gauss_newton` (iterations with 1,000 to 8,000
parameters), `rk4` (a step on 1 and 4 million nodes beside torch's CSR matrix and the card's copy
bandwidth) and `overhead` (each kind of strategy beside no callback). What the columns mean is said
there. A piece that fails, or does not end in its share of the time, is a row with a `note`; so is
one that was not reached. The tables are printed in Markdown, ready to be put into the page.

    python benchmarks/gpu.py --device cuda --out gpu.json

`--tiny` runs a small piece of each part, on any device, to see that it works.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import _common
import _devices

FOLDER = Path(__file__).resolve().parent
START = time.perf_counter()
# One of each kind: losses, gradients, their directions, tangent kernel, points, pilots.
KINDS = "ema,gradient_balance,lr_annealing,ntk,sa_pinn,auto"
STEPPERS = ("--only", "ours,ours_eager,torch_csr", "--repeats", "5")
COLUMNS = {
    "main_job": ("piece", "device", "ms", "ms_with_ends", "ratio"),
    "gauss_newton": (
        *("parameters", "rows", "solver", "seconds_per_iteration", "seconds_of_product"),
        *("ratio_to_jtj", "jacobian_seconds", "peak_bytes"),
    ),
    "rk4": (
        *("graph", "nodes", "dtype", "name", "ms_per_step", "ms_per_step_with_gradient"),
        *("gb_per_s", "ratio_to_roofline", "ratio_to_ours", "peak_bytes"),
    ),
    "overhead": ("strategy", "statistic", "terms", "step_ms", "fraction_of_training", "every_step"),
}


@dataclass(frozen=True)
class Piece:
    """One run of another benchmark.

    Attributes:
        part: of the page, a key of `COLUMNS`.
        script: the benchmark.
        arguments: of it, but for the device.
        seconds: it may take at most.
        beside: a device to measure on as well.
    """

    part: str
    script: str
    arguments: tuple[str, ...]
    seconds: float
    beside: str | None = None

    @property
    def name(self) -> str:
        """What tells it from the other pieces of its part."""
        return " ".join(self.arguments)

    def command(self, device: str, out: Path) -> list[str]:
        """Return the command line."""
        devices = [device] if self.beside in (None, device) else [device, self.beside]
        own = ["--device", ",".join(devices), "--out", str(out), *self.arguments]
        return [sys.executable, str(FOLDER / self.script), *own]


FULL = (
    *(
        Piece("main_job", "main_job.py", ("--blocks=5", *more), 60.0, beside="cpu")
        for more in ((), ("dtype=float64",), ("problem.conditions=soft",))
    ),
    *(
        Piece(
            "rk4", "rk4.py", (f"--nodes={nodes}", "--graphs=grid", f"--dtype={of}", *STEPPERS), 60.0
        )
        for nodes in (1 << 20, 1 << 22)
        for of in ("float32", "float64")
    ),
    Piece(
        "gauss_newton",
        "gauss_newton_scaling.py",
        ("--sizes=1000,2000,4000,8000", "--few-rows=", "--iterations=5", "--seconds=15"),
        150.0,
    ),
    Piece("overhead", "overhead.py", ("--iterations=100", f"--strategies={KINDS}"), 150.0),
    Piece(
        "rk4",
        "rk4.py",
        ("--nodes=1048576", "--graphs=finite_element", "--dtype=float32,float64", *STEPPERS),
        90.0,
    ),
)
TINY = (
    Piece(
        "main_job",
        "main_job.py",
        (
            *("--blocks=1", "--epochs=1", "--graphs=4", "--batch=2"),
            *("dataset.nodes_per_side=8", "network.hidden=[4]"),
        ),
        120.0,
        beside="cpu",
    ),
    Piece(
        "rk4",
        "rk4.py",
        (
            *("--nodes=400", "--graphs=grid", "--dtype=float32", "--only=ours_eager,torch_csr"),
            *("--repeats=1", "--triad=100000"),
        ),
        120.0,
    ),
    Piece(
        "gauss_newton",
        "gauss_newton_scaling.py",
        ("--sizes=60", "--few-rows=", "--iterations=1", "--seconds=2", "--threads=1"),
        120.0,
    ),
    Piece(
        "overhead",
        "overhead.py",
        ("--iterations=2", "--terms=3", "--points=100", "--strategies=ema"),
        120.0,
    ),
)


def measured(piece: Piece, device: str, seconds: float) -> dict[str, Any]:
    """Run a piece; return its machine and rows, or one row with a note."""
    with tempfile.TemporaryDirectory() as folder:
        out, told = Path(folder, "out.json"), Path(folder, "stderr")
        with told.open("w", encoding="utf-8") as to:
            process = subprocess.Popen(
                piece.command(device, out),
                stdout=subprocess.DEVNULL,
                stderr=to,
                start_new_session=True,
            )
            try:
                status = process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # with what it has started
                process.wait()
                return noted(f"did not end in {seconds:.0f} s")
        if status or not out.exists():
            lines = told.read_text("utf-8").strip().splitlines()
            return noted(lines[-1] if lines else f"ended with {status}")
        return json.loads(out.read_text("utf-8"))


def noted(text: str) -> dict[str, Any]:
    """Return what stands for a piece without figures."""
    return {"machine": {}, "rows": [{"note": text}]}


def measure(pieces: Sequence[Piece], device: str, seconds: float) -> dict[str, Any]:
    """Run the pieces while there is time; return all rows, and the best bandwidth of a copy."""
    rows: list[dict[str, Any]] = []
    rates: list[float] = []
    for piece in pieces:
        left = seconds - (time.perf_counter() - START)
        share = min(left, piece.seconds)
        found = measured(piece, device, share) if left > 0 else noted("not reached")
        rates += found["machine"].get("copy_gb_per_s", {}).values()
        rows += [{"part": piece.part, "piece": piece.name, **row} for row in found["rows"]]
        note = rows[-1].get("note") or "done"
        clock = f"{time.perf_counter() - START:6.0f} s"
        print(f"{clock}  {piece.part} {piece.name}: {note}", file=sys.stderr, flush=True)
    return {"rows": rows, "copy_gb_per_s": max(rates, default=None)}


def markdown(part: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows of one part as a table of Markdown, and below it what has no figures."""
    keys = COLUMNS[part]
    own = [row for row in rows if row["part"] == part]
    lines = [" | ".join(keys), " | ".join("---" for _ in keys)]
    lines += [
        " | ".join(_common.cell(row.get(key)) for key in keys)
        for row in own
        if any(key in row for key in keys[1:])
    ]
    notes = [f"{row['piece']}: {row['note']}" for row in own if row.get("note")]
    text = "\n".join(f"| {line} |" for line in lines)
    return "\n\n".join([f"### {part}", text, *notes])


def main() -> None:
    """Measure all parts."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", metavar="NAME", help="default: cuda")
    parser.add_argument("--parts", default=",".join(COLUMNS), metavar="NAME[,NAME]")
    parser.add_argument("--minutes", type=float, default=10.0, metavar="M", help="at most")
    parser.add_argument("--tiny", action="store_true", help="a small piece of each part")
    args = parser.parse_args()
    parts = _common.chosen("--parts", args.parts, COLUMNS)
    if not args.minutes > 0:
        sys.exit(f"`--minutes` must be positive, got {args.minutes}.")
    device = _devices.named(args.device)
    pieces = [piece for piece in (TINY if args.tiny else FULL) if piece.part in parts]
    found = measure(pieces, args.device, 60.0 * args.minutes)
    rows = found["rows"]
    # Only now, as it may take memory of the device.
    facts = _common.machine(device, copy_gb_per_s=found["copy_gb_per_s"])
    print(", ".join(f"{key} {_common.cell(value)}" for key, value in facts.items() if value))
    for part in parts:
        print(f"\n{markdown(part, rows)}")
    if args.out is not None:
        _common.write(rows, args.out, facts)


if __name__ == "__main__":
    main()
