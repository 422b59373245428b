"""Going on with a run from its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinn_ext import schema
from pinn_ext.checks import ArgumentError
from pinn_ext.files import RunError
from pinn_ext.program import checkpoints
from pinn_ext.program.run_info import KEYS
from pinn_ext.reports.history import FILE_NAME as HISTORY_FILE
from pinn_ext.reports.history import PHASES
from pinn_ext.schema import Config

# What may differ from the checkpoint: how far to train, where, and what the run is called.
_ITERATIONS = "training.gauss_newton.iterations"
_FREE = (
    "training.resume",
    "training.epochs",
    _ITERATIONS,
    "device",
    "experiment.name",
    "experiment",
)


@dataclass
class Plan:
    """What `prepare` found.

    Attributes:
        cfg: the saved configuration with what may differ.
        choices: the saved choices of configuration files.
        overrides: what the user wrote when the run was started.
        job: its number in a sweep, None outside.
        file: the checkpoint.
    """

    cfg: Config
    choices: dict[str, str]
    overrides: list[str]
    job: int | None
    file: Path


def prepare(path: Path, cfg: Config, overrides: Sequence[str], choices: dict[str, str]) -> Plan:
    """Read a checkpoint and refuse what contradicts it.

    Args:
        path: checkpoint file or run folder.
        cfg: what the command line composed to.
        overrides: what the user wrote.
        choices: which file each configuration group would be read from.

    Returns:
        The plan to go on by.

    Raises:
        RunError: if there is no whole checkpoint.
        ArgumentError: if there is no path, or fewer epochs or iterations than before.
        ValueError: if an override differs from the checkpoint; it names the key.
    """
    if str(path) == ".":
        raise ArgumentError("training.resume", "be a checkpoint or the folder of a run", "''")
    file = path / checkpoints.FILE_NAME if path.is_dir() else path
    saved = checkpoints.load(file, KEYS)
    old = _saved_config(file, saved)
    for key in [_key(override) for override in overrides]:
        if key in _FREE:
            continue
        before, now = _values(key, old, cfg, saved["choices"], choices)
        if before != now:
            raise ValueError(
                f"`{key}` cannot differ from the checkpoint when a run is resumed: it is "
                f"{before!r} there, got {now!r}."
            )
    given = [_key(override) for override in overrides]
    if "training.epochs" in given:
        _check_epochs(old.training.epochs, cfg.training.epochs, saved)
        old.training.epochs = cfg.training.epochs
    if _ITERATIONS in given:
        before, now = old.training.gauss_newton.iterations, cfg.training.gauss_newton.iterations
        if now < before:
            raise ArgumentError(
                _ITERATIONS, f"be at least {before}, which the run was made for", now
            )
        old.training.gauss_newton.iterations = now
    if "device" in given:
        old.device = cfg.device
    if "experiment.name" in given:
        old.experiment.name = cfg.experiment.name
    return Plan(old, dict(saved["choices"]), list(saved["overrides"]), saved["job"], file)


def read_history(folder: Path) -> bytes:
    """Return the history of a run, to be taken along into a new folder.

    Args:
        folder: of the checkpoint.

    Returns:
        Content of the file.

    Raises:
        RunError: if it cannot be read.
    """
    try:
        return (folder / HISTORY_FILE).read_bytes()
    except OSError as error:
        raise RunError(f"{folder / HISTORY_FILE} cannot be read ({error.strerror}).") from error


def _key(override: str) -> str:
    return override.split("=", 1)[0].lstrip("+~")


def _values(
    key: str, old: Config, cfg: Config, old_choices: dict, choices: dict
) -> tuple[Any, Any]:
    if key in choices or key in old_choices:
        return old_choices.get(key), choices.get(key)
    return schema.select(old, key), schema.select(cfg, key)


def _saved_config(file: Path, saved: dict[str, Any]) -> Config:
    try:
        return schema.from_dict(saved["config"])
    except Exception as error:  # OmegaConf's, of a key that is not or no longer there
        text = str(error).splitlines()[0]
        raise RunError(f"The checkpoint {file} does not fit this version ({text}).") from None


def _check_epochs(before: int, now: int, saved: dict[str, Any]) -> None:
    if now < before:
        raise ArgumentError(
            "training.epochs", f"be at least {before}, which the run was made for", now
        )
    phase = PHASES[saved["phase"]]
    if now > before and saved["phase"] != "epochs":
        raise ArgumentError(
            "training.epochs", f"stay {before}, as the {phase.label} phase has begun", now
        )
