"""The jobs that a sweep sets out to run, counted before they are made. Loads without torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MOST_JOBS = 10_000
"""A larger sweep is a slip of the pen; each job is looked at before the first is started."""


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
    overrides = _parsed(own["hydra"]["overrides"]["task"], None)
    if any(_is_glob(one) for one in overrides):  # of files that may be others today
        return []
    return _jobs(overrides)


def job_number(folder: Path) -> int | None:
    """Return the number of a job in its sweep.

    Args:
        folder: of the job, whatever it is called; Hydra leaves `.hydra/hydra.yaml` there.

    Returns:
        The number, None if it cannot be known.
    """
    from omegaconf import OmegaConf

    try:
        own: Any = OmegaConf.to_container(OmegaConf.load(folder / ".hydra" / "hydra.yaml"))
        return int(own["hydra"]["job"]["num"])
    except Exception:  # of yaml, or no mapping: anything may stand in the file
        return int(folder.name) if folder.name.isdecimal() else None


def expand(overrides: Sequence[str], loader: Any = None) -> list[list[str]]:
    """Expand the overrides of a sweep into those of its jobs, as Hydra's basic sweeper does.

    Args:
        overrides: as on the command line, such as `training=default,adaptive_ema`.
        loader: Hydra's, which knows the files that `glob(…)` chooses from.

    Returns:
        One list of overrides a job.

    Raises:
        ValueError: if there are more than `MOST_JOBS`.
    """
    return _jobs(_parsed(overrides, loader))


def _parsed(overrides: Sequence[str], loader: Any) -> list[Any]:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return list(OverridesParser.create(config_loader=loader).parse_overrides(list(overrides)))


def _jobs(parsed: list[Any]) -> list[list[str]]:
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    count = math.prod({one.get_key_element(): count_values(one) for one in parsed}.values())
    if count > MOST_JOBS:
        raise ValueError(f"A sweep must have at most {MOST_JOBS} jobs, got {count:.4g}.")
    batches = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    return [list(job) for batch in batches for job in batch]


def _is_glob(override: Any) -> bool:
    from hydra.core.override_parser.types import Glob

    return isinstance(override.value(), Glob)


def count_values(override: Any) -> float:
    """Return how many values an override gives; ranges are counted without being made.

    Args:
        override: parsed by Hydra.

    Raises:
        ValueError: if a range has no end.
    """
    from hydra.core.override_parser.types import RangeSweep

    if not override.is_discrete_sweep():
        return 1
    value = override.value()
    if not isinstance(value, RangeSweep):
        return sum(1 for _ in override.sweep_iterator())
    start, stop, step = (float(end or 0) for end in (value.start, value.stop, value.step))
    count = (stop - start) / step if step else math.nan
    if not math.isfinite(count):
        raise ValueError(f"`{override.input_line}` must have finite ends and a step, got none.")
    return max(0, math.ceil(count))
