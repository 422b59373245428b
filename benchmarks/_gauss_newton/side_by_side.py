"""Gauss-Newton of this checkout beside that of another one, in turns on the same processor."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import _common
from _turns import Worker

from _gauss_newton.process import environment

ROOT = Path(__file__).resolve().parents[2]
LOOKS = 60  # at the error in the course of a training
TURN = Path(__file__).resolve().with_name("turn.py")


@dataclass
class Training:
    """A training under way in a process of its own.

    Attributes:
        name: "this" or "other".
        worker: The process.
        course: What it has said at each halt.
    """

    name: str
    worker: Worker
    course: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return bool(self.course) and bool(self.course[-1]["ended"])

    def go_on(self) -> None:
        """Let it train until it halts again."""
        self.worker.go_on()
        self.course.append(self.worker.answer())

    def seconds_to(self, error: float) -> float:
        """Return the seconds after which its error was that small; infinite if it never was."""
        found = (look["seconds"] for look in self.course if look["error"] <= error)
        return next(found, math.inf)


def start(name: str, root: Path, threads: int, task: dict[str, Any]) -> Training:
    """Start a training, which halts before its first step."""
    worker = Worker(TURN, root, {**task, "root": str(root)}, environment(threads), TURN.parent)
    return Training(name, worker)


def compare(other: Path, case: str, seed: int, seconds: float, threads: int) -> list[Training]:
    """Train a case with both checkouts in turns.

    Args:
        other: The other checkout.
        case: Name of a case.
        seed: Of its points and of its network.
        seconds: Of each training.
        threads: Of each process.

    Returns:
        Both trainings, that of this checkout first.
    """
    task = {"case": case, "seed": seed, "seconds": seconds, "looks": LOOKS}
    both: list[Training] = []
    try:
        for name, root in (("this", ROOT), ("other", other.resolve())):
            both.append(start(name, root, threads, task))
            both[-1].course.append(both[-1].worker.first_answer())
        ours, theirs = (training.course[0]["loss"] for training in both)
        if not math.isclose(ours, theirs, rel_tol=1e-9):
            sys.exit(f"Both must start with the same loss, got {ours:.9g} and {theirs:.9g}.")
        turn = 0
        while not all(training.ended for training in both):
            for training in both if turn % 2 == 0 else both[::-1]:
                if not training.ended:
                    training.go_on()
            turn += 1
    finally:
        for training in both:
            training.worker.end()
    return both


def rows_of(both: list[Training], case: str, seed: int) -> list[dict[str, Any]]:
    """Return a row for each checkout, with the seconds to twice the other's final error."""
    aim = 2 * both[1].course[-1]["error"]
    times = [training.seconds_to(aim) for training in both]
    rows = []
    for training, taken in zip(both, times, strict=True):
        last = training.course[-1]
        found = taken if math.isfinite(taken) else None
        rows.append({
            "case": case,
            "checkout": training.name,
            "seed": seed,
            "worst": last["error"],
            "loss": last["loss"],
            "iterations": last["iterations"],
            "core_seconds": last["seconds"],
            "aim": aim,
            "seconds_to_aim": found,
            "ratio": times[0] / taken if math.isfinite(taken) and taken > 0 else None,
        })  # fmt: skip
    return rows


def medians(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the medians over the seeds of each case and checkout."""
    result = []
    for case, name in dict.fromkeys((row["case"], row["checkout"]) for row in rows):
        own = [row for row in rows if (row["case"], row["checkout"]) == (case, name)]
        row = _common.median_row(own, list(own[0])[3:])
        result.append({k: None if v == math.inf else v for k, v in row.items()})
    return result
