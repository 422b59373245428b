"""What a step has come to, looked at while the next one is under way."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from pinn_ext.measurements.transfers import Mailbox


class Finding(NamedTuple):
    """What a look at a step has found.

    Attributes:
        losses: raw loss of each term `[k]`, the list that `LateLook.send` had returned.
        bad_term: index of the first that is not finite, or None.
        is_bad: whether there is one, or the step seems to have left other numbers than finite ones.
    """

    losses: list[float]
    bad_term: int | None
    is_bad: bool


class LateLook:
    """Reads the losses of a step, and whether it has left finite parameters, one step later.

    To read a number from an accelerator is to wait until it has done all that it was asked for, and
    it is idle then until it is asked again. So nothing of a step is read in that step: its numbers
    are sent off at its end, and read once the forward pass of the next step has been asked for.
    """

    def __init__(self) -> None:
        self._mailbox = Mailbox()
        self._losses: list[float] | None = None
        self._finding: Finding | None = None

    def send(self, losses: Tensor, finite: Tensor) -> list[float]:
        """Send off the numbers of a step that has just been made.

        Args:
            losses: raw loss of each term `[k]`.
            finite: whether it has left finite parameters, one bool.

        Returns:
            The losses: a list that is empty until `settle` has filled it.
        """
        self._mailbox.send(torch.cat((losses, finite.to(losses).reshape(1))))
        self._losses = []
        return self._losses

    def settle(self) -> bool:
        """Read what is under way, if anything is; return whether that step was sound."""
        if self._losses is not None:
            *values, finite = self._mailbox.take()
            self._losses[:] = values
            bad = next((i for i, value in enumerate(values) if not math.isfinite(value)), None)
            self._finding = Finding(self._losses, bad, bad is not None or not finite)
            self._losses = None
        return self._finding is None or not self._finding.is_bad

    def take_finding(self) -> Finding | None:
        """Return what was found since the last call, None if no step was looked at."""
        finding, self._finding = self._finding, None
        return finding
