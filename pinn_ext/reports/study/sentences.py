"""A plain paragraph for each case of a study, and on all of them, that follows from the numbers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from pinn_ext.reports.study.results import CaseResults, Choice, Entry, choose
from pinn_ext.reports.study.statistics import (
    LEVEL,
    Comparison,
    compare,
    critical_difference,
    friedman,
    mean_ranks,
    smallest_p,
)

FIXED = "fixed"
ALIKE = 1.02
"""Medians whose ratio is below this are said to end alike."""


def of_case(
    case: CaseResults, contenders: Sequence[str], fixed: Sequence[str], tuned: str | None
) -> str:
    """Return what a case says of fixed against adaptive weights, in a paragraph.

    Args:
        case: its results.
        contenders: strategies named beforehand, the first one is held against the others.
        fixed: names of all strategies whose weights do not move.
        tuned: name of the one among them with weights from a grid, None without one.

    Returns:
        Sentences.
    """
    best = case.entries[0] if case.entries else None
    if best is None or math.isinf(best.of(case.key).median):
        return "No strategy has a finite median error here."
    found = [_best(case, best)]
    manual = [name for name in fixed if case.entry(name)]
    adaptive = [e.strategy for e in case.entries if e.strategy not in manual]
    if manual and adaptive and (choice := choose(case, adaptive)):
        found += [_against(case, name, _words(name, tuned), choice) for name in manual]
    elif manual and adaptive:
        found.append("No adaptive strategy has a finite median error here, so fixed weights win.")
    found += _tests(case, contenders)
    failures = [e for e in case.entries if e.failures]
    if failures:
        listed = ", ".join(f"{e.strategy} ({e.failures} of {len(e.rows)})" for e in failures)
        found.append(f"Runs without a result: {listed}.")
    missing = sum(entry.planned - len(entry.rows) for entry in case.entries)
    if missing:
        verb = "is" if missing == 1 else "are"
        found.append(f"{count(missing, 'run').capitalize()} of these strategies {verb} to come.")
    return " ".join(found)


def what(case: CaseResults) -> str:
    """Return what is compared in a case."""
    if case.key == "worst":
        return "relative L2 error of the worse field"
    return "held-out score, as no solution is known"


def _best(case: CaseResults, best: Entry) -> str:
    seeds = count(len(best.rows), "seed")
    own = numbers(best, case.key)
    text = f"The smallest median ({what(case)}) is that of {best.strategy}: {own}, over {seeds}."
    trivial = [
        max(v for v in row["trivial"].values())
        for row in best.rows.values()
        if row.get("trivial") and all(v is not None for v in row["trivial"].values())
    ]
    if case.key == "worst" and trivial and best.of("worst").median > min(trivial):
        text += f" No training has {min(trivial):.2g}, so nothing has been learnt here."
    return text


def numbers(entry: Entry, key: str) -> str:
    """Return median and range of an entry in words."""
    own = entry.of(key)
    if own.runs == 1:
        return short(own.median)
    return f"{short(own.median)} ({short(own.smallest)} to {short(own.largest)})"


def short(value: float | None) -> str:
    """Return a number for a reader; infinity stands for runs that have failed."""
    if value is None:
        return "-"
    return "failed" if math.isinf(value) else f"{value:.2e}"


def _words(name: str, tuned: str | None) -> str:
    """Return what a strategy of fixed weights is called."""
    if name == FIXED:
        return "Fixed weights"
    return f"Fixed weights {'tuned on a grid ' if name == tuned else ''}({name})"


def _against(case: CaseResults, name: str, words: str, choice: Choice) -> str:
    """Hold fixed weights against the best adaptive strategy, on seeds that have not chosen it."""
    entry = case.entry(name)
    rival = choice.entry.strategy
    seeds = [seed for seed in choice.seeds if entry and seed in entry.rows]
    if entry is None or not seeds:
        return f"{words} and {rival} have no seed in common."
    own = [entry.error(seed, case.key) for seed in seeds]
    other = [choice.entry.error(seed, case.key) for seed in seeds]
    mine, its = statistics.median(own), statistics.median(other)
    same = "seed" if len(choice.chosen_on) == 1 else "seeds"
    how = (
        f"{rival}, the best adaptive strategy on {count(len(choice.chosen_on), 'other seed')}"
        if choice.on_others
        else f"{rival}, the best adaptive strategy on the same {same}, which flatters it"
    )
    over = f"over {count(len(seeds), 'seed')}"
    if math.isinf(mine) and math.isinf(its):
        return f"{words} fail, as does {how}."
    if math.isinf(mine):
        return f"{words} fail, {how}, does not."
    if math.isinf(its):
        return f"{words} win against {how}: it fails."
    ratio = its / mine
    if max(ratio, 1 / ratio) < ALIKE:
        return f"{words} and {how}, end alike ({short(mine)} and {short(its)})."
    apart = _told_apart(own, other, over)
    if ratio > 1:
        return f"{words} win by {times(ratio)} against {how}; {apart}."
    return f"{words} lose by {times(1 / ratio)} to {how}; {apart}."


def _told_apart(own: Sequence[float], other: Sequence[float], over: str) -> str:
    """Say whether paired errors tell two strategies apart; with few pairs, by their ranges."""
    if smallest_p(len(own)) < LEVEL:
        p = compare({"a": own, "b": other})[0].p
        verdict = "told apart" if p is not None and p < LEVEL else "not told apart"
        return f"{verdict} {over} (Wilcoxon p = {_p(p)})"
    if len(own) == 1:
        return f"{over}, which tells nothing apart"
    overlap = min(own) <= max(other) and min(other) <= max(own)
    if overlap:
        return f"not told apart {over}, as their ranges overlap"
    return f"their ranges {over} do not overlap, though so few pairs prove nothing"


def _tests(case: CaseResults, contenders: Sequence[str]) -> list[str]:
    """Return a sentence on the first contender against each other one, with Holm's correction."""
    errors = case.paired(contenders)
    if len(errors) < 2:
        return []
    first, *others = errors
    pairs = len(errors[first])
    if smallest_p(pairs) >= LEVEL:
        return [
            f"With {count(pairs, 'paired seed')} no test tells contenders apart "
            f"(smallest p {smallest_p(pairs):.2g})."
        ]
    found = compare(errors, [(first, other) for other in others])
    return [
        f"{first} over {count(pairs, 'paired seed')}: " + "; ".join(map(_compared, found)) + "."
    ]


