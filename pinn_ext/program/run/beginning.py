"""How a run begins: anew, or from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pinn_ext import random_state, schema
from pinn_ext.program.checkpoints.parts import damaged
from pinn_ext.program.machine.devices import describe
from pinn_ext.program.problem import check_same_files
from pinn_ext.program.ranks import environment as ranks
from pinn_ext.program.run.state import RunState
from pinn_ext.reports import console, report
from pinn_ext.reports.history import check_last_row

_NO_DIGEST = (
    "The checkpoint has no digest of history.csv, as those of version 0.1: its rows are taken as "
    "they are."
)


def anew(state: RunState) -> list[str]:
    """Build a run and write its first files.

    Args:
        state: of the run, nothing built.

    Returns:
        What is to be said before the training, a line each.

    Raises:
        RunError: if the folder cannot be written.
    """
    state.build()
    report.write_config(state.folder, state.config, describe(state.device))
    state.part.compile(state.part.phase)
    state.built.log.history.start()
    state.tables.start()
    state.save()
    return [_banner(state), *state.built.notes]


def from_checkpoint(state: RunState, saved: Mapping[str, Any], source: Path) -> list[str]:
    """Build a run and put the state of a checkpoint into it.

    Nothing is written before all of it is taken up.

    Args:
        state: of the run, nothing built.
        saved: content of the checkpoint.
        source: its file, with the tables beside it, in the folder of the run or another one.

    Returns:
        What is to be said before the training, a line each.

    Raises:
        RunError: if the checkpoint does not fit, or the folder cannot be written.
    """
    check_same_files(saved, state.files)
    state.slabs.take_up(saved, source)
    state.build()
    tables, lost = _take_up(state, saved, source)
    files: dict[Path, bytes | None] = {
        **report.config_files(state.folder, state.config, describe(state.device)),
        **tables,
        # The report of before would be read as that of the new configuration.
        state.folder / report.FILE_NAME: None,
    }
    state.save(files)
    return [_banner(state), *_resumed(state, saved), *filter(None, [lost]), *state.built.notes]


def _take_up(
    state: RunState, saved: Mapping[str, Any], source: Path
) -> tuple[dict[Path, bytes | None], str]:
    """Return what the tables are to hold, and what is to be said of a best network that is lost."""
    part, log, marks = state.part, state.built.log, saved.get("tables")
    beside = source.parent
    mark = None if marks is None else marks["history"]
    files: dict[Path, bytes | None] = {
        log.history.path: log.history.take_up(saved["rows"], mark, beside)
    }
    check_last_row(log.history, saved["phase"], saved["epoch"], log.slab)
    with damaged(beside / part.best.path.name):
        own, lost = part.best.take_up(saved, beside, state.built.network)
    files |= own
    with damaged(source, "adaptive_weights_state"):
        weights, tables = state.tables.take_up(saved["adaptive_weights_state"], marks, beside)
    part.go_on_in({**saved, "adaptive_weights_state": weights}, source)
    state.seconds_before = saved["seconds_training"]
    state.weighting_before = saved["seconds_weighting"]
    with damaged(source, "random_state"):
        random_state.set_state(saved["random_state"])
    return files | tables, lost


def _banner(state: RunState) -> str:
    strategy = schema.strategy_of(state.cfg.training.loss.adaptive)
    return console.banner(strategy, state.built.initial)


def _resumed(state: RunState, saved: Mapping[str, Any]) -> list[str]:
    """Return what there is to say of a checkpoint that was taken up, a line each."""
    part, slabs = state.part, state.slabs
    where = f"in {slabs.name} " if slabs.divided else ""
    lines = [f"Resumed {where}after {part.phase.text}."]
    if part.phase.over and not part.coming() and slabs.is_last:
        lines = [f"The run is finished ({part.phase.text}): nothing to train."]
    before, now = saved.get("device"), describe(state.device)
    if before not in (None, now):  # version 0.1 does not say
        lines.append(
            f"The run goes on on {now}, it was on {before} before: last bits, and what a "
            "device's own generator draws, may differ."
        )
    lines += ranks.other_number(saved.get("processes", 1))
    return lines if "tables" in saved else [*lines, _NO_DIGEST]
