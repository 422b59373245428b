"""How soon the program and the packages answer: CPU time of whole processes, as ratios.

A ratio compares two commands that are run in turn, so that a busy machine slows down both: imports
with `import torch` (`solvers` with torch and scipy), answers of the program with the same command
of an older checkout, which `--against FOLDER` names (`git worktree add --detach FOLDER COMMIT`).
The smallest time of a command counts, as all that disturbs it makes it larger.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import _common

ROOT = Path(__file__).resolve().parent.parent
TORCH = "import torch"
IMPORTS = (
    ("import pinn_ext", TORCH),
    ("from pinn_ext import LossAggregator", TORCH),
    ("import solvers.gauss_newton", "import torch, scipy.linalg"),
)
ANSWERS = (
    ["--help"],
    ["training.epoch=3"],
    ["problem.parameters.sid=3"],
    ["training.epochs=-3"],
    ["predcit"],
)


def main() -> None:
    """Measure, print the table, write the rows if asked to."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="an older checkout")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="(default: 5)")
    given = parser.parse_args()
    if given.repeats < 1:
        parser.error(f"`--repeats` must be a whole number >= 1, got {given.repeats}.")
    old = given.against
    if old is not None and not (old / "main.py").is_file():
        parser.error(f"`--against` must be a checkout of this project, got {old}.")
    pairs = [(own, (ROOT, ["-c", own]), (ROOT, ["-c", other]), other) for own, other in IMPORTS]
    if old is not None:
        for words in ANSWERS:
            command = " ".join(["pinn-ext", *words])
            pairs.append((command, _answer(ROOT, words), _answer(old.resolve(), words), str(old)))
    rows = [_row(*pair, given.repeats) for pair in pairs]
    _common.report(rows, given.out, _common.machine(repeats=given.repeats))


def _answer(root: Path, words: list[str]) -> tuple[Path, list[str]]:
    return root, [str(root / "main.py"), *words]


def _row(
    name: str,
    own: tuple[Path, list[str]],
    other: tuple[Path, list[str]],
    against: str,
    repeats: int,
) -> dict[str, Any]:
    """Return a row of the table: the best of each of two commands, run in turn."""
    seconds = [(_cpu(*own), _cpu(*other)) for _ in range(repeats)]
    ours, theirs = (min(column) for column in zip(*seconds, strict=True))
    return {
        "command": name,
        "CPU s": round(ours, 3),
        "against": against,
        "its CPU s": round(theirs, 3),
        "ratio": round(ours / theirs, 3),
    }


def _cpu(root: Path, arguments: list[str]) -> float:
    """Return the seconds of CPU, user and system, of Python with these arguments."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
            capture_output=True,
        )
    if done.returncode not in (0, 2):  # 2: refused, as it should be
        raise SystemExit(f"{arguments} failed:\n{done.stderr.decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
