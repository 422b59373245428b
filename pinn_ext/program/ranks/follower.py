"""A process that trains along with the first one of its job, and neither prints nor writes."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from pinn_ext import random_state
from pinn_ext.files import RunError
from pinn_ext.program.build import Checked, build
from pinn_ext.program.interrupts import Interrupts
from pinn_ext.program.machine import out_of_memory
from pinn_ext.program.ranks import environment, group
from pinn_ext.program.slabs.part import Part

_NOWHERE = Path("nowhere")  # whose files are never written


def follow(checked: Checked) -> int:
    """Train along with the first process.

    Args:
        checked: the configuration.

    Returns:
        The exit status: 0 however the training went, which the first process says; 1 if the
        processes have lost each other, or this one could not go on.
    """
    follower = _Follower(checked)
    try:
        with (
            group.joined(checked.cfg, checked.device),
            group.interrupts().caught() as interrupts,  # before, a signal ends a process at once
            out_of_memory.said(checked.device),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # the first process gives the same ones
            follower.train(interrupts)
        return 0
    except RunError as error:
        message = f"pinn-ext: rank {environment.rank()} of {environment.count()}: {error}"
    if not follower.begun:  # the first process may have refused to begin, and says why
        environment.leave_it_to_rank_0()
    print(message, file=sys.stderr, flush=True)
    environment.leave_it_to_rank_0()  # the end of one process ends all of them
    return 1


class _Follower:
    """Makes the steps of the first process; the watcher of its own phase.

    Attributes:
        begun: whether the training has begun.
    """

    def __init__(self, checked: Checked) -> None:
        self._checked = checked
        self.begun = False

    def train(self, interrupts: Interrupts) -> None:
        """Take up the state of the first process and go through the phase that it is in."""
        self._interrupts = interrupts
        part = Part(self._checked.cfg, build(self._checked, _NOWHERE), _NOWHERE)
        saved = group.handed_out()
        part.go_on_in(saved, _NOWHERE)
        random_state.set_state(saved["random_state"])
        self.begun = True
        part.phase.train(self)

    def after_epoch(self, number: int) -> None:
        """Do nothing: the first process logs and saves."""

    def stop_wanted(self) -> bool:
        """Return whether a signal has come, to any process."""
        self._interrupts.agree()
        return self._interrupts.signal is not None
