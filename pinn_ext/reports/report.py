"""What a run leaves: configuration, versions, report and pictures."""

from __future__ import annotations

import importlib.metadata
import io
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from pinn_ext import schema
from pinn_ext.datasets import SnapshotBatch
from pinn_ext.files import VERSIONS, RunError, replace_file
from pinn_ext.losses.known_solution import KnownSolution
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.losses.solution_error import Evaluator
from pinn_ext.networks import FieldNetwork
from pinn_ext.reports import gradient_plot, plots, sample_plots, term_sizes
from pinn_ext.reports.history import PHASES, lengths
from pinn_ext.slabs import SlabNetworks
from pinn_ext.systems import FIELDS
from pinn_ext.version import __version__
from solvers.devices import on_cpu

FILE_NAME = "report.json"
CONFIG_NAME = "config.yaml"
_PACKAGES = ("torch", "deepxde", "torch-geometric", "hydra-core", "scipy", "numpy")


def versions() -> dict[str, str]:
    """Return the versions that a run depended on, by name."""
    found = {"pinn-ext": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        found[package] = importlib.metadata.version(package)
    return found


def config_files(folder: Path, config: Mapping[str, Any]) -> dict[Path, bytes]:
    """Return the files of the resolved configuration and the versions, and what they hold.

    Args:
        folder: of the run.
        config: plain dicts, lists, numbers and strings.
    """
    return {
        folder / CONFIG_NAME: schema.to_yaml(dict(config)).encode(),
        folder / VERSIONS: _json(versions()).encode(),
    }


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write the resolved configuration and the versions, before anything is trained.

    Args:
        folder: of the run.
        config: plain dicts, lists, numbers and strings.

    Raises:
        RunError: if the folder cannot be written.
    """
    try:
        for path, content in config_files(folder, config).items():
            replace_file(path, content)
    except OSError as error:
        raise RunError(f"The folder {folder} cannot be written ({error.strerror}).") from error


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"


def write(folder: Path, content: Mapping[str, Any], name: str = FILE_NAME) -> None:
    """Write a JSON file.

    Args:
        folder: of the run.
        content: plain dicts, lists, numbers and strings.
        name: of the file.

    Raises:
        RunError: if it cannot be written.
    """
    try:
        replace_file(folder / name, _json(content))
    except OSError as error:
        raise RunError(f"{folder / name} cannot be written ({error.strerror}).") from error


def failure(message: str, **known: Any) -> dict[str, Any]:
    """Return the report of a run that could not be trained.

    Args:
        message: one sentence that says why.
        **known: what is known of the run all the same.

    Returns:
        A report with status "failed".
    """
    return {**known, "status": "failed", "message": message}


def seconds_of_fixed(rows: Sequence[Mapping[str, Any]], period: int, epochs: int) -> float | None:
    """Return how long a run with fixed weights would take.

    Args:
        rows: of the pilots.
        period: iterations in an epoch.
        epochs: in the run.

    Returns:
        Seconds, by the pace of the first pilot of `fixed`; None without one.
    """
    for row in rows:
        if row["candidate"] == "fixed" and row["round"] == 1:
            return row["seconds"] * epochs * period / row["iterations"]
    return None


def of_history(
    rows: Sequence[Mapping[str, Any]], initial: Mapping[str, float], dtype: str
) -> dict[str, Any]:
    """Return what a report says of losses and weights.

    Args:
        rows: history of the run.
        initial: weight of each term at the start, by name.
        dtype: `"float32"` or `"float64"`, of the epochs.

    Returns:
        Part of the report.
    """
    names = list(initial)
    made = lengths(rows)
    return {
        **{phase.total: made.get(name, 0) for name, phase in PHASES.items()},
        "terms": names,
        "raw_losses_first": {n: rows[0][n] for n in names} if rows else None,
        "raw_losses_last": {n: rows[-1][n] for n in names} if rows else None,
        "validation_losses_first": _validation(rows[0], names) if rows else None,
        "validation_losses_last": _validation(rows[-1], names) if rows else None,
        "weights_last": {n: rows[-1][f"weight_{n}"] if rows else initial[n] for n in names},
        "terms_apart": term_sizes.of_history(rows, names, dtype),
    }


def _validation(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, float]:
    return {name: row[f"validation_{name}"] for name in names}


def of_network(loss: PhysicsLoss, evaluator: Evaluator, exact: SnapshotBatch) -> dict[str, Any]:
    """Return what errors and losses of any network are held against.

    Args:
        loss: the loss terms.
        evaluator: measures errors.
        exact: the validation snapshots in float64 on the CPU.

    Returns:
        Errors of outputs that need no training, and the floor of the RK4 terms.
    """
    with torch.no_grad(), on_cpu():
        floor = loss.floor(exact)  # in float64, free of rounding
    return {
        "reference": evaluator.label or None,
        "relative_l2_trivial": _known(evaluator.trivial(loss.conditions), evaluator),
        "rk4_floor": None if floor is None else dict(zip(FIELDS, floor.tolist(), strict=True)),
    }


def _known(errors: Mapping[str, float], evaluator: Evaluator) -> dict[str, float | None]:
    """Return errors, None for each where there is nothing to measure them against."""
    return {field: error if evaluator.label else None for field, error in errors.items()}


def of_errors(
    evaluator: Evaluator,
    last: Mapping[str, float],
    best: Mapping[str, float],
    mark: Mapping[str, Any] | None,
    keep: str,
) -> dict[str, Any]:
    """Return what a report says of the errors of the last and of the best network.

    Args:
        evaluator: that has measured them.
        last: error by field of the network at the end.
        best: error by field of the network with the smallest validation losses.
        mark: phase and epoch of the best one, None before the first epoch.
        keep: `"last"` or `"best"`, whose errors stand under `relative_l2`.

    Returns:
        Part of the report.
    """
    where = place_of(mark)
    return {
        "relative_l2": _known(best if keep == "best" else last, evaluator),
        "relative_l2_last": _known(last, evaluator),
        "relative_l2_best": _known(best, evaluator),
        "best": where,
        "best_epoch": where["epoch"] if where and where["phase"] == "epochs" else None,
        "keep": keep,
    }


def place_of(mark: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return phase and epoch of the best network, None before the first epoch."""
    return None if mark is None else {"phase": mark["phase"], "epoch": mark["epoch"]}


def draw(
    folder: Path,
    terms: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    gradients: Sequence[Mapping[str, Any]],
    network: FieldNetwork | SlabNetworks,
    against: KnownSolution | None = None,
) -> None:
    """Draw losses, weights, fields and, where they were measured, gradients into the run's folder.

    Args:
        folder: of the run.
        terms: names of the loss terms.
        rows: history of the run.
        gradients: lengths and angles of the terms' gradients, empty if they were not measured.
        network: at the end of the run.
        against: what fields are compared with in place of the system's own solution, if anything.

    Raises:
        RunError: if a picture cannot be written.
    """
    try:
        if rows:
            picture(folder / "losses.png", plots.losses, rows, terms)
            picture(folder / "weights.png", plots.weights, rows, terms)
        if gradients:
            picture(folder / "gradients.png", gradient_plot.draw, gradients)
        if against is None:
            picture(folder / "fields.png", plots.fields, network.system, network)
        else:
            picture(folder / "fields.png", sample_plots.fields, network.system, network, against)
    except OSError as error:
        raise RunError(f"A picture in {folder} cannot be written ({error.strerror}).") from error


def picture(path: Path, draw: Callable[..., None], *what: Any) -> None:
    """Draw a picture in memory, and write its file whole or not at all.

    Args:
        path: PNG file.
        draw: takes the open file, and `what`.
        *what: is drawn.
    """
    content = io.BytesIO()
    draw(content, *what)
    replace_file(path, content.getvalue())
