"""The files of a study's folder: `study.json` says what is run, `rows.jsonl` what came of it.

Loads without torch.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from pinn_ext.files import RunError, open_own, replace_file
from pinn_ext.version import __version__

STUDY_FILE = "study.json"
ROWS_FILE = "rows.jsonl"
FORMAT = "pinn_ext study"
VERSION = 1
RUN, PILOT, CHOSEN = "run", "pilot", "chosen"
Row = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A job of a study.

    Attributes:
        name: of the job, and of its folder.
        system: name on that axis.
        conditions: `"hard"` or `"soft"`.
        phase: name on that axis.
        strategy: name on that axis.
        seed: of the run.
        overrides: as on a command line.
        role: `"run"`; `"pilot"` for a point of a grid of fixed weights, `"chosen"` for the
            training with the best one.
        chosen_from: names of the jobs that the weights are chosen from.
    """

    name: str
    system: str
    conditions: str
    phase: str
    strategy: str
    seed: int
    overrides: tuple[str, ...]
    role: str = RUN
    chosen_from: tuple[str, ...] = ()

    @property
    def moves_weights(self) -> bool:
        """Whether a recipe, or a key, lets the weights move; the last override says."""
        said = [
            one.partition("=")[2] in ("true", "True") or one.startswith("training=adaptive")
            for one in self.overrides
            if one.startswith(("training=", "training.loss.adaptive.enabled="))
        ]
        return bool(said) and said[-1]

    @property
    def case(self) -> tuple[str, str, str]:
        """System, conditions and phase: strategies are compared where these are the same."""
        return self.system, self.conditions, self.phase


@dataclass(frozen=True)
class Record:
    """What `study.json` holds.

    Attributes:
        title: of the page.
        contenders: strategies that are tested against each other.
        strategies: names in the order of the study file.
        jobs: of the study.
        version: of pinn_ext that runs it.
    """

    title: str
    contenders: tuple[str, ...]
    strategies: tuple[str, ...]
    jobs: tuple[Job, ...]
    version: str = __version__

    @property
    def fixed(self) -> tuple[str, ...]:
        """Strategies whose weights do not move, by the overrides of their jobs."""
        moving = {job.strategy for job in self.jobs if job.moves_weights}
        return tuple(name for name in self.strategies if name not in moving)

    def write(self, folder: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            RunError: if it cannot be written.
        """
        content = {"format": FORMAT, "format_version": VERSION, **asdict(self)}
        try:
            replace_file(folder / STUDY_FILE, json.dumps(content, indent=1) + "\n")
        except OSError as error:
            raise RunError(f"The folder {folder} cannot be written ({error.strerror}).") from None


def read_record(folder: Path) -> Record:
    """Return what a folder's `study.json` holds.

    Args:
        folder: of a study.

    Raises:
        RunError: if there is none, it is damaged or of another version of the format.
    """
    path = folder / STUDY_FILE
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise RunError(f"The folder {folder} must hold a study, got no {STUDY_FILE}.") from None
    except (OSError, ValueError, RecursionError):
        raise RunError(f"{path} cannot be read.") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RunError(f"{path} must be that of a study, got something else.")
    if content.get("format_version") != VERSION:
        raise RunError(
            f"{path} is of format {content.get('format_version')}, this pinn_ext reads {VERSION}: "
            "choose another folder for the study."
        )
    try:
        jobs = tuple(_job(one) for one in content["jobs"])
        return Record(
            str(content["title"]),
            tuple(map(str, content["contenders"])),
            tuple(map(str, content["strategies"])),
            jobs,
            str(content["version"]),
        )
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{path} is damaged.") from None


def _job(values: Mapping[str, Any]) -> Job:
    lists = {key: tuple(map(str, values[key])) for key in ("overrides", "chosen_from")}
    return Job(**{**values, **lists})


def check_goes_on(record: Record, former: Record, folder: Path) -> None:
    """Refuse to go on with a study that is another one.

    Jobs may be added and left out: rows are taken by the names of the jobs.

    Args:
        record: what is to be run.
        former: what the folder holds.
        folder: for the message.

    Raises:
        RunError: if it was made by another version of pinn_ext, or a job has other overrides.
    """
    if former.version != record.version:
        raise RunError(
            f"The folder {folder} holds a study of pinn_ext {former.version}, this is "
            f"{record.version}: choose another folder, or make its page alone by --page-only."
        )
    before = {job.name: job for job in former.jobs}
    for job in record.jobs:
        if job.name in before and before[job.name].overrides != job.overrides:
            raise RunError(
                f"The folder {folder} holds another study: its job {job.name} has other "
                "overrides; choose another folder."
            )


def read_rows(folder: Path) -> dict[str, Row]:
    """Return the rows of a study by the names of their jobs; of several the last one.

    Args:
        folder: of the study; a last line that was not written to its end is left out.

    Raises:
        RunError: if a line is damaged; it says which.
    """
    path = folder / ROWS_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}).") from None
    found: dict[str, Row] = {}
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        if not line.endswith(b"\n"):
            break
        try:
            row = json.loads(line)
            found[row["name"]] = row
        except (ValueError, TypeError, KeyError, RecursionError):
            raise RunError(f"{path} is damaged in line {number}.") from None
    return found


def append_row(folder: Path, row: Mapping[str, Any]) -> None:
    """Add a row; it is on the disk when this returns, and no other process writes into it.

    Args:
        folder: of the study.
        row: plain values.

    Raises:
        RunError: if it cannot be written.
    """
    path = folder / ROWS_FILE
    line = json.dumps(row, allow_nan=False, separators=(",", ":")) + "\n"
    try:
        with open_own(path, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _cut_torn_line(file, path)
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror}).") from None


def _cut_torn_line(file: IO[bytes], path: Path) -> None:
    """Remove a last line that a process was killed in the middle of."""
    with open(path, "rb") as reading:
        if not reading.seek(0, os.SEEK_END):
            return
        reading.seek(-1, os.SEEK_END)
        if reading.read(1) == b"\n":
            return
    file.truncate(path.read_bytes().rfind(b"\n") + 1)


def pending(jobs: Sequence[Job], rows: Mapping[str, Row], retry: bool = False) -> list[Job]:
    """Return the jobs that have no row yet.

    Args:
        jobs: of a study.
        rows: by the names of their jobs.
        retry: whether those that have failed are to be run again.
    """
    over = {name for name, row in rows.items() if not (retry and row["status"] == "failed")}
    return [job for job in jobs if job.name not in over]
