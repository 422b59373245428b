"""The jobs that a sweep set out to run, expanded as Hydra does."""

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
