"""One case: its script trained, its errors beside the trivial ones and those of random features."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from _records import random_features
from _records.cases import CASES

SCRIPTS = Path(__file__).resolve().parent.parent / "records"
FACTS = ("parameters", "points", "iterations", "core_seconds", "wall_seconds", "seed")


class Stopwatch:
    """Seconds of the wall and of the processor, without those in which it is paused."""

    def __init__(self) -> None:
        self._begun = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Return the seconds of the wall and of the processor so far."""
        wall, core = self._now()
        return wall - self._begun[0], core - self._begun[1]

    def paused(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function during whose calls the watch stands still."""

        def call(*arguments: Any) -> Any:
            wall, core = self.read()
            result = function(*arguments)
            now = self._now()
            self._begun = now[0] - wall, now[1] - core
            return result

        return call


def script_of(name: str) -> ModuleType:
    """Import the script of a case, from the folder that Python would find it in as a script."""
    if str(SCRIPTS) not in sys.path:
        sys.path.insert(0, str(SCRIPTS))
    return importlib.import_module(name)


def rows_of(name: str, seconds: float | None, seed: int) -> list[dict[str, Any]]:
    """Return the rows of a case: ours, the trivial one, and random features where they should do.

    Args:
        name: of the case.
        seconds: of one core, for the training; None takes those of the script.
        seed: of network and points.

    Returns:
        Flat rows with the same keys.
    """
    script = script_of(name)
    points, true = script.truth()

    def errors(predict: Callable[[Any], Any]) -> Mapping[str, float]:
        return script.errors(predict(points), true)

    watch = Stopwatch()
    given = script.SECONDS if seconds is None else seconds
    predict, facts = script.solve(given, seed, watch.paused(errors))
    wall, core = watch.read()
    facts = {**facts, "core_seconds": core, "wall_seconds": wall, "seed": seed}
    rows = [row(name, "pinn_ext", errors(predict), facts)]
    rows.append(row(name, "trivial", script.errors(script.trivial(points), true), {}))
    if CASES[name].smooth:
        rows += feature_rows(name, script, points, true, seed)
    return rows


def feature_rows(
    name: str, script: ModuleType, points: Any, true: Any, seed: int
) -> list[dict[str, Any]]:
    """Return the row of random features, or say what it needs."""
    if not random_features.installed():
        print(random_features.MISSING, file=sys.stderr)
        return []
    watch = Stopwatch()
    found, facts = random_features.SOLVERS[name](points, seed)
    wall, core = watch.read()
    facts = {**facts, "core_seconds": core, "wall_seconds": wall, "seed": seed}
    return [row(name, "random features", script.errors(found, true), facts)]


def row(
    name: str, method: str, errors: Mapping[str, float], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a flat row: the errors by the measures of the script, then what it took."""
    unknown = set(facts) - set(FACTS)
    if unknown:
        raise ValueError(f"facts must be among {', '.join(FACTS)}, got {', '.join(unknown)}.")
    found = {f"error_{measure}": float(error) for measure, error in errors.items()}
    return {"case": name, "method": method, **found, **{key: facts.get(key) for key in FACTS}}
