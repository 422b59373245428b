"""Rows of the two studies of `docs/evidence`, and strategies held against each other by them."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pinn_ext.program.study import study_file
from pinn_ext.reports.study.records import CHOSEN, RUN, Job, Record, Row, read_rows
from pinn_ext.reports.study.results import CaseResults, gather

FIXED, PHYSICAL, NULL, AUTO = "fixed", "fixed_physical", "random", "auto"


@dataclass(frozen=True)
class Study:
    """A study with what there is of it.

    Attributes:
        record: its jobs, without the points of grids.
        rows: by the names of their jobs, of jobs of the study alone.
        cases: the results.
        left_out: rows of systems that the study does not have any more.
    """

    record: Record
    rows: Mapping[str, Row]
    cases: Sequence[CaseResults]
    left_out: Sequence[Row] = ()

    @property
    def missing(self) -> list[Job]:
        """Jobs that have no row yet."""
        return [job for job in self.record.jobs if job.name not in self.rows]


def read(name: str, folder: Path) -> Study:
    """Read a study: its file says what was to be run, its rows what was.

    Args:
        name: of the file and of the folder of rows beside it.
        folder: that both lie in.

    Returns:
        The study, with no rows where none has been run.

    Raises:
        Refused: if the file cannot be used.
        RunError: if a row is damaged.
    """
    file = study_file.read(folder / f"{name}.yaml")
    recipes = {**file.strategies, **({file.tuned.name: ()} if file.tuned else {})}
    jobs = []
    axes = file.seeds, recipes, file.systems, file.conditions, file.phases
    for seed, strategy, *case in itertools.product(*axes):
        job = Job(
            ".".join((*case, strategy, str(seed))),
            *case,
            strategy=strategy,
            seed=seed,
            overrides=recipes[strategy],
            role=RUN if recipes[strategy] else CHOSEN,
        )
        jobs.append(job)
    record = Record(file.title, file.contenders, tuple(file.all_strategies), tuple(jobs))
    names, every = {job.name for job in jobs}, read_rows(folder / name)
    rows = {name: row for name, row in every.items() if name in names}
    left_out = [row for row in every.values() if row["system"] not in file.systems]
    return Study(record, rows, gather(record, rows), left_out)


@dataclass(frozen=True)
class Against:
    """Errors of a strategy over those of another, on the seeds that both were run on.

    Attributes:
        ratios: median over median by system; above 1 where the strategy is worse.
        seeds: the fewest and the most in a system.
    """

    ratios: Mapping[str, float]
    seeds: tuple[int, int]

    @property
    def mean(self) -> float:
        """Geometric mean over the systems."""
        return math.exp(statistics.fmean(map(math.log, self.ratios.values())))

    @property
    def best(self) -> tuple[str, float]:
        """System with the smallest ratio, and that ratio."""
        return min(self.ratios.items(), key=lambda item: item[1])

    @property
    def worst(self) -> tuple[str, float]:
        """System with the largest ratio, and that ratio."""
        return max(self.ratios.items(), key=lambda item: item[1])

    def count(self, low: float, high: float) -> int:
        """Return how many systems have a ratio in `(low, high]`."""
        return sum(low < ratio <= high for ratio in self.ratios.values())


def against(study: Study, strategy: str, other: str = FIXED) -> Against | None:
    """Hold a strategy against another one, None if they have no system in common."""
    ratios, seeds = {}, []
    for case in study.cases:
        paired = case.paired([strategy, other])
        if len(paired) < 2 or not paired[strategy]:
            continue
        ratios[case.title] = statistics.median(paired[strategy]) / statistics.median(paired[other])
        seeds.append(len(paired[strategy]))
    return Against(ratios, (min(seeds), max(seeds))) if ratios else None


def latest(screening: Study, final: Study) -> Study:
    """Return the second study once its contenders have run on all systems, else the first."""
    systems = {job.system for job in final.record.jobs}
    for name in final.record.contenders:
        own = against(final, name, PHYSICAL if name == FIXED else FIXED)
        if own is None or len(own.ratios) < len(systems):
            return screening
    return final


def adaptive(study: Study) -> list[tuple[str, Against]]:
    """Return strategies that move weights in scaled units, the best against fixed ones first.

    Only those that were run on every system, or on all but one, count.
    """
    names = [
        name
        for name in study.record.strategies
        if name not in study.record.fixed and not name.endswith("_physical")
    ]
    found = [(name, own) for name in names if (own := against(study, name))]
    complete = [item for item in found if len(item[1].ratios) >= max(1, len(study.cases) - 1)]
    return sorted(complete, key=lambda item: item[1].mean)


@dataclass(frozen=True)
class Foresight:
    """How well a number, looked at early, tells the error at the end.

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
    """Return what a number tells of the error at the end, None without runs to compare.

    Strategies in scaled units count, on the first seed; not the tuned one and `auto`, which do not
    train once from the start to the end.

    Args:
        study: with its rows.
        key: `"held_out"` or `"worst"`.
        part: of the training, in (0, 1], after which the number is looked at.
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
            early = _at(row["curve"], key, part)
            if early is not None and row["worst"] is not None:
                pairs.append((early, row["worst"]))
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
