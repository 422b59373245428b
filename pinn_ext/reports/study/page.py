"""The page of a study and the files beside it, made of its rows alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pinn_ext.files import RunError, replace_file
from pinn_ext.reports.study import html, pictures, sentences, tables
from pinn_ext.reports.study.records import PILOT, Record, Row
from pinn_ext.reports.study.results import CaseResults, gather
from pinn_ext.reports.study.tables import Table

PAGE = "index.html"
FIELDS = "fields"
"""Folder of the pictures of fields, which rows cannot hold."""
_COLOURED = 7
DrawFields = Callable[[Path, Sequence[str]], bytes | None]


def write(
    record: Record, rows: Mapping[str, Row], folder: Path, draw: DrawFields | None = None
) -> str:
    """Make page, tables and pictures.

    Args:
        record: the study.
        rows: by the names of their jobs.
        folder: of the study.
        draw: draws the fields of a run, by its folder and overrides; None where only those of a
            former page are shown.

    Returns:
        What is to be printed: a paragraph for each case, and where the page is.

    Raises:
        RunError: if a file cannot be written.
    """
    cases = gather(record, rows)
    by_rank = tables.of_ranks(cases, _everywhere(record, cases))
    try:
        _write_tables(record, rows, folder, cases, by_rank)
        fields = {case.case: _fields(case, folder, draw) for case in cases}
        text = _page(record, rows, cases, by_rank, fields)
        replace_file(folder / PAGE, text)
    except OSError as error:
        raise RunError(f"The page in {folder} cannot be written ({error.strerror}).") from None
    said = [f"{case.title}: {_of_case(record, case)}" for case in cases]
    if general := sentences.overall(cases, record.contenders):
        said.append(general)
    return "\n\n".join(["", *said, f"Page: {folder / PAGE}"])


def _write_tables(
    record: Record,
    rows: Mapping[str, Row],
    folder: Path,
    cases: Sequence[CaseResults],
    by_rank: Table,
) -> None:
    planned = [rows[job.name] for job in record.jobs if job.name in rows]
    replace_file(folder / "runs.csv", tables.runs_csv(planned))
    replace_file(folder / "summary.csv", tables.summary_csv(cases))
    replace_file(folder / "ranks.csv", tables.table_csv(by_rank))
    if tests := tables.of_tests(cases, record.contenders):
        replace_file(folder / "tests.csv", tables.table_csv(tests))


def _everywhere(record: Record, cases: Sequence[CaseResults]) -> list[str]:
    """Return the strategies that were run in most cases: these are ranked."""
    counts = {
        name: sum(case.entry(name) is not None for case in cases) for name in record.strategies
    }
    most = max(counts.values(), default=0)
    return [name for name, count in counts.items() if count == most and count]


def _of_case(record: Record, case: CaseResults) -> str:
    return sentences.of_case(case, record.contenders, record.fixed, _tuned(record))


def _tuned(record: Record) -> str | None:
    """Return the name of the strategy with weights from a grid, None without one."""
    return next((job.strategy for job in record.jobs if job.role == PILOT), None)


def _page(
    record: Record,
    rows: Mapping[str, Row],
    cases: Sequence[CaseResults],
    by_rank: Table,
    fields: Mapping[tuple[str, str, str], bytes | None],
) -> str:
    order = [name for name in _by_rank(by_rank, record) if name not in record.contenders]
    style = pictures.styles([*record.contenders, *order][:_COLOURED])
    done = sum(job.name in rows for job in record.jobs)
    failed = sum(rows.get(job.name, {}).get("status") == "failed" for job in record.jobs)
    runs = f"{done} of {len(record.jobs)} jobs are done, {failed} of them without a result"
    seeds = len({job.seed for job in record.jobs})
    parts = [
        html.paragraph(
            f"{sentences.count(len(cases), 'case')}, {len(record.strategies)} strategies, "
            f"{sentences.count(seeds, 'seed')}; {runs}; pinn_ext {record.version}."
        ),
        html.contents([("all", "Over all cases"), *((_anchor(c), c.title) for c in cases)]),
        html.heading("Over all cases", 2, "all"),
        html.paragraph(sentences.overall(cases, record.contenders)),
        html.table(by_rank),
    ]
    diagram = pictures.rank_diagram(sentences.medians(cases, record.contenders), record.contenders)
    if diagram:
        caption = (
            "Mean ranks of the contenders, the best on the left; a bar joins those that are not "
            "told apart."
        )
        parts.append(html.picture(diagram, caption))
    if tests := tables.of_tests(cases, record.contenders):
        parts += [html.heading("Paired tests of the contenders", 3), html.table(tests)]
    for case in cases:
        parts += _section(record, case, style, fields[case.case])
    return html.page(record.title, parts)


def _by_rank(by_rank: Table, record: Record) -> list[str]:
    ranked = [row[0].text for row in by_rank.rows]
    return [*ranked, *(name for name in record.strategies if name not in ranked)]


def _anchor(case: CaseResults) -> str:
    return ".".join(case.case)


def _section(
    record: Record, case: CaseResults, style: pictures.Style, fields: bytes | None
) -> list[str]:
    parts = [
        html.heading(case.title, 2, _anchor(case)),
        html.paragraph(_of_case(record, case)),
        html.table(tables.of_case(case)),
        html.picture(
            pictures.error_against_time(case, style),
            f"{case.title}: {sentences.what(case)} against seconds of training, of each strategy's "
            "run of median error; a grid of fixed weights begins when its points are over.",
        ),
    ]
    shown = [name for name in style if case.entry(name)]
    if weights := pictures.weights_over_time(case, shown):
        parts.append(html.picture(weights, f"{case.title}: weights of the terms in the same runs."))
    if fields:
        best = case.entries[0].strategy
        parts.append(
            html.picture(fields, f"{case.title}: fields of {best}, the run of median error.")
        )
    return parts


def _fields(case: CaseResults, folder: Path, draw: DrawFields | None) -> bytes | None:
    """Return the picture of the best strategy's fields: of its run, or from a former page."""
    kept = folder / FIELDS / f"{_anchor(case)}.png"
    row = case.entries[0].middle_run(case.key)
    if row is None:
        return None
    content = None if draw is None else draw(folder / "jobs" / row["name"], row["overrides"])
    if content is not None:
        kept.parent.mkdir(exist_ok=True)
        replace_file(kept, content)
        return content
    return kept.read_bytes() if kept.is_file() else None
