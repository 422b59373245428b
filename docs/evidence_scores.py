"""How early, and by which score, one can tell the error at the end; over rows of the evidence."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evidence_rows import AUTO, Study

from pinn_ext.reports.held_out import held_out_score
from pinn_ext.reports.study.records import RUN, Row
from pinn_ext.reports.study.tables import Cell, Table

FACTORS = {"factor_1": 1.0, "factor_10": 10.0, "factor_100": 100.0}
SCORES = {
    "factor_1": "at the end: sum of the raw losses",
    "factor_10": "at the end: the score, conditions times 10",
    "factor_100": "at the end: conditions times 100",
    "geometric": "at the end: geometric mean of the raw losses",
}
"""Scores that can be made of a run's last held-out losses, and what they are."""
PARTS = (0.1, 0.2, 0.5, 1.0)
"""Of a training, at which a score is looked at."""
LOOKED_AT = {"held_out": "the score", "worst": "the true error"}
NUMBERS = ("correlation", "smallest", "regret", "largest")


@dataclass(frozen=True)
class Foresight:
    """How well a number tells the error at the end.

    Attributes:
        correlation: Spearman's, of the number with the error at the end over the strategies; the
            mean over the systems.
        smallest: the smallest over the systems.
        regret: error at the end of the strategy with the best number, over that of the best
            strategy; the geometric mean over the systems.
        largest: the largest over the systems.
        runs: how many there are.
    """

    correlation: float
    smallest: float
    regret: float
    largest: float
    runs: int


def foresight(study: Study, key: str, part: float) -> Foresight | None:
    """Return what a number of the curves tells of the error at the end.

    Args:
        study: with its rows.
        key: `"held_out"` or `"worst"`.
        part: of the training, in (0, 1], after which the number is looked at.

    Returns:
        None without runs to compare.
    """
    return _told(study, lambda row: _at(row["curve"], key, part))


def at_the_end(study: Study, score: str) -> Foresight | None:
    """Return what a score of the last held-out losses tells of the error at the end.

    Args:
        study: with its rows.
        score: of `SCORES`.
    """

    def of(row: Row) -> float | None:
        losses = row["validation_losses"]
        kept = {name: losses[name] for name, weight in row["weights"].items() if weight}
        if any(value is None for value in kept.values()):
            return None
        if score == "geometric":
            return held_out_score(kept, "none")
        return held_out_score(kept, "fields", FACTORS[score])

    return _told(study, of)


def _told(study: Study, number: Callable[[Row], float | None]) -> Foresight | None:
    """Hold a number of each run against its error at the end.

    Args:
        study: with its rows; strategies in scaled units count, on the first seed; not the tuned
            one and `auto`, which do not train once from the start to the end.
        number: returns it of a row, None where it is not known.

    Returns:
        What it tells, None without runs to compare.
    """
    from scipy.stats import spearmanr

    correlations, regrets, runs = [], [], 0
    once = {job.name for job in study.record.jobs if job.role == RUN and job.strategy != AUTO}
    for case in study.cases:
        pairs = []
        for entry in case.entries:
            row = next(iter(entry.rows.values()))
            if row["status"] != "ok" or row["name"] not in once or _in_physical_units(row):
                continue
            found = number(row)
            if found is not None and row["worst"] is not None:
                pairs.append((found, row["worst"]))
        if len(pairs) > 2:
            runs += len(pairs)
            correlations.append(float(spearmanr(*zip(*pairs, strict=True)).statistic))
            regrets.append(min(pairs)[1] / min(worst for _, worst in pairs))
    if not runs:
        return None
    mean = math.exp(statistics.fmean(map(math.log, regrets)))
    smallest = min(correlations)
    return Foresight(statistics.fmean(correlations), smallest, mean, max(regrets), runs)


def _in_physical_units(row: Row) -> bool:
    return "problem.scaling=none" in row["overrides"]


def _at(curve: Mapping[str, Sequence[float | None]], key: str, part: float) -> float | None:
    """Return a number of a curve at the place that is nearest to a part of its length."""
    at = [float(place) for place in curve["at"] if place is not None]
    nearest = min(range(len(at)), key=lambda i: abs(at[i] - part * at[-1]))
    return curve[key][nearest]


def of_foresight(study: Study) -> Table | None:
    """Return how early the score, and the error itself, tell the error at the end."""
    found: list[tuple[str, Foresight | None]] = [
        (f"{words}, at {100 * part:.0f} %", foresight(study, key, part))
        for key, words in LOOKED_AT.items()
        for part in PARTS
    ]
    found += [(words, at_the_end(study, name)) for name, words in SCORES.items()]
    rows, runs = [], 0
    for words, own in found:
        if own is None:
            return None
        numbers = [float(getattr(own, name)) for name in NUMBERS]
        rows.append([Cell(words), *(Cell(f"{number:.2f}", number) for number in numbers)])
        runs = own.runs
    note = (
        f"Over {runs} runs of the first seed, in scaled units. correlation: Spearman's with the "
        "error at the end over the strategies of a system, mean and smallest over the systems. "
        "regret: error at the end of the strategy that the number chooses, over that of the best "
        "one; geometric mean and largest. The score is the sum of raw losses on held-out "
        "snapshots, conditions counted ten times."
    )
    return Table(("looked at", *NUMBERS), rows, note)
