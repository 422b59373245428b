"""Comparison of the runs below a folder: table, files, picture, and who won."""

from __future__ import annotations

import csv
import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pinn_ext.files import RunError
from pinn_ext.reports import report
from pinn_ext.reports.history import FILE_NAME as HISTORY_FILE

Row = dict[str, Any]
COLUMNS = ["job", "strategy", "overrides", "u", "v", "worst", "raw_loss", "seconds", "status"]


def compare(folder: Path) -> tuple[list[Row], str]:
    """Compare the runs in a folder and write `comparison.csv`, `.json` and `.png` there.

    Args:
        folder: of a sweep, or one that holds the folders of single runs.

    Returns:
        One row a run, the smallest worst-field error first, and the text to print.

    Raises:
        RunError: if there are no runs or the files cannot be written.
    """
    if not folder.is_dir():
        raise RunError(f"There is no folder {folder}.")
    reports = _reports(folder)
    planned = planned_jobs(folder)
    if planned:  # other runs in the folder have nothing to do with the sweep
        reports = {key: value for key, value in reports.items() if isinstance(key, int)}
    if not reports and not planned:
        raise RunError(f"There are no runs in {folder}.")
    rows = _rows(reports, planned)
    groups = _groups(rows)
    try:
        _write_files(folder, rows)
        _draw(folder, rows, reports)
    except OSError as error:
        raise RunError(
            f"The comparison in {folder} cannot be written ({error.strerror})."
        ) from error
    parts = [_table(rows), verdict(groups), f"Comparison: {folder / 'comparison.csv'}"]
    if any(group["runs"] > 1 for group in groups):
        parts.insert(1, _group_table(groups))
    return rows, "\n\n".join(part for part in parts if part)


def _reports(folder: Path) -> dict[Any, tuple[Path, dict[str, Any]]]:
    """Return the reports below a folder by job number, or by name for single runs."""
    found: dict[Any, tuple[Path, dict[str, Any]]] = {}
    for path in sorted(folder.glob(f"*/{report.FILE_NAME}")):
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError):
            continue  # the row will say that the job is lost
        job = content.get("job")
        found[path.parent.name if job is None else job] = (path.parent, content)
    return found


