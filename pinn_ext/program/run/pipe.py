"""The stages of a run in their order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pinn_ext.files import LOG, refuse_taken
from pinn_ext.program import checkpoints
from pinn_ext.program.build import Checked, check
from pinn_ext.program.checkpoints import parts
from pinn_ext.program.interrupts import Interrupts
from pinn_ext.program.machine import out_of_memory
from pinn_ext.program.ranks import group
from pinn_ext.program.run import beginning
from pinn_ext.program.run.ending import finish
from pinn_ext.program.run.state import RunState
from pinn_ext.program.run.training import Training
from pinn_ext.program.run_info import Info
from pinn_ext.program.terminal.progress import Progress
from pinn_ext.schema import Config


def run(
    cfg: Config | Checked,
    folder: Path,
    *,
    info: Info | None = None,
    source: Path | None = None,
    interrupts: Interrupts | None = None,
) -> dict[str, Any]:
    """Train what a configuration describes and leave the results in a folder.

    Args:
        cfg: the configuration, or what `check` made of it.
        folder: exists; everything is written into it.
        info: how the run was started.
        source: checkpoint to go on from; the tables beside it come along into another folder.
        interrupts: signals that were caught, if the caller catches any.

    Returns:
        The report, as written to `report.json`.

    Raises:
        ValueError: if the configuration is out of range.
        RunError: if the folder cannot be written, the checkpoint does not fit, or there is no
            memory for what comes before and after the training.
    """
    checked = cfg if isinstance(cfg, Checked) else check(cfg)
    with out_of_memory.said(checked.device), checkpoints.locked(folder):
        if source is None or source.parent.resolve() != folder.resolve():
            # Looked at under the lock: another process may have run here since the folder was made.
            refuse_taken(folder)
        # Read under the lock: a process that has just left the folder may have written once more.
        saved = None if source is None else parts.load(source)
        state = RunState(checked, folder, info or Info())
        return _go(state, saved, source, interrupts or Interrupts())


def _go(
    state: RunState,
    saved: Mapping[str, Any] | None,
    source: Path | None,
    interrupts: Interrupts,
) -> dict[str, Any]:
    """Begin, train and report, from the start or from a checkpoint."""
    if saved is None or source is None:
        lines = beginning.anew(state)
    else:
        lines = beginning.from_checkpoint(state, saved, source)
    group.hand_out(state.for_followers)
    with Progress(state.folder / LOG) as progress:
        for line in lines:
            progress.write(line)
        training = Training(state, progress, interrupts)
        message = training.run()
    return finish(state, message, stopped=training.stopped, write=progress.write)