def _compared(one: Comparison) -> str:
    ratio = "" if one.ratio is None else f" by {times(max(one.ratio, 1 / one.ratio))}"
    if not one.told_apart:
        return f"not told apart from {one.second} (p = {_p(one.p)})"
    better = one.ratio is None or one.ratio > 1
    return f"{'better' if better else 'worse'} than {one.second}{ratio} (p = {_p(one.p)})"


def overall(cases: Sequence[CaseResults], contenders: Sequence[str]) -> str:
    """Return what all cases say of the contenders.

    Args:
        cases: of the study.
        contenders: strategies named beforehand.

    Returns:
        Sentences; empty for fewer than two contenders.
    """
    table = medians(cases, contenders)
    if len(contenders) < 2:
        return ""
    if not table:
        return "No case has runs of all contenders yet."
    n, k = len(table), len(contenders)
    ranked = sorted(zip(mean_ranks(table), contenders, strict=True))
    listed = ", ".join(f"{name} {rank:.2f}" for rank, name in ranked)
    difference = critical_difference(k, n)
    text = [f"Mean ranks of the contenders by their medians over {count(n, 'case')}: {listed}."]
    apart = ranked[-1][0] - ranked[0][0]
    text.append(
        f"Ranks closer than {difference:.2f} are not told apart (Nemenyi, level {LEVEL:g}); the "
        f"first and the last are {apart:.2f} apart."
    )
    p = friedman(table)
    if p is not None:
        text.append(f"Friedman's test that all rank alike: p = {_p(p)}.")
    if smallest_p(n) >= LEVEL:
        text.append(
            f"{count(n, 'case').capitalize()} cannot tell pairs apart by Wilcoxon's test "
            f"(smallest p {smallest_p(n):.2g})."
        )
        return " ".join(text)
    apart_pairs = [one for one in comparisons(cases, contenders) if one.told_apart]
    if not apart_pairs:
        text.append("Wilcoxon's tests with Holm's correction tell no pair apart.")
    for one in apart_pairs:
        winner, loser = _ordered(one)
        text.append(f"{winner} is told apart from {loser} (p = {_p(one.p)}).")
    return " ".join(text)


def _ordered(one: Comparison) -> tuple[str, str]:
    if one.ratio is not None and one.ratio < 1:
        return one.second, one.first
    return one.first, one.second


def medians(cases: Sequence[CaseResults], strategies: Sequence[str]) -> list[list[float]]:
    """Return medians of strategies, a row for each case in which all of them were run."""
    found = []
    for case in cases:
        entries = [case.entry(name) for name in strategies]
        if all(entries):
            found.append([entry.of(case.key).median for entry in entries if entry])
    return found


def comparisons(cases: Sequence[CaseResults], contenders: Sequence[str]) -> list[Comparison]:
    """Return Wilcoxon's tests of all pairs of contenders over the medians of cases."""
    table = medians(cases, contenders)
    if not table:
        return []
    columns = zip(*table, strict=True)
    return compare(dict(zip(contenders, map(list, columns), strict=True)))


def times(ratio: float) -> str:
    """Return a ratio in words.

    >>> times(1.2345), times(12.345), times(1234.5)
    ('1.23x', '12x', '1.2e+03x')
    """
    if ratio >= 1000:
        return f"{ratio:.1e}x"
    return f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.0f}x"


def count(number: int, noun: str) -> str:
    """Return a number of things in words.

    >>> count(1, "seed"), count(8, "seed")
    ('one seed', '8 seeds')
    """
    return f"one {noun}" if number == 1 else f"{number} {noun}s"


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"
