"""What each step of the package's advice gains, from the rows of `docs/evidence/advice.yaml`."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from evidence_rows import Against, Study, against

from pinn_ext.reports.study import sentences
from pinn_ext.reports.study.tables import Cell, Table

APART = 10.0
"""From this ratio of the sizes of the two fields on, a system is one of unlike sizes."""
SAME = 1.2
"""Errors whose ratio is below this are not counted as better or worse."""
WORDS = {
    "fixed": "let the program scale fields and inputs",
    "hard": "build the conditions into the output",
    "gauss_newton": "end with Gauss-Newton",
}
"""What a step adds to the one before; the first step is what users do today."""


@dataclass(frozen=True)
class Step:
    """A step of the advice.

    Attributes:
        name: of the strategy.
        today: its errors over those of the first strategy.
        before: its errors over those of the strategy before.
        seconds: the median over the systems of its core seconds, None where they were not counted.
    """

    name: str
    today: Against
    before: Against
    seconds: float | None


def steps(study: Study) -> list[Step]:
    """Return the steps that have been run, in the order of the study's file."""
    first, *others = study.record.strategies
    found = []
    for before, name in zip((first, *others), others, strict=False):
        own, last = against(study, name, first), against(study, name, before)
        if own is not None and last is not None:
            found.append(Step(name, own, last, core_seconds(study, name)))
    return found


def core_seconds(study: Study, strategy: str) -> float | None:
    """Return the median over the systems of a strategy's median core seconds of a job.

    Systems count on which they are known of the first and the last strategy.
    """
    known: dict[str, dict[str, list[float]]] = {}
    for row in study.rows.values():
        if row.get("core_seconds") is not None:
            own = known.setdefault(row["system"], {})
            own.setdefault(row["strategy"], []).append(row["core_seconds"])
    ends = {study.record.strategies[0], study.record.strategies[-1]}
    both = [own for own in known.values() if ends <= set(own)]
    medians = [statistics.median(own[strategy]) for own in both if strategy in own]
    return statistics.median(medians) if medians else None


def apart(system: str) -> float:
    """Return the ratio of the sizes of a system's fields, at least 1.

    >>> round(apart("brusselator"))
    85
    """
    from pinn_ext import systems

    sizes = systems.create(system).field_scales()
    return max(sizes) / min(sizes)


def factor(number: float) -> str:
    """Return a factor to two digits, without a power of ten.

    >>> factor(1.2345), factor(18.4), factor(48011.0)
    ('1.2', '18', '48,000')
    """
    return f"{float(f'{number:.2g}'):,g}" if number < 1000 else f"{float(f'{number:.2g}'):,.0f}"


def sentence(study: Study) -> str:
    """Return what a user should do first, and what it gains; nothing without rows."""
    found = steps(study)
    if not found:
        return ""
    said = []
    for step, few in zip(found, _fewer(study, found), strict=True):
        gain = factor(1 / step.today.mean)
        said.append(f"{WORDS.get(step.name, step.name)} (errors {gain} times smaller{few})")
    return (
        f"What to do first: {', then '.join(said)}. That is against what users do today, all-ones "
        "weights in physical units with conditions as loss terms; by the same network in about the "
        f"same core seconds, geometric means {over(found[-1].today)}."
        f"{_classes(found[-1])}{_losses(found)}"
        f"{_by_score(study, [step.name for step in found[-2:]])}"
    )


def _fewer(study: Study, found: Sequence[Step]) -> list[str]:
    """Return of each step how many systems it has, where they are not all."""
    every = len({job.system for job in study.record.jobs})
    counts = [len(step.today.ratios) for step in found]
    return ["" if n == every else f", {sentences.count(n, 'system')} so far" for n in counts]


def over(own: Against) -> str:
    """Return over how many systems and seeds a mean is."""
    low, high = own.seeds
    seeds = sentences.count(high, "seed") if low == high else f"{low} to {high} seeds"
    return f"over {sentences.count(len(own.ratios), 'system')} and {seeds}"