def planned_jobs(folder: Path) -> list[list[str]]:
    """Return the overrides of each job that a sweep set out to run.

    Args:
        folder: of the sweep; Hydra leaves `multirun.yaml` there.

    Returns:
        One list of overrides a job, in the order of their numbers; empty if it cannot be known.
    """
    from omegaconf import OmegaConf

    path = folder / "multirun.yaml"
    if not path.is_file():
        return []
    # As text: what is written there is not looked up in the environment of whoever compares.
    own: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    if not str(own["hydra"]["sweeper"].get("_target_")).endswith("BasicSweeper"):
        return []
    return expand(own["hydra"]["overrides"]["task"])


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """Expand the overrides of a sweep into those of its jobs, as Hydra's basic sweeper does.

    Args:
        overrides: as on the command line, such as `training=default,adaptive_ema`.

    Returns:
        One list of overrides a job.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(list(overrides))
    batches = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    return [list(job) for batch in batches for job in batch]


def _rows(reports: dict[Any, tuple[Path, dict[str, Any]]], planned: list[list[str]]) -> list[Row]:
    overrides: dict[Any, list[str]] = dict(enumerate(planned))
    overrides |= {key: content.get("overrides", []) for key, (_, content) in reports.items()}
    shared = set.intersection(*(set(own) for own in overrides.values()))
    rows = []
    for key, own in overrides.items():
        content: Row = reports[key][1] if key in reports else {"status": "lost"}
        done = content["status"] == "ok"
        errors = content.get("relative_l2") if done else None
        losses = content.get("raw_losses_last") if done else None
        rows.append(
            {
                "job": key,
                "strategy": content.get("strategy", "-"),
                "overrides": " ".join(o for o in own if o not in shared),
                "u": errors["u"] if errors else None,
                "v": errors["v"] if errors else None,
                "worst": max(errors.values()) if errors else None,
                "raw_loss": sum(losses.values()) if losses else None,
                "seconds": content.get("seconds_training") if done else None,
                "status": content["status"],
                "message": content.get("message"),
            }
        )
    # A worst error that is not a number compares with nothing: it goes last, like no error.
    return sorted(rows, key=lambda r: (not _is_number(r["worst"]), r["worst"] or 0.0))


def _is_number(value: Any) -> bool:
    return value is not None and value == value


def _groups(rows: list[Row]) -> list[dict[str, Any]]:
    """Gather runs that differ in the seed only."""
    gathered: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row["status"] == "ok" and _is_number(row["worst"]):
            rest = " ".join(o for o in row["overrides"].split(" ") if not o.startswith("seed="))
            gathered.setdefault((row["strategy"], rest), []).append(row["worst"])
    groups = [
        {
            "strategy": strategy,
            "overrides": rest,
            "runs": len(worst),
            "median": statistics.median(worst),
            "smallest": min(worst),
            "largest": max(worst),
        }
        for (strategy, rest), worst in gathered.items()
    ]
    return sorted(groups, key=lambda group: group["median"])


def verdict(groups: Sequence[dict[str, Any]]) -> str:
    """Say in one sentence whether adapting the weights paid.

    Args:
        groups: one entry a setting, with `strategy` and `median` worst-field error.

    Returns:
        The sentence, empty unless both fixed and adaptive weights were run.
    """
    fixed = min((g["median"] for g in groups if g["strategy"] == "fixed"), default=None)
    adaptive = [g for g in groups if g["strategy"] != "fixed"]
    if fixed is None or not adaptive:
        return ""
    best = min(adaptive, key=lambda group: group["median"])
    name, error = best["strategy"], best["median"]
    if math.isclose(fixed, error, rel_tol=1e-9):
        return f"Fixed and adaptive weights ({name}) end alike here: worst-field error {error:.2e}."
    if fixed < error:
        return (
            f"Fixed weights win here: worst-field error {fixed:.2e}, against {error:.2e} of the "
            f"best adaptive strategy ({name})."
        )
    times = f"{fixed / error:.{1 if fixed >= 2 * error else 2}f} times"
    return (
        f"{name} wins here: worst-field error {error:.2e}, {times} smaller than "
        f"{fixed:.2e} with fixed weights."
    )


def _table(rows: list[Row]) -> str:
    def text(value: Any, form: str) -> str:
        return "-" if value is None else format(value, form)

    lines = [["job", "strategy", "u", "v", "raw loss", "seconds", "status", "overrides"]]
    for row in rows:
        lines.append(
            [
                str(row["job"]),
                row["strategy"],
                text(row["u"], ".2e"),
                text(row["v"], ".2e"),
                text(row["raw_loss"], ".2e"),
                text(row["seconds"], ".1f"),
                row["status"],
                row["overrides"],
            ]
        )
    notes = [
        f"job {row['job']} {row['status']}: {row['message']}" for row in rows if row["message"]
    ]
    return "Relative L2 errors, the smallest worst field first:\n" + "\n".join(
        [align(lines), *notes]
    )


def _group_table(groups: list[dict[str, Any]]) -> str:
    lines = [["strategy", "runs", "median", "smallest", "largest", "overrides"]]
    for group in groups:
        numbers = [format(group[key], ".2e") for key in ("median", "smallest", "largest")]
        lines.append([group["strategy"], str(group["runs"]), *numbers, group["overrides"]])
    return "Worst-field error over the seeds:\n" + align(lines)


def align(lines: list[list[str]]) -> str:
    """Return lines of cells laid out in columns, two spaces apart."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _write_files(folder: Path, rows: list[Row]) -> None:
    with open(folder / "comparison.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    (folder / "comparison.json").write_text(json.dumps(rows, indent=2) + "\n")


def _draw(folder: Path, rows: list[Row], reports: dict[Any, tuple[Path, dict[str, Any]]]) -> None:
    from pinn_ext.reports import plots

    drawn = [row for row in rows if row["status"] == "ok" and _is_number(row["worst"])]
    histories, labels = {}, {}
    for row in drawn:
        with open(reports[row["job"]][0] / HISTORY_FILE) as file:
            histories[row["job"]] = [_numbers(line) for line in csv.DictReader(file)]
        labels[row["job"]] = " ".join(
            [row["strategy"], *(o for o in row["overrides"].split() if "training=" not in o)]
        )
    if drawn:
        plots.comparison(folder / "comparison.png", drawn, histories, labels)


def _numbers(line: dict[str, str]) -> Row:
    row: Row = {key: value if key == "phase" else float(value) for key, value in line.items()}
    row["epoch"] = int(row["epoch"])
    return row
