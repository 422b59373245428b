"""The program of a checkout, which waits before each block of epochs until it is told to go on.

Takes `{"device", "per_epoch", "warm_up", "epochs", "arguments"}`: steps of an epoch, epochs before
the first block, epochs of a block, arguments of the program. A line on standard input lets it go
on; with each line that it writes it has come to a halt, the line says what the block took:
`{"step": seconds, "with_ends": seconds}`, the first one which package was loaded. `PYTHONPATH` says
which checkout that is, so nothing is imported here that another version may lack.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

import deepxde as dde
import torch


class Watch:
    """Counts the steps of DeepXDE, measures blocks of epochs and halts between them.

    Args:
        channel: where the figures are written.
        device: is waited for before the clock is read.
        per_epoch: steps of an epoch.
        warm_up: epochs that are not measured.
        epochs: of a block.
    """

    def __init__(
        self, channel: TextIO, device: str, per_epoch: int, warm_up: int, epochs: int
    ) -> None:
        self.channel, self.per_epoch, self.warm_up, self.epochs = (
            channel,
            per_epoch,
            warm_up,
            epochs,
        )
        self.now = clock_of(device)
        self.count = 0
        self.steps = self.begun = self.first = 0.0

    def step_begins(self) -> None:
        """Measure, and halt, where it is time to.

        All but the last step of an epoch are measured from the beginning of the first to that of
        the last, so that callbacks and batches count and the end of an epoch does not.
        """
        epoch, step = divmod(self.count, self.per_epoch)
        self.count += 1
        if epoch < self.warm_up:
            return
        if step == self.per_epoch - 1:
            self.steps += self.now() - self.first
        if step:
            return
        if (epoch - self.warm_up) % self.epochs == 0:
            self.halt(self.now() - self.begun)
            self.begun = self.now()
        self.first = self.now()

    def halt(self, taken: float) -> None:
        """Say what the block has taken and wait for a line."""
        figures = {
            "step": self.steps / (self.epochs * (self.per_epoch - 1)),
            "with_ends": taken / (self.epochs * self.per_epoch),
        }
        if self.count == 1 + self.warm_up * self.per_epoch:  # nothing is measured yet
            figures = {"package": sys.modules["pinn_ext"].__file__}
        print(json.dumps(figures), file=self.channel, flush=True)
        if not sys.stdin.readline():
            os._exit(0)  # nobody asks any more; the run is left as it is
        self.steps = 0.0


def clock_of(device: str) -> Callable[[], float]:
    """Return a clock; with one thread on the CPU, that of the process, as in `training_step`."""
    if device != "cpu":
        where = torch.device(device)
        synchronize = torch.get_device_module(where).synchronize
        return lambda: (synchronize(), time.perf_counter())[1]
    return time.process_time if torch.get_num_threads() == 1 else time.perf_counter


def main(
    device: str, per_epoch: int, warm_up: int, epochs: int, arguments: list[str]
) -> int | None:
    """Run the program; its own output goes to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    watch = Watch(channel, device, per_epoch, warm_up, epochs)
    step = dde.Model._train_step

    @functools.wraps(step)
    def watched(*args: Any) -> None:
        watch.step_begins()
        step(*args)

    dde.Model._train_step = watched
    from pinn_ext.cli import main as program

    return program([*arguments, f"device={device}"])


if __name__ == "__main__":
    raise SystemExit(main(**json.loads(sys.argv[1])))
