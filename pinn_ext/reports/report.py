"""What a run leaves: configuration, versions, report and pictures."""

from __future__ import annotations

import importlib.metadata
import io
import json
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import torch

from pinn_ext import schema
from pinn_ext.files import VERSIONS, RunError, replace_file
from pinn_ext.losses.terms import ErrorMeasure, LossTerms
from pinn_ext.reports import gradient_plot, plots, term_sizes
from pinn_ext.reports.history import PHASES, lengths
from pinn_ext.systems import FIELDS
from pinn_ext.version import __version__
from solvers.devices import on_cpu

FILE_NAME = "report.json"
CONFIG_NAME = "config.yaml"
_PACKAGES = ("torch", "deepxde", "torch-geometric", "hydra-core", "scipy", "numpy")


def versions(device: str) -> dict[str, Any]:
    """Return what a run depended on beside its configuration.

    Args:
        device: that it is trained on, in words.

    Returns:
        Versions by name; `platform`, `device`, and `threads` of torch on the CPU.
    """
    found: dict[str, Any] = {"pinn-ext": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        found[package] = importlib.metadata.version(package)
    return {
        **found,
        "platform": platform.platform(),
        "device": device,
        "threads": torch.get_num_threads(),
    }


def config_content(config: Mapping[str, Any]) -> bytes:
    """Return what the file of a resolved configuration holds.

    Args:
        config: plain dicts, lists, numbers and strings.
    """
    return schema.to_yaml(dict(config)).encode()


def config_files(folder: Path, config: Mapping[str, Any], device: str) -> dict[Path, bytes]:
    """Return the files of the resolved configuration and the versions, and what they hold.

    Args:
        folder: of the run.
        config: plain dicts, lists, numbers and strings.
        device: that the run is trained on, in words.
    """
    return {
        folder / CONFIG_NAME: config_content(config),
        folder / VERSIONS: _json(versions(device)).encode(),
    }


def write_config(folder: Path, config: Mapping[str, Any], device: str) -> None:
    """Write the resolved configuration and the versions, before anything is trained.

    Args:
        folder: of the run.
        config: plain dicts, lists, numbers and strings.
        device: that the run is trained on, in words.

    Raises:
        RunError: if the folder cannot be written.
    """
    try:
        for path, content in config_files(folder, config, device).items():
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


def of_network(loss: LossTerms, evaluator: ErrorMeasure, exact: Any) -> dict[str, Any]:
    """Return what errors and losses of any network are held against.

    Args:
        loss: the loss terms.
        evaluator: measures errors.
        exact: the validation graphs in float64 on the CPU, None where the loss asks for none.

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


def _known(errors: Mapping[str, float], evaluator: ErrorMeasure) -> dict[str, float | None]:
    """Return errors, None for each where there is nothing to measure them against."""
    return {field: error if evaluator.label else None for field, error in errors.items()}


def of_errors(
    evaluator: ErrorMeasure,
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
    kept = best if keep == "best" else last
    return {
        "relative_l2": _known(kept, evaluator),
        "relative_l2_last": _known(last, evaluator),
        "relative_l2_best": _known(best, evaluator),
        "best": where,
        "best_epoch": where["epoch"] if where and where["phase"] == "epochs" else None,
        "keep": keep,
    }


def lost_to_trivial(
    errors: Mapping[str, float | None], trivial: Mapping[str, float | None]
) -> list[str] | None:
    """Return the fields in which a network is no better than what needs no training.

    Args:
        errors: of the network by field, None where the solution is not known.
        trivial: of the trivial answer.

    Returns:
        Their names, those whose error is NaN among them; None where no solution is known.

    Example:
        >>> lost_to_trivial({"u": 0.1, "v": 1e-3}, {"u": 0.1, "v": 0.2})
        ['u']
    """
    pairs = [(field, errors[field], trivial[field]) for field in errors]
    if any(error is None or other is None for _, error, other in pairs):
        return None
    return [field for field, error, other in pairs if not error < other]  # type: ignore[operator]


def worst_field(errors: Mapping[str, float]) -> float:
    """Return the error of the worse field, NaN if that of either is.

    Args:
        errors: relative L2 error by field.

    >>> worst_field({"u": 0.1, "v": float("nan")})
    nan
    """
    values = [errors[field] for field in FIELDS]
    return math.nan if any(map(math.isnan, values)) else max(values)


def place_of(mark: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return phase and epoch of the best network, None before the first epoch."""
    return None if mark is None else {"phase": mark["phase"], "epoch": mark["epoch"]}


def draw(
    folder: Path,
    terms: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    gradients: Sequence[Mapping[str, Any]],
    fields: Callable[[BinaryIO], None],
) -> None:
    """Draw losses, weights, fields and, where they were measured, gradients into the run's folder.

    Args:
        folder: of the run.
        terms: names of the loss terms.
        rows: history of the run.
        gradients: lengths and angles of the terms' gradients, empty if they were not measured.
        fields: draws the fields of the network, or its roll-out, into an open file.

    Raises:
        RunError: if a picture cannot be written.
    """
    try:
        if rows:
            picture(folder / "losses.png", plots.losses, rows, terms)
            picture(folder / "weights.png", plots.weights, rows, terms)
        if gradients:
            picture(folder / "gradients.png", gradient_plot.draw, gradients)
        picture(folder / "fields.png", fields)
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
