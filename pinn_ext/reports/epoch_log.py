"""What is noted and printed of each epoch."""

from __future__ import annotations

import bisect
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from pinn_ext.datasets import SnapshotBatch
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.losses.solution_error import Evaluator
from pinn_ext.measurements.alignment import SCORES
from pinn_ext.reports import console
from pinn_ext.reports.history import FILE_NAME, PHASES, History
from pinn_ext.schema import Training
from pinn_ext.systems import FIELDS


class EpochLog:
    """Measures the network after each epoch, keeps the row, and prints the lines that are due.

    Args:
        folder: of the run.
        training: how often to print.
        initial: weight of each term before the first epoch.
        loss: the loss terms.
        network: the network in training.
        validation: snapshots at times that are not trained on.
        evaluator: gives the errors.
        slab: number and count of the slab of time that the network is of, None for all times.

    Attributes:
        history: the rows, of slabs before this one as well.
        validation: the snapshots in use.
    """

    def __init__(
        self,
        folder: Path,
        training: Training,
        initial: Mapping[str, float],
        loss: PhysicsLoss,
        network: nn.Module,
        validation: SnapshotBatch,
        evaluator: Evaluator,
        slab: tuple[int, int] | None = None,
    ) -> None:
        self.slab = slab
        self._training, self._initial = training, dict(initial)
        self._loss, self._network = loss, network
        self.validation, self._evaluator = validation, evaluator
        self.names = list(initial)
        columns = [*(["slab"] if slab else []), "epoch", "phase", *self.names]
        columns += [f"weight_{name}" for name in self.names]
        columns += [f"validation_{name}" for name in self.names]
        columns += [f"error_{field}" for field in FIELDS]
        self._scores = SCORES if training.loss.adaptive.diagnostics else ()
        columns += self._scores
        self.history = History(folder / FILE_NAME, [*columns, "seconds"], added=self._scores)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of this network."""
        rows = self.history.rows
        if self.slab is None:
            return rows
        return rows[bisect.bisect_left(rows, self.slab[0], key=operator.itemgetter("slab")) :]

    def measure_with(self, validation: SnapshotBatch, evaluator: Evaluator) -> None:
        """Measure with other snapshots and points from now on, as of another float type."""
        self.validation, self._evaluator = validation, evaluator

    def add(
        self,
        phase: str,
        number: int,
        losses: list[float],
        weights: list[float],
        seconds: float,
        scores: Mapping[str, float | None] | None = None,
    ) -> None:
        """Measure and keep an epoch.

        Args:
            phase: name of one of `history.PHASES`.
            number: of the epoch, or of the iteration.
            losses: raw losses, in the order of the terms.
            weights: after the epoch.
            seconds: of training so far.
            scores: what the terms' gradients say, where they were measured.
        """
        errors = self._evaluator.errors(self._network)
        row: dict[str, Any] = {} if self.slab is None else {"slab": self.slab[0]}
        row |= {"epoch": number, "phase": phase}
        row |= dict(zip(self.names, losses, strict=True))
        row |= {f"weight_{name}": w for name, w in zip(self.names, weights, strict=True)}
        row |= {f"validation_{name}": loss for name, loss in self._validation_losses().items()}
        row |= {f"error_{field}": error for field, error in errors.items()}
        found = scores or {}
        for key in self._scores:
            row[key] = math.nan if found.get(key) is None else found[key]
        row["seconds"] = round(seconds, 3)
        self.history.append(row)

    def print(
        self,
        write: Callable[[str], None],
        last: int,
        *,
        in_force: Sequence[float] | None = None,
        in_blocks: bool = False,
        equalized: bool = False,
    ) -> None:
        """Print the lines that are due after the row added last.

        Args:
            write: takes a line.
            last: number of the last epoch, or iteration, of the phase.
            in_force: weights during the row's epoch, where they are not those after the one before.
            in_blocks: whether each row is a block of iterations, which is always printed.
            equalized: whether the weights have just been equalised.
        """
        row, training = self.history.rows[-1], self._training
        number = row["epoch"]
        losses = {name: row[name] for name in self.names}
        weights = {name: row[f"weight_{name}"] for name in self.names}
        if equalized:
            write(console.equalized(number, losses, weights))
        due = number in (1, last)
        if due or in_blocks or number % training.log_every == 0:
            held = dict(zip(self.names, in_force or self._weights_in_force(), strict=True))
            total = sum(held[name] * losses[name] for name in self.names)
            known = FIELDS if self._evaluator.label else ()
            errors = {field: row[f"error_{field}"] for field in known}
            label = PHASES[row["phase"]].label
            if self.slab is not None:
                label = f"Slab {self.slab[0]} of {self.slab[1]} | {label}"
            write(console.epoch_line(number, total, losses, errors, phase=label))
        if due or (not in_blocks and number % training.log_weights_every == 0):
            write(console.weights_line(weights))

    def _weights_in_force(self) -> list[float]:
        """Return the weights during the last epoch: those after the one before."""
        rows = self.history.rows
        if len(rows) == 1 or rows[-2].get("slab") != rows[-1].get("slab"):
            return list(self._initial.values())
        return [rows[-2][f"weight_{name}"] for name in self.names]

    def _validation_losses(self) -> dict[str, float]:
        losses = self._loss.values(self._network, self.validation)
        return dict(zip(self.names, losses, strict=True))
