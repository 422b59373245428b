"""Write `docs/evidence/index.html` from the stored rows of its three studies, and what is quoted.

    python docs/write_evidence.py

Each study is a file in `docs/evidence`, run by `pinn-ext study FILE`; a finished job appends its
row in the folder beside it. Whatever the page says follows from these rows, and so do the tables
between marks in `README.md` and `docs/methods.md`.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import evidence_advice as advice  # noqa: E402 - of this checkout
import evidence_excerpts as excerpts  # noqa: E402
from evidence_advice import SAME, over  # noqa: E402
from evidence_rows import (  # noqa: E402
    AUTO,
    FIXED,
    NULL,
    PHYSICAL,
    Against,
    Study,
    adaptive,
    against,
    against_best_elsewhere,
    latest,
    read,
)
from evidence_scores import of_foresight  # noqa: E402

from pinn_ext.reports.study import html, sentences, tables  # noqa: E402
from pinn_ext.reports.study.records import CHOSEN  # noqa: E402
from pinn_ext.reports.study.tables import Cell, Table  # noqa: E402

FOLDER = ROOT / "docs" / "evidence"
PAGE = FOLDER / "index.html"
STUDIES = ("advice", "screening", "contenders")


# ---- sentences ----------------------------------------------------------------------------------


def answers(screening: Study, final: Study, steps: Study) -> list[str]:
    """Return the first lines of the page: what is gained, what is lost, what to do first."""
    study = latest(screening, final)
    found = [advice.sentence(steps), _scaling(study), *_weighting(screening, final), _auto(study)]
    return [one for one in [*found, _then(screening, study)] if one]


def _scaling(study: Study) -> str:
    own = against(study, FIXED, PHYSICAL)
    if own is None:
        return ""
    return (
        f"Scaling: all-ones weights with inputs and fields in units of their size ({FIXED}, the "
        f"program's default) end with errors {gain(1 / own.mean)} than the same weights in "
        f"physical units ({PHYSICAL}), in the geometric mean {over(own)}; as a ratio of the two "
        f"{extremes(own)}."
    )


def _weighting(screening: Study, final: Study) -> list[str]:
    ranked = adaptive(screening)
    if not ranked:
        return []
    better = [name for name, own in ranked if own.mean < 1]
    said = ", ".join(f"{name} {own.mean:.2f}" for name, own in ranked[:5])
    found = (
        f"Weighting, in scaled units: of {len(ranked)} strategies in the screening "
        f"{len(better) or 'none'} {'has' if len(better) == 1 else 'have'} a smaller geometric mean "
        f"than all-ones weights. The best, as error over that of {FIXED}: {said}. The "
        "best of many is flattered by the seeds that chose it"
    )
    again = [(name, own) for name, _ in ranked[:5] if (own := against(final, name))]
    if again:
        listed = ", ".join(
            f"{name} {own.mean:.2f} (from {own.best[1]:.2f} to {own.worst[1]:.2f})"
            for name, own in again
        )
        found += f"; on other seeds they have, {over(again[0][1])}: {listed}"
    if null := against(screening, NULL):
        worse = [name for name, own in ranked if own.mean >= null.mean and name != NULL]
        found += f". Weights drawn at random ({NULL}) have {null.mean:.2f}"
        found += f"; no better than they are {', '.join(worse)}" if worse else ""
    return [found + ".", _in_physical_units(screening)]


def _in_physical_units(study: Study) -> str:
    """Return what weights gain for those who do not scale."""
    end = PHYSICAL.removeprefix(FIXED)
    names = [name for name in study.record.strategies if name.endswith(end) and name != PHYSICAL]
    found = [(name, own) for name in names if (own := against(study, name, PHYSICAL))]
    if not found:
        return ""
    listed = "; ".join(
        f"{name.removesuffix(end)} {own.mean:.2f} ({extremes(own)})" for name, own in found
    )
    return f"Weighting in physical units, as error over that of {PHYSICAL}: {listed}."


def _auto(study: Study) -> str:
    own, other = against(study, AUTO), against(study, AUTO, "field_scale")
    if own is None or other is None:
        return ""
    return (
        f"auto, cost of its pilots included: {own.mean:.2f} times the error of {FIXED} in the "
        f"geometric mean {over(own)} ({extremes(own)}), and {other.mean:.2f} times that of "
        f"field_scale (at worst {other.worst[1]:.2f}).{_auto_against_the_best(study)}"
    )


def _auto_against_the_best(study: Study) -> str:
    own = against_best_elsewhere(study, AUTO)
    if own is None:
        return ""
    near = own.count(0, 1.1)
    return (
        f" Over the best of all strategies, chosen on other seeds: {own.mean:.2f} {over(own)}, at "
        f"most 1.10 on {near} of them, at worst {own.worst[1]:.2f} on {own.worst[0]}."
    )


def _then(screening: Study, study: Study) -> str:
    ranked = adaptive(screening)
    if not ranked:
        return ""
    name, chosen = ranked[0][0], against(study, ranked[0][0]) or ranked[0][1]
    if chosen.mean > 1 / SAME:
        return (
            "Where conditions stay loss terms, once inputs and fields are scaled: leave all "
            f"weights at one, and compare {name} with that ({chosen.mean:.2f} times the error in "
            f"the mean, {chosen.best[1]:.2f} at best, on {chosen.best[0]})."
        )
    return (
        f"Where conditions stay loss terms, once inputs and fields are scaled: let {name} move "
        f"the weights ({chosen.mean:.2f} times the error of all-ones weights)."
    )


def gain(ratio: float) -> str:
    """Return a ratio of errors in words.

    >>> gain(3.0), gain(0.5)
    ('3.00 times smaller', '2.00 times larger')
    """
    return f"{ratio:.2f} times smaller" if ratio >= 1 else f"{1 / ratio:.2f} times larger"


def extremes(own: Against) -> str:
    """Return the best and the worst system of a comparison."""
    (best, low), (worst, high) = own.best, own.worst
    return f"from {low:.2f} on {best} to {high:.2f} on {worst}"


def missing(study: Study) -> str:
    """Return which jobs of a study have no row."""
    jobs, left = len(study.record.jobs), study.missing
    if not left:
        return f"{study.record.title}: all {jobs} runs are done."
    names: dict[int, tuple[str, ...]] = {}
    for job in left:
        names[job.seed] = tuple(dict.fromkeys((*names.get(job.seed, ()), job.strategy)))
    seeds: dict[tuple[str, ...], list[str]] = {}
    for seed, own in names.items():
        seeds.setdefault(own, []).append(str(seed))
    every = len(study.record.strategies)
    listed = "; ".join(
        f"seed{'s' if len(of) > 1 else ''} {', '.join(of)}: "
        + ("all strategies" if len(own) == every else ", ".join(own))
        for own, of in seeds.items()
    )
    return (
        f"{study.record.title}: {jobs - len(left)} of {jobs} runs are done. Without all of their "
        f"runs: {listed}."
    )


def left_out(study: Study) -> str:
    """Return which systems were given up, and why."""
    found = []
    for system in dict.fromkeys(row["system"] for row in study.left_out):
        done = [r for r in study.left_out if r["system"] == system and r.get("worst") is not None]
        if done:
            least, trivial = min(row["worst"] for row in done), max(done[0]["trivial"].values())
            found.append(
                f"{system} was given up: the smallest error of its {len(done)} runs is "
                f"{least:.2g}, that of no training {trivial:.2g}."
            )
    return " ".join(found)


# ---- tables -------------------------------------------------------------------------------------


def of_strategies(study: Study) -> Table:
    """Return a row a strategy: its errors over those of fixed weights."""
    found = [(name, own) for name in study.record.strategies if (own := against(study, name))]
    rows = []
    for name, own in sorted(found, key=lambda item: item[1].mean):
        low, high = own.seeds
        rows.append(
            [
                Cell(name),
                Cell(f"{own.mean:.2f}", own.mean),
                Cell(f"{own.best[1]:.2f}", own.best[1]),
                Cell(f"{own.worst[1]:.2f}", own.worst[1]),
                Cell(str(own.count(0, 1 / SAME)), own.count(0, 1 / SAME)),
                Cell(str(own.count(SAME, math.inf)), own.count(SAME, math.inf)),
                Cell(str(len(own.ratios)), len(own.ratios)),
                Cell(f"{low}" if low == high else f"{low} to {high}", low),
            ]
        )
    head = ("strategy", "mean", "best", "worst", "better", "worse", "systems", "seeds")
    note = (
        f"Error over that of {FIXED}, each the median over the seeds of both: geometric mean over "
        "the systems, the smallest, the largest; on how many it is better or worse by more than "
        f"{SAME}."
    )
    return Table(head, rows, note)


def of_errors(study: Study) -> Table:
    """Return median errors, a row a strategy and a column a system."""
    rows = []
    for name in study.record.strategies:
        cells = [Cell(name)]
        entries = [case.entry(name) for case in study.cases]
        if not any(entries):
            continue
        for case, entry in zip(study.cases, entries, strict=True):
            median = None if entry is None else entry.of(case.key).median
            cells.append(Cell(sentences.short(median), median))
        rows.append(cells)
    trivial = [Cell("no training")]
    for case in study.cases:
        rows_of_case = (row for entry in case.entries for row in entry.rows.values())
        worst = max(next(row["trivial"] for row in rows_of_case if "trivial" in row).values())
        trivial.append(Cell(sentences.short(worst), worst))
    note = "Relative L2 error of the worse field at the end, median over the seeds that were run."
    return Table(("strategy", *(case.title for case in study.cases)), [*rows, trivial], note)


# ---- the page -----------------------------------------------------------------------------------


def text(folder: Path = FOLDER) -> str:
    """Return the page.

    Args:
        folder: of the files and rows of the studies.
    """
    studies = {name: read(name, folder) for name in STUDIES}
    entries = [(name, own.record.title) for name, own in studies.items()]
    parts = [
        *map(html.paragraph, answers(*(studies[n] for n in ("screening", "contenders", "advice")))),
        html.paragraph(
            "The screening and the contenders: ten systems of two fields, initial and boundary "
            "conditions as loss terms (six terms, none of Runge-Kutta), a network of 3 x 32, Adam, "
            "1000 steps (the contenders: 3000), the learning rate down a half cosine, one core. "
            "So they are about short trainings by a first-order method. The first study is as "
            "short; hard conditions and Gauss-Newton are in it alone."
        ),
        *(html.paragraph(missing(own)) for own in studies.values()),
        html.paragraph(left_out(studies["screening"])),
        html.contents(entries),
    ]
    for name, study in studies.items():
        parts += _section(name, study)
    return html.page("Which loss weights help: the evidence", parts)


def _section(name: str, study: Study) -> list[str]:
    parts = [
        html.heading(study.record.title, 2, name),
        html.paragraph(f"pinn-ext study docs/evidence/{name}.yaml; python docs/write_evidence.py"),
    ]
    if not study.cases:
        return [*parts, html.paragraph("No job has been run yet.")]
    if name == "advice":
        return [
            *parts,
            html.table(advice.of_steps(study)),
            html.table(advice.of_systems(study)),
        ]
    parts += [
        html.heading("Against fixed weights", 3),
        html.table(of_strategies(study)),
        html.heading("Errors", 3),
        html.table(of_errors(study)),
    ]
    if tests := tables.of_tests(study.cases, study.record.contenders):
        parts += [
            html.heading("Paired tests of the contenders, over systems", 3),
            html.paragraph(sentences.overall(study.cases, study.record.contenders)),
            html.table(tests),
        ]
    if name == "screening" and (early := of_foresight(study)):
        parts += [html.heading("How early one can tell", 3), html.table(early)]
    parts.append(html.heading("System by system", 3))
    tuned = next((job.strategy for job in study.record.jobs if job.role == CHOSEN), None)
    for case in study.cases:
        said = sentences.of_case(case, study.record.contenders, study.record.fixed, tuned)
        parts += [html.heading(case.title, 4), html.paragraph(said)]
    return parts


def quotes(folder: Path = FOLDER) -> dict[Path, str]:
    """Return the pages that quote the evidence, with their tables of the present rows."""
    steps, screening = read("advice", folder), read("screening", folder)
    blocks = {
        ROOT / "README.md": {
            "advice": excerpts.advice(steps),
            "weights": excerpts.against_fixed(screening, excerpts.NAMED),
        },
        ROOT / "docs" / "methods.md": {"score": excerpts.score(screening)},
    }
    pages = {}
    for path, own in blocks.items():
        content = path.read_text("utf-8")
        for name, block in own.items():
            content = excerpts.replaced(content, name, block)
        pages[path] = content
    return pages


if __name__ == "__main__":
    for path, content in {PAGE: text(), **quotes()}.items():
        path.write_text(content, "utf-8")
        print(f"written: {path}")
