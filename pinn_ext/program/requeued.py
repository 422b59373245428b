"""A job that its cluster has queued again goes on where it was interrupted.

Under submitit a job that reaches its time limit, or is preempted, is put into the queue again and
runs the same function in the same folder. What lies there is its own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from pinn_ext import schema
from pinn_ext.files import LOG, OWN_FILES, PART, VERSIONS
from pinn_ext.program import checkpoints
from pinn_ext.program.checkpoints import parts
from pinn_ext.program.run_info import Info
from pinn_ext.reports import report
from pinn_ext.reports.history import FILE_NAME as HISTORY_FILE
from pinn_ext.schema import Config

_BEGINNING = (report.CONFIG_NAME, VERSIONS, HISTORY_FILE, LOG)


def may_be_again(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether this process may be a job that was queued again.

    Args:
        environment: submitit says in `SUBMITIT_EXECUTOR` that it runs the job, SLURM in
            `SLURM_RESTART_COUNT` how often it has begun it anew.
    """
    restarts = environment.get("SLURM_RESTART_COUNT", "")
    return bool(environment.get("SUBMITIT_EXECUTOR")) or (restarts.isdigit() and int(restarts) > 0)


def own_checkpoint(folder: Path, cfg: Config, info: Info) -> Path | None:
    """Return the checkpoint that an earlier attempt at a job has left in its folder.

    What an attempt has left that ended before its first checkpoint is removed.

    Args:
        folder: of the job.
        cfg: its configuration.
        info: with the job's name at its launcher, which an attempt has in common with the next.

    Returns:
        The checkpoint, None if the folder holds none or that of another job.

    Raises:
        RunError: if the checkpoint is damaged.
    """
    if info.job_id is None or not may_be_again():
        return None
    return checkpoint_left(folder, cfg, info)


def checkpoint_left(folder: Path, cfg: Config, info: Info) -> Path | None:
    """Return the checkpoint that a job of this name has left in a folder, whoever runs it again.

    Args:
        folder: of the job.
        cfg: its configuration.
        info: with the job's name.

    Returns:
        As `own_checkpoint`.

    Raises:
        RunError: if the checkpoint is damaged.
    """
    file = folder / checkpoints.FILE_NAME
    if not os.path.lexists(file):
        _remove_beginning(folder, cfg)
        return None
    saved = parts.load(file)
    same = saved.get("job_id") == info.job_id and saved["config"] == schema.as_dict(cfg)
    return file if same else None


def _remove_beginning(folder: Path, cfg: Config) -> None:
    """Remove what a run of this configuration writes before its first checkpoint, if it is that."""
    left = {name for name in OWN_FILES if os.path.lexists(folder / name)}
    config = report.config_content(schema.as_dict(cfg))
    history = folder / HISTORY_FILE
    with contextlib.suppress(OSError):
        if not left <= set(_BEGINNING) or (folder / report.CONFIG_NAME).read_bytes() != config:
            return
        if history.exists() and history.read_bytes().count(b"\n") > 1:
            return
        for name in (*_BEGINNING, checkpoints.FILE_NAME):
            for end in ("", PART):
                (folder / (name + end)).unlink(missing_ok=True)
