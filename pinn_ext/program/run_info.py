"""What is said of a run beside its results: how it was started."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Info:
    """What a report says of how a run was started.

    Attributes:
        overrides: what the user wrote on the command line.
        choices: which file each configuration group was read from.
        job: number of the job in a sweep, None outside.
        job_id: what the launcher of a sweep calls the job, the same when it is queued again.
        pictures: whether the run ends with its pictures; short runs take longer to draw than to
            train.
    """

    overrides: list[str] = field(default_factory=list)
    choices: dict[str, str] = field(default_factory=dict)
    job: int | None = None
    job_id: str | None = None
    pictures: bool = True
