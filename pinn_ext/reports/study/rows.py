"""What a study keeps of a run: one flat row with a thinned history, all that its page needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pinn_ext.reports import held_out
from pinn_ext.reports.compare.job_reports import read_job
from pinn_ext.reports.history import PHASES
from pinn_ext.reports.plots import positions
from pinn_ext.reports.report import worst_field
from pinn_ext.reports.study.records import Job, Row
from pinn_ext.systems import FIELDS
from pinn_ext.version import __version__

POINTS = 40
"""Of a curve; a study of a thousand runs stays a few megabytes."""
DIGITS = 5


def failed(job: Job, overrides: Sequence[str], message: str, wall: float = 0.0) -> Row:
    """Return the row of a job without results.

    Args:
        job: of the study.
        overrides: that it was run with.
        message: one sentence that says why.
        wall: seconds that it took.
    """
    return {**_head(job, overrides), "status": "failed", "message": message, "wall": round(wall, 3)}


def of_run(
    job: Job, overrides: Sequence[str], content: Mapping[str, Any], folder: Path, wall: float
) -> Row:
    """Return the row of a job that has ended.

    Args:
        job: of the study.
        overrides: that it was run with.
        content: its report, as the run returned it.
        folder: of the run, with its history.
        wall: seconds from its start to its end.

    Returns:
        Plain values; numbers that are not finite are None.
    """
    if content["status"] != "ok":
        return failed(job, overrides, str(content.get("message")), wall)
    report, history = read_job(folder)
    if report["status"] != "ok":
        return failed(job, overrides, f"{report['status']}: {report['message']}", wall)
    errors = report["relative_l2"]
    known = errors is not None and all(errors.get(field) is not None for field in FIELDS)
    return {
        **_head(job, overrides),
        "status": "ok",
        "message": None,
        "wall": round(wall, 3),
        "errors": {field: _short(errors[field]) for field in FIELDS} if known else None,
        "worst": _short(worst_field(errors)) if known else None,
        "trivial": _short_all(report.get("relative_l2_trivial")),
        "reference": report.get("reference"),
        "held_out": _short(report["held_out_score"]),
        "validation_losses": _short_all(report["validation_losses_last"]),
        "weights": _short_all(report["weights_last"]),
        "seconds": _short(report["seconds_training"]),
        "seconds_weighting": _short(report["seconds_weighting"]),
        "lengths": {phase.total: report[phase.total] for phase in PHASES.values()},
        "choice": report.get("choice"),
        "curve": curve(history, report["terms"], report["scaling"]),
    }


def _head(job: Job, overrides: Sequence[str]) -> Row:
    keys = ("name", "system", "conditions", "phase", "strategy", "seed", "role")
    head = {key: getattr(job, key) for key in keys}
    return {**head, "overrides": list(overrides), "pinn_ext": __version__}


def curve(history: Sequence[Mapping[str, Any]], terms: Sequence[str], scaling: str) -> Row:
    """Return a history thinned to at most `POINTS` rows, the first and the last among them.

    Args:
        history: of a run.
        terms: names of its loss terms.
        scaling: `problem.scaling`, which the held-out score depends on.

    Returns:
        Lists of one length: `at`, counting epochs and iterations of all phases; `seconds`,
        `worst`, `held_out`; and under `weights` one for each term.
    """
    last, most = len(history) - 1, min(POINTS, len(history))
    kept = sorted({round(i * last / max(most - 1, 1)) for i in range(most)})
    at = positions(history)
    rows = [history[i] for i in kept]

    def score(row: Mapping[str, Any]) -> float:
        return held_out.held_out_score({n: row[f"validation_{n}"] for n in terms}, scaling)

    return {
        "at": [at[i] for i in kept],
        "seconds": [_short(row["seconds"]) for row in rows],
        "worst": [_short(worst_field({f: row[f"error_{f}"] for f in FIELDS})) for row in rows],
        "held_out": [_short(score(row)) for row in rows],
        "weights": {n: [_short(row[f"weight_{n}"]) for row in rows] for n in terms},
    }


def with_pilots(row: Row, pilots: Sequence[Row]) -> Row:
    """Return the row of weights that were chosen from a grid, with what the grid has cost.

    Args:
        row: of the training with the best weights.
        pilots: rows of the points of the grid.

    Returns:
        Its seconds, and those of its curve, are those of the whole, as are `core_seconds`, None
        where a row has none; `chosen_from` names the scores.
    """
    if row["status"] != "ok":
        return row
    before = sum(own.get("seconds") or 0.0 for own in pilots)
    weighting = sum(own.get("seconds_weighting") or 0.0 for own in pilots)
    seconds = [_short(before + at) for at in row["curve"]["seconds"]]
    cores = [own.get("core_seconds") for own in (row, *pilots)]
    known = [seconds for seconds in cores if seconds is not None]
    steps = sum(sum((own.get("lengths") or {}).values()) for own in pilots)
    return {
        **row,
        "seconds": _short(row["seconds"] + before),
        "seconds_weighting": _short(row["seconds_weighting"] + weighting),
        "core_seconds": round(sum(known), 3) if len(known) == len(cores) else None,
        "curve": {
            **row["curve"],
            "seconds": seconds,
            "at": [steps + n for n in row["curve"]["at"]],
        },
        "chosen_from": {own["name"]: own.get("held_out") for own in pilots},
    }


def _short(value: float | None) -> float | None:
    """Return a number to `DIGITS` significant digits, None for one that is not finite."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")


def _short_all(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if values is None else {key: _short(value) for key, value in values.items()}
