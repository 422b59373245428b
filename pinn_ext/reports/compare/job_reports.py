"""The reports of the jobs in a folder, read one by one: a damaged one hides no other."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pinn_ext.reports import report
from pinn_ext.reports.history import FILE_NAME as HISTORY_FILE
from pinn_ext.systems import FIELDS

_LOCK = "run.lock"
_NUMBERS = (int, float)


class Damaged(ValueError):
    """A file of a job does not hold what a run writes; the message says which."""


def read_job(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what a job has left.

    Args:
        folder: of the job, with a `report.json`.

    Returns:
        Its report, and its history where it ended well, else no rows. In the place of a damaged
        report stands one of status "damaged" whose message names the file, and in that of a run
        which goes on one of status "running".
    """
    content: Any = {}
    try:
        content = _content(folder / report.FILE_NAME)
        _check_report(content)
        if is_running(folder):
            return _rest(content, folder, "running", None), []
        rows = _history(folder / HISTORY_FILE) if content["status"] == "ok" else []
        return content, rows
    except Damaged as error:
        return _rest(content, folder, "damaged", str(error)), []


def _content(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        raise Damaged(f"{path.name} cannot be read") from None


def _check_report(content: Any) -> None:
    if not isinstance(content, dict):
        raise Damaged(f"{report.FILE_NAME} is no mapping")
    done = content.get("status") == "ok"
    errors, losses = content.get("relative_l2"), content.get("raw_losses_last")
    sound = {
        "status": isinstance(content.get("status"), str),
        "strategy": isinstance(content.get("strategy", "-"), str),
        "overrides": _is_list_of_strings(content.get("overrides", [])),
        "job": content.get("job") is None or type(content["job"]) is int,
        "message": isinstance(content.get("message", ""), (str, type(None))),
        "relative_l2": not done
        or errors_unknown(content)
        or (_holds_numbers(errors) and set(errors or ()) >= set(FIELDS)),
        "raw_losses_last": not done or losses is None or _holds_numbers(losses),
        "seconds_training": not done or isinstance(content.get("seconds_training"), _NUMBERS),
    }
    for key, right in sound.items():
        if not right:
            raise Damaged(f"{report.FILE_NAME} lacks `{key}` or has it damaged")


def errors_unknown(content: Mapping[str, Any]) -> bool:
    """Return whether a report says that no solution is known to measure errors against."""
    return content.get("reference", "") is None


def _is_list_of_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _holds_numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(v, _NUMBERS) for v in value.values())


def _rest(content: Any, folder: Path, status: str, message: str | None) -> dict[str, Any]:
    """Return a report without results, with what can still be told of the job."""
    known = content if isinstance(content, dict) else {}
    strategy, overrides, job = (known.get(key) for key in ("strategy", "overrides", "job"))
    if type(job) is not int:
        job = int(folder.name) if folder.name.isdecimal() else None
    return {
        "status": status,
        "message": message,
        "strategy": strategy if isinstance(strategy, str) else "-",
        "overrides": overrides if _is_list_of_strings(overrides) else [],
        "job": job,
    }


def _history(path: Path) -> list[dict[str, Any]]:
    try:
        with open(path, newline="") as file:
            reader = csv.DictReader(file)
            rows = [_numbers(line) for line in reader]
            columns = set(reader.fieldnames or ())
    except (OSError, ValueError, TypeError, KeyError, csv.Error):
        raise Damaged(f"{path.name} cannot be read") from None
    lacking = {"epoch", "phase", *(f"error_{field}" for field in FIELDS)} - columns
    if lacking:
        raise Damaged(f"{path.name} lacks the column {min(lacking)}")
    return rows


def _numbers(line: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {k: v if k == "phase" else float(v) for k, v in line.items()}
    row["epoch"] = int(row["epoch"])
    return row


def is_running(folder: Path) -> bool:
    """Return whether a process holds a run's folder.

    Args:
        folder: of the run, which need not exist.

    Returns:
        Whether its lock is held.
    """
    import fcntl
    import os

    try:
        descriptor = os.open(folder / _LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
