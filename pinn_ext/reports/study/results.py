"""Rows of a study gathered by case, and what is compared over their seeds. Pure functions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pinn_ext.reports.study.records import PILOT, Record, Row
from pinn_ext.reports.study.statistics import Summary, finite_or_inf, summary

Case = tuple[str, str, str]


@dataclass(frozen=True)
class Entry:
    """A strategy in a case.

    Attributes:
        strategy: its name.
        rows: by seed, failed ones too.
        planned: how many seeds were set out.
    """

    strategy: str
    rows: Mapping[int, Row]
    planned: int

    def values(self, key: str) -> list[float | None]:
        """Return a number of each run, None of one that has failed."""
        return [row.get(key) for row in self.rows.values()]

    def of(self, key: str) -> Summary:
        """Return median and range of a number, failed runs counted as infinite."""
        return summary(self.values(key))

    def error(self, seed: int, key: str) -> float:
        """Return the error of a run, infinite if it has failed."""
        return finite_or_inf(self.rows[seed].get(key))

    def middle_run(self, key: str) -> Row | None:
        """Return the run whose error is the lower median, None if all have failed."""
        done = [row for row in self.rows.values() if row["status"] == "ok"]
        done.sort(key=lambda row: finite_or_inf(row[key]))
        return done[(len(done) - 1) // 2] if done else None

    @property
    def failures(self) -> int:
        """How many runs have failed or diverged."""
        return sum(row["status"] != "ok" for row in self.rows.values())

    @property
    def seconds(self) -> float | None:
        """Median of the seconds of training of runs that went well."""
        known = [row["seconds"] for row in self.rows.values() if row["status"] == "ok"]
        return statistics.median(known) if known else None


@dataclass(frozen=True)
class CaseResults:
    """All strategies in a case.

    Attributes:
        case: system, conditions, phase.
        title: the case in words, without what all cases share.
        key: `"worst"`, the relative L2 error of the worse field, or `"held_out"` where no solution
            is known.
        entries: the smallest median first.
    """

    case: Case
    title: str
    key: str
    entries: Sequence[Entry]

    def entry(self, strategy: str) -> Entry | None:
        """Return a strategy's entry, None if it was not run here."""
        return next((one for one in self.entries if one.strategy == strategy), None)

    def paired(self, strategies: Sequence[str]) -> dict[str, list[float]]:
        """Return errors of strategies on the seeds that all of them were run on.

        Args:
            strategies: names; those without an entry are left out.
        """
        own = [entry for name in strategies if (entry := self.entry(name))]
        if not own:
            return {}
        seeds = sorted(set.intersection(*(set(entry.rows) for entry in own)))
        return {e.strategy: [e.error(seed, self.key) for seed in seeds] for e in own}


def gather(record: Record, rows: Mapping[str, Row]) -> list[CaseResults]:
    """Gather the rows of a study by case.

    Args:
        record: the study; rows of jobs that it does not have are left out.
        rows: by the names of their jobs.

    Returns:
        The cases that have rows, in the order of the study.
    """
    found: dict[Case, dict[str, dict[int, Row]]] = {}
    planned: dict[tuple[Case, str], int] = {}
    for job in record.jobs:
        if job.role == PILOT:
            continue
        place = (job.case, job.strategy)
        planned[place] = planned.get(place, 0) + 1
        if job.name in rows:
            found.setdefault(job.case, {}).setdefault(job.strategy, {})[job.seed] = rows[job.name]
    titles = _titles([job.case for job in record.jobs])
    results = []
    for case in dict.fromkeys(job.case for job in record.jobs):
        if case in found:
            own = found[case]
            every = [row for by_seed in own.values() for row in by_seed.values()]
            key = "worst" if any(row.get("worst") is not None for row in every) else "held_out"
            order = {name: number for number, name in enumerate(record.strategies)}
            entries = [
                Entry(name, dict(sorted(by_seed.items())), planned[case, name])
                for name, by_seed in own.items()
            ]
            entries.sort(key=lambda entry: (entry.of(key).median, order.get(entry.strategy, 0)))
            results.append(CaseResults(case, titles[case], key, entries))
    return results


def _titles(cases: Sequence[Case]) -> dict[Case, str]:
    """Return a title for each case, of those parts in which cases differ."""
    several = [len({case[i] for case in cases}) > 1 for i in range(3)]
    words = ("{}", "{} conditions", "{}")
    return {
        case: ", ".join(words[i].format(case[i]) for i in range(3) if i == 0 or several[i])
        for case in dict.fromkeys(cases)
    }


@dataclass(frozen=True)
class Choice:
    """The best of several strategies, chosen on some seeds and looked at on others.

    Attributes:
        entry: the strategy.
        chosen_on: seeds by which it is the best.
        seeds: on which it is compared; the same where there are too few for two halves.
    """

    entry: Entry
    chosen_on: tuple[int, ...]
    seeds: tuple[int, ...]

    @property
    def on_others(self) -> bool:
        """Whether it is compared on other seeds than it was chosen on."""
        return not set(self.chosen_on) & set(self.seeds)


FEWEST_TO_HALVE = 4
"""Seeds; with fewer the best is compared on the seeds that it was chosen on, which flatters it."""


def choose(case: CaseResults, among: Sequence[str]) -> Choice | None:
    """Return the best of several strategies in a case.

    Args:
        case: its results.
        among: names of the strategies.

    Returns:
        The one with the smallest median on every second seed, to be compared on the rest; None
        if none of them was run on a seed that all were run on.
    """
    entries = [entry for name in among if (entry := case.entry(name))]
    if not entries:
        return None
    seeds = sorted(set.intersection(*(set(entry.rows) for entry in entries)))
    if not seeds:
        return None
    halved = len(seeds) >= FEWEST_TO_HALVE
    chosen_on = tuple(seeds[::2] if halved else seeds)
    others = tuple(seeds[1::2] if halved else seeds)

    def median(entry: Entry) -> float:
        return statistics.median(entry.error(seed, case.key) for seed in chosen_on)

    best = min(entries, key=median)
    return Choice(best, chosen_on, others) if median(best) < math.inf else None
