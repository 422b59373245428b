"""Runs of a comparison gathered by problem, and within one by what decided them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pinn_ext.reports.compare.settings import (
    RunSettings,
    Settings,
    differences,
    reference,
    titles,
)
from pinn_ext.reports.compare.verdict import Group, verdict

Row = dict[str, Any]
_NOT_KNOWN = "Settings not known"
_NO_ERRORS = (
    "No solution of this problem is known, so none wins: problem.reference=FILE or "
    "problem.reference=rk4 gives one to compare with."
)


@dataclass(frozen=True)
class Section:
    """The runs of one problem on one data set under one kind of conditions.

    Attributes:
        title: the problem in a few words.
        rows: one a run, the smallest worst-field error first.
        groups: runs that differ in the seed only, the smallest median first.
        verdict: sentences on fixed against adaptive weights, empty without both.
    """

    title: str
    rows: Sequence[Row]
    groups: Sequence[Group]
    verdict: str


def sections(rows: Sequence[Row], settings: Mapping[Any, RunSettings | None]) -> list[Section]:
    """Gather the runs of a comparison by problem.

    Args:
        rows: of all runs, the smallest worst-field error first; each gets `problem`, the title of
            its section, `seed`, `differs`, its settings that most runs of the section do not
            have, and `group`, the name that it shares with runs of other seeds.
        settings: of each run by its job, None where they are not known.

    Returns:
        The sections by their titles, runs of unknown settings in the last one.
    """
    by_problem: dict[Settings, list[Row]] = {}
    for row in rows:
        own = settings.get(row["job"])
        row |= {"problem": "", "seed": own and own.seed, "differs": "", "group": row["strategy"]}
        if own:
            by_problem.setdefault(own.problem, []).append(row)
    unknown = [row for row in rows if not settings.get(row["job"])]
    if len(by_problem) < 2:  # nothing else that they could belong to
        by_problem = {problem: list(rows) for problem in by_problem}
        unknown = [] if by_problem else unknown
    first = [next(s for r in rows if (s := settings.get(r["job"]))) for rows in by_problem.values()]
    named = dict(zip(titles(first), by_problem.values(), strict=True))
    found = [_section(title, named[title], settings) for title in sorted(named)]
    return found + ([Section(_NOT_KNOWN, unknown, [], "")] if unknown else [])


def _section(
    title: str, rows: Sequence[Row], settings: Mapping[Any, RunSettings | None]
) -> Section:
    known = {row["job"]: own for row in rows if (own := settings.get(row["job"]))}
    # In the order of the jobs, so that the first one decides where none is most frequent.
    usual = reference([known[job].training for job in sorted(known, key=str)])
    gathered: dict[tuple[Settings, str, Settings], list[Row]] = {}
    for row in rows:
        row["problem"] = title
        if own := known.get(row["job"]):
            row["differs"] = differences(own.training, usual)
            if row["status"] == "ok" and row["worst"] is not None:
                gathered.setdefault((own.training, row["strategy"], own.weighting), []).append(row)
    groups: dict[Settings, list[Group]] = {}
    for (training, strategy, weighting), members in gathered.items():
        of_weights = differences(weighting, *(w for _, s, w in gathered if s == strategy))
        label = " ".join(part for part in (of_weights, members[0]["differs"]) if part)
        groups.setdefault(training, []).append(_group(strategy, label, members))
    every = sorted((g for own in groups.values() for g in own), key=lambda group: group.median)
    done = [row for row in rows if row["status"] == "ok"]
    if done and all(row["worst"] is None for row in done):
        return Section(title, rows, every, _NO_ERRORS)
    return Section(title, rows, every, _verdicts(groups, usual))


def _group(strategy: str, label: str, members: Sequence[Row]) -> Group:
    group = Group(
        strategy,
        label,
        tuple(row["worst"] if is_number(row["worst"]) else math.inf for row in members),
        frozenset(row["seed"] for row in members),
    )
    for row in members:
        row["group"] = group.name
    return group


def is_number(value: float | None) -> bool:
    """Return whether an error is there and no NaN."""
    return value is not None and value == value


def _verdicts(groups: Mapping[Settings, Sequence[Group]], usual: Settings) -> str:
    said = {training: verdict(own) for training, own in groups.items()}
    lines = [
        sentence if training == usual else f"With {differences(training, usual)}: {sentence}"
        for training, sentence in said.items()
        if sentence
    ]
    kinds = {group.strategy == "fixed" for own in groups.values() for group in own}
    if not lines and len(kinds) == 2:
        return (
            "No run with fixed weights has the other settings of one with adaptive weights, so "
            "none wins: see the column `differs`."
        )
    return "\n".join(lines)
