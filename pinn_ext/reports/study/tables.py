"""Tables of a study: as rows for the page, and as CSV files."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pinn_ext.reports.study.records import Row
from pinn_ext.reports.study.results import CaseResults, Entry
from pinn_ext.reports.study.sentences import comparisons, count, short
from pinn_ext.reports.study.statistics import mean_ranks, ranks


class Cell(NamedTuple):
    """A cell of a table: what is shown, and the number that it is sorted by, if it has one."""

    text: str
    number: float | None = None


class Table(NamedTuple):
    """A table.

    Attributes:
        head: names of the columns.
        rows: cells of each row.
        note: a sentence below, may be empty.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


ERRORS = ("strategy", "median", "range", "held-out", "seconds", "weighting", "runs")


def of_case(case: CaseResults) -> Table:
    """Return the table of a case: a row a strategy, the smallest median first.

    Args:
        case: its results.
    """
    rows = [_entry(case, entry) for entry in case.entries]
    what = (
        "Relative L2 error of the worse field at the end"
        if case.key == "worst"
        else "Held-out score, as no solution is known"
    )
    note = (
        f"{what}: median and range over the seeds. held-out: median of the score by raw losses on "
        "held-out snapshots. seconds: median time of training; weighting: the part of it spent on "
        "weights, in percent."
    )
    return Table(ERRORS, rows, note)


def _entry(case: CaseResults, entry: Entry) -> list[Cell]:
    own, held_out = entry.of(case.key), entry.of("held_out")
    seconds, part = entry.seconds, _weighting(entry)
    done = len(entry.rows) - entry.failures
    wide = f"{short(own.smallest)} … {short(own.largest)}" if own.runs > 1 else "-"
    return [
        Cell(entry.strategy),
        Cell(short(own.median), own.median),
        Cell(wide, own.largest),
        Cell(short(held_out.median), held_out.median),
        Cell("-" if seconds is None else f"{seconds:.1f}", seconds),
        Cell("-" if part is None else f"{100 * part:.2f} %", part),
        Cell(f"{done} of {entry.planned}", done),
    ]


def _weighting(entry: Entry) -> float | None:
    parts = [
        row["seconds_weighting"] / row["seconds"]
        for row in entry.rows.values()
        if row["status"] == "ok" and row["seconds"]
    ]
    return sum(parts) / len(parts) if parts else None


def of_ranks(cases: Sequence[CaseResults], strategies: Sequence[str]) -> Table:
    """Return the ranks of strategies by their medians, over the cases in which all were run.

    Args:
        cases: of the study.
        strategies: names of those that are ranked.
    """
    shared = [case for case in cases if all(case.entry(name) for name in strategies)]
    table = [
        [entry.of(case.key).median for name in strategies if (entry := case.entry(name))]
        for case in shared
    ]
    if not table:
        return Table(("strategy",), [], "No case has runs of all strategies.")
    means, by_case = mean_ranks(table), [ranks(row) for row in table]
    best = [min(row) for row in table]
    rows = []
    for i in sorted(range(len(strategies)), key=means.__getitem__):
        ratios = [row[i] / least for row, least in zip(table, best, strict=True) if least > 0]
        mean = _geometric_mean(ratios)
        rows.append(
            [
                Cell(strategies[i]),
                Cell(f"{means[i]:.2f}", means[i]),
                Cell("failed" if math.isinf(mean) else f"{mean:.2f}", mean),
                Cell("failed" if math.isinf(max(ratios)) else f"{max(ratios):.2f}", max(ratios)),
                *(Cell(f"{own[i]:g}", own[i]) for own in by_case),
            ]
        )
    head = ["strategy", "mean rank", "to the best", "at worst", *(case.title for case in shared)]
    note = (
        f"Ranks by the median over the seeds, over {count(len(shared), 'case')} in which all of "
        "these were run. to the best: geometric mean of a median over the smallest of its case; by "
        "chance that one is the smaller, the more strategies there are. at worst: the largest."
    )
    return Table(head, rows, note)


def _geometric_mean(values: Sequence[float]) -> float:
    if not values or any(math.isinf(v) or math.isnan(v) for v in values):
        return math.inf
    return math.exp(sum(map(math.log, values)) / len(values))


def of_tests(cases: Sequence[CaseResults], contenders: Sequence[str]) -> Table | None:
    """Return the paired tests of the contenders over the cases, None for fewer than two.

    Args:
        cases: of the study.
        contenders: strategies named beforehand.
    """
    found = comparisons(cases, contenders) if len(contenders) > 1 else []
    if not found:
        return None
    rows = [
        [
            Cell(one.first),
            Cell(one.second),
            Cell("-" if one.ratio is None else f"{one.ratio:.3f}", one.ratio),
            Cell(str(one.pairs), one.pairs),
            Cell("-" if one.p is None else f"{one.p:.3g}", one.p),
            Cell("yes" if one.told_apart else "no"),
        ]
        for one in found
    ]
    note = (
        "Wilcoxon's signed-rank test of the logarithms of medians, paired by case, two-sided, "
        "with Holm's correction over all pairs. ratio: geometric mean of the second's over the "
        "first's, above 1 where the first is better."
    )
    return Table(("first", "second", "ratio", "cases", "p (Holm)", "told apart"), rows, note)


# ---- files --------------------------------------------------------------------------------------

RUN_COLUMNS = (
    *("name", "system", "conditions", "phase", "strategy", "seed", "role", "status", "u", "v"),
    *("worst", "held_out", "seconds", "seconds_weighting", "choice", "message"),
)


def runs_csv(rows: Sequence[Row]) -> bytes:
    """Return every row of a study as CSV, without its curve.

    Args:
        rows: of the study.
    """
    lines = []
    for row in rows:
        errors: Mapping[str, Any] = row.get("errors") or {}
        lines.append({**row, "u": errors.get("u"), "v": errors.get("v")})
    return _csv(RUN_COLUMNS, [[line.get(key) for key in RUN_COLUMNS] for line in lines])


def summary_csv(cases: Sequence[CaseResults]) -> bytes:
    """Return a line for each strategy in each case as CSV.

    Args:
        cases: of the study.
    """
    head = [
        *("system", "conditions", "phase", "strategy", "compared_by", "median", "smallest"),
        *("largest", "held_out", "seconds", "runs", "failures", "planned"),
    ]
    lines = []
    for case in cases:
        for entry in case.entries:
            own, held_out = entry.of(case.key), entry.of("held_out")
            numbers = (own.median, own.smallest, own.largest, held_out.median, entry.seconds)
            counts = (len(entry.rows), entry.failures, entry.planned)
            lines.append([*case.case, entry.strategy, case.key, *numbers, *counts])
    return _csv(head, lines)


def table_csv(table: Table) -> bytes:
    """Return a table as CSV: numbers where there are some."""
    lines = [[c.text if c.number is None else c.number for c in row] for row in table.rows]
    return _csv(table.head, lines)


def _csv(head: Sequence[str], lines: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(lines)
    return text.getvalue().encode()
