"""One training by Gauss-Newton with the package of a checkout, which halts for the others' turns.

Takes `{"root", "case", "seed", "seconds", "looks"}`. Cases are those of the benchmarks of that
checkout, so nothing is imported here that another version may lack. At each halt it writes a line
`{"seconds", "error", "loss", "iterations", "ended"}` and waits for one; the first has seconds 0.
Seconds are those of its own cores: other work on the machine does not count.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

TASK = json.loads(sys.argv[1])
sys.path[:0] = [str(Path(TASK["root"], "benchmarks")), TASK["root"]]

import deepxde as dde  # noqa: E402

FOREVER = 10**9  # iterations: the clock ends the training


class Turns(dde.callbacks.Callback):
    """Halts a training after equal parts of its seconds, and notes how far it got.

    Args:
        channel: where the lines are written.
        problem: what is trained.
        seconds: of the training.
        looks: into how many parts they are cut.
    """

    def __init__(self, channel: TextIO, problem: Any, seconds: float, looks: int) -> None:
        super().__init__()
        self._channel, self._problem = channel, problem
        self._seconds, self._looks, self._made = seconds, looks, 0
        self._start = 0.0

    def halt(self, ended: bool = False) -> None:
        """Say how far the training got, and wait for a line; the clock stands still."""
        taken = time.process_time() - self._start if self._made else 0.0
        self._made += 1
        found = {
            "package": sys.modules["pinn_ext"].__file__,
            "seconds": taken,
            "error": max(self._problem.errors()),
            "loss": self._problem.loss(),
            "iterations": self._problem.model.train_state.step or 0,
            "ended": ended,
        }
        print(json.dumps(found), file=self._channel, flush=True)
        if not sys.stdin.readline():
            os._exit(0)  # nobody asks any more
        self._start = time.process_time() - taken

    def on_batch_end(self) -> None:
        """Halt if a part of the seconds has passed; end after the last."""
        if time.process_time() - self._start < self._seconds * self._made / self._looks:
            return
        last = self._made >= self._looks
        self.halt(last)
        self.model.stop_training = last


def build(case: str, seed: int) -> Any:
    """Return a case of the checkout."""
    try:
        from _gauss_newton import cases
    except ImportError:  # up to version 0.1.0 the cases were a module beside the scripts
        import _gauss_newton_cases as cases
    return cases.build(case, seed)


def main() -> None:
    """Train, and end with a line that says so where the training ended by itself."""
    channel = os.fdopen(os.dup(1), "w")
    with contextlib.redirect_stdout(sys.stderr):
        import pinn_ext

        # What is loaded or found out at the first call belongs to no training.
        warm = build(TASK["case"], TASK["seed"])
        warm.compile("adam", lr=1e-3)
        pinn_ext.train_gauss_newton(warm.model, 2, verbose=0)
        problem = build(TASK["case"], TASK["seed"])
        problem.compile("adam", lr=1e-3)
        problem.model.train_state.set_data_train(*problem.model.data.train_next_batch())
        turns = Turns(channel, problem, TASK["seconds"], TASK["looks"])
        turns.halt()
        options = {"tolerance": 0.0, "display_every": FOREVER, "callbacks": [turns], "verbose": 0}
        pinn_ext.train_gauss_newton(problem.model, FOREVER, **options)
        turns.halt(ended=True)


if __name__ == "__main__":
    main()
