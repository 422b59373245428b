"""Going on with a run from its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinn_ext import schema
from pinn_ext.checks import ArgumentError
from pinn_ext.choices import MESH
from pinn_ext.program import checkpoints
from pinn_ext.program.checkpoints import parts
from pinn_ext.program.machine.devices import is_here
from pinn_ext.program.slabs.chain import SLAB
from pinn_ext.reports.event_files import EVENTS_FILE, GRADIENTS_FILE
from pinn_ext.reports.growing_file import GrowingFile
from pinn_ext.reports.history import FILE_NAME as HISTORY_FILE
from pinn_ext.reports.history import PHASES
from pinn_ext.schema import Config, Training
from pinn_ext.schema.plain_values import keys_set_by

# What may differ from the checkpoint: how far to train, where, what is kept, and the run's name.
_ITERATIONS = "training.gauss_newton.iterations"
_FREE = (
    "training.resume",
    "training.epochs",
    "training.keep",
    _ITERATIONS,
    "device",
    "experiment.name",
    "experiment",
    "dataset.family.root",  # where the same problems are made again
    "problem.file",  # whose text must be the same, which is looked at when it has been run
)
_DOMAINS = "dataset.family.domains"
_MOVED = ("dataset.path", "problem.initial", "dataset.family.trajectories", _DOMAINS)
"""Files that may lie elsewhere; what is read of them must be the same, which is looked at then."""

_TABLES = {"history": HISTORY_FILE, "events": EVENTS_FILE, "gradients": GRADIENTS_FILE}


@dataclass
class Plan:
    """What `prepare` found.

    Attributes:
        cfg: the saved configuration with what may differ.
        choices: the saved choices of configuration files.
        overrides: what the user wrote when the run was started.
        job: its number in a sweep, None outside.
        file: the checkpoint.
        marks: what it says of the tables beside it, None of a checkpoint of version 0.1.
    """

    cfg: Config
    choices: dict[str, str]
    overrides: list[str]
    job: int | None
    file: Path
    marks: dict[str, Any] | None


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
    if not str(cfg.training.resume or "").strip():
        raise ArgumentError("training.resume", "be a checkpoint or the folder of a run", "''")
    file = path / checkpoints.FILE_NAME if path.is_dir() else path
    saved = parts.load(file)
    old = parts.saved_config(file, saved["config"])
    given = [key for override in overrides for key in keys_set_by(override)]
    for key in given:
        _check_same(key, old, cfg, saved["choices"], choices)
    if old.problem.file is not None and "problem.file" not in given:
        wanted = (
            "be named again when a run is resumed, as the file is code "
            f"(problem.file={old.problem.file})"
        )
        raise ArgumentError("problem.file", wanted, "none")
    if old.problem.file is None and cfg.problem.file is not None:
        raise ArgumentError("problem.file", "be left out, as the run has none", cfg.problem.file)
    changed = _changed(old, cfg, given, saved)
    return Plan(
        changed,
        dict(saved["choices"]),
        list(saved["overrides"]),
        saved["job"],
        file,
        saved.get("tables"),
    )


def check_tables(plan: Plan) -> None:
    """Refuse tables that are not those of their checkpoint, before a new folder is made for them.

    Args:
        plan: what `prepare` returned.

    Raises:
        RunError: if a table is not the one that the checkpoint was made beside.
    """
    for key, name in _TABLES.items():
        if plan.marks is not None:
            GrowingFile(plan.file.parent / name).belonging(plan.marks[key])


def _check_same(
    key: str, old: Config, cfg: Config, old_choices: dict[str, str], choices: dict[str, str]
) -> None:
    if key in _FREE:
        return
    if key in choices or key in old_choices:
        before, now = old_choices.get(key), choices.get(key)
    else:
        before, now = schema.select(old, key), schema.select(cfg, key)
        if key in _MOVED and before is not None and now is not None and _same_kind(key, old, cfg):
            return
    if before != now:
        raise ValueError(
            f"`{key}` cannot differ from the checkpoint when a run is resumed: it is "
            f"{before!r} there, got {now!r}."
        )


def _same_kind(key: str, old: Config, cfg: Config) -> bool:
    """Return whether a key names as many files as before; domains may be no files."""
    before, now = old.dataset.family, cfg.dataset.family
    return key != _DOMAINS or (before.nodes == MESH and len(before.domains) == len(now.domains))


def _changed(old: Config, cfg: Config, given: Sequence[str], saved: Mapping[str, Any]) -> Config:
    """Return the saved configuration with what may be said anew and was given."""
    values = schema.as_dict(old)
    training = values["training"]
    if "training.epochs" in given:
        _check_epochs(old.training, cfg.training.epochs, saved["phase"])
        _check_same_length("training.epochs", old, old.training.epochs, cfg.training.epochs, saved)
        training["epochs"] = cfg.training.epochs
    if _ITERATIONS in given:
        before, now = old.training.gauss_newton.iterations, cfg.training.gauss_newton.iterations
        if now < before:
            raise ArgumentError(
                _ITERATIONS, f"be at least {before}, which the run was made for", now
            )
        _check_same_length(_ITERATIONS, old, before, now, saved)
        training["gauss_newton"]["iterations"] = now
    if "training.keep" in given:
        training["keep"] = cfg.training.keep
    if "device" in given:
        values["device"] = cfg.device
    elif not is_here(values["device"]):  # of another machine; the run says where it goes on
        values["device"] = "auto"
    for key in (*_MOVED, "problem.file", "experiment.name", "dataset.family.root"):
        if key in given:
            home, _, name = key.rpartition(".")
            part = values
            for step in home.split("."):
                part = part[step]
            part[name] = schema.select(cfg, key)
    return schema.from_dict(values)


def _check_same_length(
    key: str, old: Config, before: int, now: int, saved: Mapping[str, Any]
) -> None:
    """Refuse another length once a slab of time has ended that had the former one."""
    if now != before and saved.get(SLAB, 1) != 1:
        wanted = f"stay {before}, as {old.training.slabs} slabs are trained alike and one is over"
        raise ArgumentError(key, wanted, now)


def _check_epochs(old: Training, now: int, phase: str) -> None:
    before = old.epochs
    if now < before:
        raise ArgumentError(
            "training.epochs", f"be at least {before}, which the run was made for", now
        )
    if now > before and phase != "epochs":
        begun = PHASES[phase].label
        raise ArgumentError(
            "training.epochs", f"stay {before}, as the {begun} phase has begun", now
        )
    if now > before and old.schedule != "none":
        wanted = (
            f"stay {before}, over which the {old.schedule} schedule lets the learning rate fall"
        )
        raise ArgumentError("training.epochs", wanted, now)
