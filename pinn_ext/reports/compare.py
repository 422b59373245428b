"""Comparison of the runs below a folder: table, files, picture, and who won."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pinn_ext.files import RunError, replace_file
from pinn_ext.reports import compare_tables, report, run_settings
from pinn_ext.reports.compare_sections import Row, Section, is_number, sections
from pinn_ext.reports.job_reports import is_running, read_job
from pinn_ext.reports.run_settings import RunSettings

COLUMNS = [
    *("job", "strategy", "overrides", "u", "v", "worst", "raw_loss", "seconds", "status"),
    *("problem", "seed", "differs"),
]
MOST_JOBS = 10_000
"""A larger sweep is a slip of the pen; each job is looked at before the first is started."""


@dataclass(frozen=True)
class Job:
    """What a job has left.

    Attributes:
        content: its report.
        history: its rows, none if it did not end well.
        settings: what decided it, None where that is not known.
    """

    content: Row
    history: list[Row] = field(default_factory=list)
    settings: RunSettings | None = None


class NotWritten(RunError):
    """The files of a comparison cannot be written.

    Args:
        message: one sentence.
        rows: of the comparison.
        text: to print all the same.
    """

    def __init__(self, message: str, rows: list[Row], text: str) -> None:
        super().__init__(message)
        self.rows, self.text = rows, text


def compare(folder: Path, planned: list[list[str]] | None = None) -> tuple[list[Row], str]:
    """Compare the runs in a folder and write `comparison.csv`, `.json` and `.png` there.

    A job that is lost, damaged or still running has a row that says so; it hides no other.

    Args:
        folder: of a sweep, or one that holds the folders of single runs.
        planned: overrides of each job that a sweep set out to run; None reads `multirun.yaml`.

    Returns:
        One row a run, the smallest worst-field error first, and the text to print.

    Raises:
        RunError: if there are no runs.
        NotWritten: if the files cannot be written; it holds rows and text.
    """
    if not folder.is_dir():
        raise RunError(f"There is no folder {folder}.")
    jobs, torn = _jobs(folder), False
    if planned is None:
        try:
            planned = planned_jobs(folder)
        except Exception:  # of yaml, OmegaConf or Hydra's parser: anything may stand in the file
            planned, torn = [], True
    if planned:  # other runs in the folder have nothing to do with the sweep
        jobs = {key: job for key, job in jobs.items() if isinstance(key, int)}
        for key in range(len(planned)):
            jobs.setdefault(key, Job(_without_report(folder / str(key))))
    if torn:
        message = "multirun.yaml cannot be read, so jobs without a report are not shown"
        jobs["-"] = Job({"status": "damaged", "message": message})
    if not jobs:
        raise RunError(f"There are no runs in {folder}.")
    rows = _rows(jobs, planned)
    found = sections(rows, {key: job.settings for key, job in jobs.items()})
    text = compare_tables.text(found)
    try:
        _write_files(folder, rows, found, {key: job.history for key, job in jobs.items()})
    except OSError as error:
        message = f"The comparison in {folder} cannot be written ({error.strerror})."
        raise NotWritten(message, rows, text) from error
    return rows, f"{text}\n\nComparison: {folder / 'comparison.csv'}"


def _jobs(folder: Path) -> dict[Any, Job]:
    """Return the jobs below a folder by their number, or by name for single runs."""
    found: dict[Any, Job] = {}
    for path in sorted(folder.glob(f"*/{report.FILE_NAME}")):
        content, history = read_job(path.parent)
        job = content.get("job")
        # Two folders may hold the same job, such as one that was resumed in a new place.
        key = path.parent.name if job is None or job in found else job
        found[key] = Job(content, history, run_settings.read(path.parent))
    return found


def _without_report(folder: Path) -> Row:
    return {"status": "running" if is_running(folder) else "lost"}


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


def expand(overrides: Sequence[str], loader: Any = None) -> list[list[str]]:
    """Expand the overrides of a sweep into those of its jobs, as Hydra's basic sweeper does.

    Args:
        overrides: as on the command line, such as `training=default,adaptive_ema`.
        loader: Hydra's, which knows the files that `glob(…)` is to choose from.

    Returns:
        One list of overrides a job.

    Raises:
        ValueError: if there are more than `MOST_JOBS`.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
    count = math.prod({one.get_key_element(): _values_of(one) for one in parsed}.values())
    if count > MOST_JOBS:
        raise ValueError(f"A sweep must have at most {MOST_JOBS} jobs, got {count:.4g}.")
    batches = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    return [list(job) for batch in batches for job in batch]


def _values_of(override: Any) -> float:
    """Return how many values an override gives; ranges are counted without being made."""
    from hydra.core.override_parser.types import RangeSweep

    if not override.is_discrete_sweep():
        return 1
    value = override.value()
    if not isinstance(value, RangeSweep):
        return sum(1 for _ in override.sweep_iterator())
    start, stop, step = value.start or 0, value.stop or 0, value.step
    if not step:
        raise ValueError(f"The step of `{override.input_line}` must not be 0, got {step}.")
    return max(0, math.ceil((stop - start) / step))


def _rows(jobs: Mapping[Any, Job], planned: list[list[str]]) -> list[Row]:
    overrides: dict[Any, list[str]] = {
        key: job.content.get("overrides", []) for key, job in jobs.items()
    }
    overrides |= {k: own for k, own in enumerate(planned) if not overrides[k]}
    # A job whose overrides are not known shares none, so those of the others are shown in full.
    shared = set.intersection(*(set(own) for own in overrides.values()))
    rows = []
    for key, job in jobs.items():
        content = job.content
        done = content["status"] == "ok"
        errors = content.get("relative_l2") if done else None
        losses = content.get("raw_losses_last") if done else None
        rows.append(
            {
                "job": key,
                "strategy": content.get("strategy", "-"),
                "overrides": " ".join(o for o in overrides[key] if o not in shared),
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
    return sorted(rows, key=lambda r: (not is_number(r["worst"]), r["worst"] or 0.0))


def _is_number(value: Any) -> bool:
    return value is not None and value == value


def _write_files(
    folder: Path,
    rows: list[Row],
    found: Sequence[Section],
    histories: Mapping[Any, list[Row]],
) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    # As bytes, so that the ends of lines stay those of the csv module.
    replace_file(folder / "comparison.csv", text.getvalue().encode())
    replace_file(folder / "comparison.json", json.dumps(rows, indent=2) + "\n")
    if any(section.groups for section in found):
        from pinn_ext.reports import comparison_plot

        report.picture(folder / "comparison.png", comparison_plot.draw, found, histories)
