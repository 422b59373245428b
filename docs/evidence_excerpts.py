"""What `README.md` and `docs/methods.md` quote of the evidence: blocks between two marks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from evidence_advice import core_seconds, factor, steps
from evidence_rows import FIXED, PHYSICAL, Study, against
from evidence_scores import LOOKED_AT, NUMBERS, PARTS, SCORES, at_the_end, foresight

from pinn_ext.reports.study import sentences

STEPS = {
    PHYSICAL: "all-ones weights, physical units, conditions as loss terms",
    FIXED: "the same in fields scaled by the program",
    "hard": "and conditions built into the output: the program's defaults",
    "gauss_newton": "and Gauss-Newton in place of 30 of the 50 epochs",
}
NAMED = {
    "imtl_l": "`imtl_l`, and `uncertainty`, which ends alike",
    "ntk": "`ntk`",
    "causal": "`causal`",
    "brdr": "`brdr`",
    "auto": "`auto`, its pilots included",
    "fixed": "all-ones weights",
    "field_scale": "`field_scale`",
    "equal_init": "`equal_init`",
    "ema": "`ema`",
    "random": "weights drawn at random",
}
"""Strategies that README names, and what it calls them."""


def replaced(text: str, name: str, block: str) -> str:
    r"""Return a page with a block between its marks.

    Args:
        text: of the page.
        name: of the block; its marks are comments.
        block: Markdown.

    Raises:
        ValueError: if the page does not have the marks once.

    >>> replaced("a <!-- b: docs/write_evidence.py --> old <!-- end of b --> c", "b", "new")
    'a <!-- b: docs/write_evidence.py -->\nnew\n<!-- end of b --> c'
    """
    first, last = f"<!-- {name}: docs/write_evidence.py -->", f"<!-- end of {name} -->"
    pattern = re.compile(f"{re.escape(first)}.*?{re.escape(last)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"The page must have the marks {first} and {last} once.")
    return pattern.sub(lambda _: f"{first}\n{block}\n{last}", text)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def advice(study: Study) -> str:
    """Return the table of README: what each step of the advice gains over today."""
    first = study.record.strategies[0]
    rows = [[STEPS[first], "1", "", _seconds(core_seconds(study, first))]]
    for step in steps(study):
        own = step.today
        (best, low), (worst, high) = own.best, own.worst
        span = f"{factor(1 / high)} ({worst}) to {factor(1 / low)} ({best})"
        rows.append([STEPS[step.name], factor(1 / own.mean), span, _seconds(step.seconds)])
    return _table(("", "error smaller by", "from, to", "core seconds"), rows)


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f}"


def against_fixed(study: Study, names: Mapping[str, str]) -> str:
    """Return a table of strategies: their errors over those of all-ones weights.

    Args:
        study: the screening.
        names: what is said of each strategy, by its name.
    """
    found = [(name, own) for name in names if (own := against(study, name))]
    rows = []
    for name, own in sorted(found, key=lambda item: item[1].mean):
        low, high = own.seeds
        seeds = str(low) if low == high else f"{low} to {high}"
        numbers = (own.mean, own.best[1], own.worst[1])
        cells = (f"{number:.2f}" for number in numbers)
        rows.append([names[name], *cells, str(len(own.ratios)), seeds])
    return _table(("", "mean", "best", "worst", "systems", "seeds"), rows)


def score(study: Study) -> str:
    """Return the table of `docs/methods.md`: how early which score tells the error at the end."""
    rows, runs = [], 0
    for key, words in LOOKED_AT.items():
        own = [found for part in PARTS if (found := foresight(study, key, part))]
        if len(own) < len(PARTS):
            return ""
        runs = own[-1].runs
        columns = [[getattr(one, what) for one in own] for what in NUMBERS]
        rows.append([words, *(" ".join(f"{value:.2f}" for value in col) for col in columns)])
    for name, words in SCORES.items():
        if found := at_the_end(study, name):
            rows.append([words, *(f"{getattr(found, what):.2f}" for what in NUMBERS)])
    head = ("looked at", "correlation", "smallest", "regret, mean", "largest")
    where = sentences.count(len(study.cases), "system")
    return f"{runs} runs on {where}:\n\n{_table(head, rows)}"
