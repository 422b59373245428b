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
from pinn_ext.files import RunError, replace_file
from pinn_ext.losses.known_solution import KnownSolution
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.losses.solution_error import Evaluator
from pinn_ext.networks import FieldNetwork
from pinn_ext.reports import gradient_plot, plots, sample_plots
from pinn_ext.reports.history import PHASES, lengths
from pinn_ext.systems import FIELDS
from pinn_ext.version import __version__
from solvers.devices import on_cpu

FILE_NAME = "report.json"
CONFIG_NAME = "config.yaml"
VERSIONS_NAME = "versions.json"
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
        folder / VERSIONS_NAME: _json(versions()).encode(),
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


def summary(content: Mapping[str, Any], folder: Path) -> str:
    """Return the closing lines of a run.

    Args:
        content: its report.
        folder: where everything lies.

    Returns:
        A small table of errors per field, and where to look.
    """
    of_what = f"after {_length(content)}"
    if content["keep"] == "best" and content["best"]:
        of_what = f"of the best network, {_best(content)}"
    known = content["reference"] is not None
    lines = ["", *(_errors(content, of_what) if known else _held_out(content))]
    last = (content["raw_losses_last"] or {}) if content["rk4_floor"] else {}
    floors = [
        f"{field} {content['rk4_floor'][field]:.1e} (network {last[name]:.1e})"
        for field, name in zip(FIELDS, ("RK4_loss1", "RK4_loss2"), strict=True)
        if name in last
    ]
    if floors:
        lines.append(f"RK4 loss of the exact solution on these graphs: {', '.join(floors)}")
    if content.get("penalty"):
        lines.append(
            f"Penalty of {content['strategy']} beside the weighted losses: {content['penalty']:.3e}"
        )
    seconds, share = content["seconds_training"], content["seconds_weighting"]
    lines.append(f"Training took {seconds:.1f} s, {share:.2f} s of it for the weights.")
    if content.get("choice"):
        lines += _choice(content)
    if content.get("gauss_newton_ended"):
        lines.append(f"Gauss-Newton ended: {content['gauss_newton_ended']}.")
    if content["message"]:
        lines.append(f"Training failed: {content['message']}")
    elif content["status"] != "ok":
        lines.append(f"Interrupted; go on with training.resume={folder}")
    lines.append(f"Results: {folder}")
    return "\n".join(lines)


def _errors(content: Mapping[str, Any], of_what: str) -> list[str]:
    """Return the table of errors against what is known of the solution."""
    against = content["reference"]
    points = "points never trained on"
    if against not in ("exact solution", "stored reference"):
        points = f"against {against}"
    lines = [f"Relative L2 error {of_what} ({points}):"]
    lines.append(f"  {'field':8}{'network':>11}{'trivial answer':>17}")
    for field in FIELDS:
        error, trivial = content["relative_l2"][field], content["relative_l2_trivial"][field]
        lines.append(f"  {field:8}{error:11.2e}{trivial:17.2e}")
    return lines + _other_network(content)


def _held_out(content: Mapping[str, Any]) -> list[str]:
    """Return the raw losses that a run without a known solution is judged by."""
    lines = [
        "No solution is known, so there are no errors. Raw losses on held-out snapshots, at the "
        "first and the last row:"
    ]
    first, last = content["validation_losses_first"] or {}, content["validation_losses_last"] or {}
    lines += [f"  {name:11}{first[name]:11.2e}{last[name]:11.2e}" for name in last]
    return lines


def _other_network(content: Mapping[str, Any]) -> list[str]:
    """Return the errors of the network that the table is not about, if they are others."""
    if content["relative_l2_last"] == content["relative_l2_best"]:
        return []
    kept_best = content["keep"] == "best"
    errors = content["relative_l2_last" if kept_best else "relative_l2_best"]
    text = ", ".join(f"{field} {errors[field]:.2e}" for field in FIELDS)
    if kept_best:
        return [f"The last network, after {_length(content)}: {text}"]
    return [f"The best network by validation losses, {_best(content)}: {text} (best.pt)"]


def _best(content: Mapping[str, Any]) -> str:
    best = content["best"]
    return f"{PHASES[best['phase']].counted} {best['epoch']}"


def _choice(content: Mapping[str, Any]) -> list[str]:
    """Return what was chosen, and what fixed weights would have cost."""
    seconds = sum(row["seconds"] for row in content["pilots"])
    lines = [f"Chosen: {content['choice']}.", f"The pilots took {seconds:.1f} s of the training."]
    if content["seconds_fixed"]:
        lines[-1] += (
            f" With fixed weights the {content['epochs']} epochs would take about "
            f"{content['seconds_fixed']:.1f} s (by their pilot; training=default makes that run)."
        )
    return lines


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


def _length(content: Mapping[str, Any]) -> str:
    counts = {phase.counted: content[phase.total] for phase in PHASES.values()}
    parts = [f"{n} {unit}{'s' * (n != 1)}" for unit, n in counts.items() if n]
    return " and ".join(parts) or "0 epochs"


def of_history(rows: Sequence[Mapping[str, Any]], initial: Mapping[str, float]) -> dict[str, Any]:
    """Return what a report says of losses and weights.

    Args:
        rows: history of the run.
        initial: weight of each term at the start, by name.

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
    where = None if mark is None else {"phase": mark["phase"], "epoch": mark["epoch"]}
    return {
        "relative_l2": _known(best if keep == "best" else last, evaluator),
        "relative_l2_last": _known(last, evaluator),
        "relative_l2_best": _known(best, evaluator),
        "best": where,
        "best_epoch": where["epoch"] if where and where["phase"] == "epochs" else None,
        "keep": keep,
    }


def draw(
    folder: Path,
    terms: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    gradients: Sequence[Mapping[str, Any]],
    network: FieldNetwork,
    against: KnownSolution | None = None,
) -> None:
    """Draw losses, weights, fields and, where they were measured, gradients into the run's folder.

    Args:
        folder: of the run.
        terms: names of the loss terms.
        rows: history of the run.
        gradients: lengths and angles of the terms' gradients, empty if they were not measured.
        network: at the end of the run.
        against: what the fields are compared with instead of the system's own solution, if anything.

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