def _classes(last: Step) -> str:
    """Return what all steps gain where sizes are unlike, and elsewhere."""
    unlike = {name: r for name, r in last.today.ratios.items() if apart(name) >= APART}
    alike = {name: r for name, r in last.today.ratios.items() if name not in unlike}
    said = []
    if unlike:
        said.append(
            f"where the sizes of the two fields are {APART:.0f}-fold apart or more "
            f"({', '.join(unlike)}) at least {factor(1 / max(unlike.values()))}"
        )
    if alike:
        least, most = max(alike, key=alike.__getitem__), min(alike, key=alike.__getitem__)
        said.append(
            f"elsewhere from {factor(1 / alike[least])} ({least}) "
            f"to {factor(1 / alike[most])} ({most})"
        )
    return f" All of it gains, {', '.join(said)}." if said else ""


def _losses(found: Sequence[Step]) -> str:
    """Return which steps lose on a system, beside the step before."""
    said = []
    for step in found:
        name, ratio = step.before.worst
        if ratio > SAME:
            said.append(f"{step.name} on {name}, {ratio:.2f} times the error")
    return f" Single steps lose beside the one before: {'; '.join(said)}." if said else ""


def _by_score(study: Study, names: Sequence[str]) -> str:
    """Return what is gained at least if the held-out score chooses between the last steps."""
    first, gains = study.record.strategies[0], {}
    for case in study.cases:
        today = case.entry(first)
        entries = [entry for name in names if (entry := case.entry(name))]
        if today is None or len(entries) < len(names):
            continue
        best = min(entries, key=lambda entry: entry.of("held_out").median)
        gains[case.title] = today.of(case.key).median / best.of(case.key).median
    if not gains:
        return ""
    least = min(gains, key=gains.__getitem__)
    return (
        f" The one of {' and '.join(names)} with the smaller held-out score gains at least "
        f"{factor(gains[least])} ({least})."
    )


def of_steps(study: Study) -> Table:
    """Return a row a step: what it gains over today and over the step before."""
    first = study.record.strategies[0]
    seconds = core_seconds(study, first)
    rows = [[Cell(first), Cell("1", 1.0), *[Cell("")] * 4, _seconds(seconds)]]
    for step in steps(study):
        numbers = (
            *(1 / step.today.mean, 1 / step.today.worst[1], 1 / step.today.best[1]),
            *(1 / step.before.mean, 1 / step.before.worst[1]),
        )
        cells = [Cell(factor(number), number) for number in numbers]
        rows.append([Cell(step.name), *cells, _seconds(step.seconds)])
    head = (
        *("step", "gain", "smallest", "largest", "over the row before", "smallest of it"),
        "core seconds",
    )
    note = (
        "Factor by which the error is smaller than that of the first row: geometric mean over the "
        "systems, smallest, largest; the same over the row before; core seconds of a job, with "
        "those for making graphs and measuring errors, the median over the systems for which they "
        "are known in the first and the last row."
    )
    return Table(head, rows, note)


def _seconds(seconds: float | None) -> Cell:
    return Cell("" if seconds is None else f"{seconds:.1f}", seconds)


def of_systems(study: Study) -> Table:
    """Return a row a system: its errors after each step, and what all of them gain."""
    names: Sequence[str] = study.record.strategies
    rows = []
    for case in study.cases:
        ratio = apart(case.case[0])
        entries = [case.entry(name) for name in names]
        errors = [None if entry is None else entry.of(case.key).median for entry in entries]
        gain = errors[0] / errors[-1] if errors[0] and errors[-1] else None
        cells = [Cell(sentences.short(error), error) for error in errors]
        last = Cell("" if gain is None else factor(gain), gain)
        rows.append([Cell(case.title), Cell(f"{ratio:.2g}", ratio), *cells, last])
    note = (
        "Relative L2 error of the worse field at the end, median over the seeds that were run; "
        "fields apart: ratio of the sizes of the two fields; gain: the first error over the last."
    )
    return Table(("system", "fields apart", *names, "gain"), rows, note)
