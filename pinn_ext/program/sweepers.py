"""Sweepers other than Hydra's own, which choose the values of a job by the scores of earlier ones.

What such a sweeper will run is not known beforehand; its keys are, and the ends of its ranges.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from pinn_ext.program.terminal.refusals import Refused
from pinn_ext.reports.planned_jobs import count_values

_PAGE = "docs/ecosystem.md"


def is_basic(hydra_part: Any) -> bool:
    """Return whether a sweep is Hydra's own: the product of the values on the command line.

    Args:
        hydra_part: Hydra's part of the configuration.
    """
    return str(hydra_part.sweeper.get("_target_")).endswith("BasicSweeper")


def samples(overrides: Sequence[str], loader: Any = None) -> list[list[str]]:
    """Return jobs that a sweeper may come to: each value of a choice, both ends of an interval.

    Args:
        overrides: as on the command line, such as `training.learning_rate=interval(1e-4,1e-2)`.
        loader: Hydra's, which knows the files that `glob(…)` chooses from.

    Returns:
        One list of overrides a job, so many that each value occurs; empty if a key has none.

    Example:
        >>> for job in samples(["training=default,adaptive_ema", "seed=int(interval(0,9))"]):
        ...     print(job)
        ['training=default', 'seed=0']
        ['training=adaptive_ema', 'seed=9']
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
    values = [_values(one) for one in parsed]
    if not all(values):
        return []
    count = max(map(len, values), default=1)
    turns = [list(itertools.islice(itertools.cycle(own), count)) for own in values]
    return [list(job) for job in zip(*turns, strict=True)] or [[]]


def _values(override: Any) -> list[str]:
    """Return an override once for each of some values."""
    from hydra.core.override_parser.types import Transformer

    if not override.is_sweep_override():
        return [override.input_line]
    key, value = override.get_key_element(), override.value()
    if override.is_interval_sweep():
        found = [value.start, value.end]
    elif override.is_range_sweep():  # which may be long
        found = list(itertools.islice(value.range(), 1)) if count_values(override) else []
    else:
        found = list(override.sweep_iterator(transformer=Transformer.encode))
    return [f"{key}={own}" for own in found]


def check_installed(hydra_part: Any) -> None:
    """Refuse a launcher or a sweeper whose package is not installed.

    Args:
        hydra_part: Hydra's part of the configuration.

    Raises:
        Refused: in one sentence.
    """
    from hydra.core.plugins import Plugins

    known = Plugins.instance().class_name_to_class
    for kind in ("launcher", "sweeper"):
        target = hydra_part[kind].get("_target_")
        if target not in known:
            name = hydra_part.runtime.choices.get(f"hydra/{kind}")
            package = str(target).split(".")[1:2]  # hydra_plugins.PACKAGE.…
            raise Refused(
                f"The {kind} {name} is not installed: it needs "
                f"{''.join(package).replace('_', '-') or target}, see {_PAGE}."
            )


def best_line(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the sentence that ends a search: which job has the smallest held-out score.

    Args:
        rows: of the comparison.
    """
    scored = [row for row in rows if row["held_out_score"] is not None]
    if not scored:
        return "No job has a held-out score to choose by."
    best = min(scored, key=lambda row: row["held_out_score"])
    own = f" ({best['overrides']})" if best["overrides"] else ""
    return (
        f"The smallest held-out score, which the sweeper goes by, is {best['held_out_score']:.3g}: "
        f"job {best['job']}{own}."
    )
