"""Write `docs/keys.md`: every key of the configuration, made from the schema.

    python docs/write_keys.py

`docs/schema_facts.py` asks the schema for types, defaults and legal values; what a key is stands in
`pinn_ext/schema/key_descriptions.py`. Recipes are the files of `configs/`, with their first lines.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path
from typing import Any

from schema_facts import ROOT, all_keys, legal_values, type_name  # first: it finds the package

from pinn_ext import strategies, systems
from pinn_ext.schema.key_descriptions import DESCRIPTIONS

PAGE = Path(__file__).with_name("keys.md")
HEAD = """# All keys

Everything that a run can be told, as `KEY=VALUE` on the command line or in a YAML file;
`pinn-ext --cfg job` prints all keys with their values. A value that is not legal, or that nothing
would read, is refused in one sentence before any work is done. `null` is "nothing given".

This page is made from the schema, and from what refuses values, by `python docs/write_keys.py`.
"""
SEE = {
    "problem.case": "see [problems](#problems)",
    "problem.boundary": "see [problems](#problems)",
    "problem.parameters": "see [problems](#problems)",
    "training.loss.adaptive.options": "see [options of strategies](#options-of-strategies)",
    "problem.file": "see [problem files](problem_files.md)",
    "problem.reference": "see [reference files](reference_files.md)",
    "problem.reference_columns": "see [reference files](reference_files.md)",
    "problem.initial_columns": "see [meshes](meshes.md#a-measured-initial-state)",
    "dataset.family.constants": "see [families](graph_networks.md#families)",
    "training.resume": "see [going on](runs.md#going-on)",
}


def written(value: Any) -> str:
    """Return a value as YAML writes it.

    >>> written(None), written(1e-4), written([32, 32])
    ('null', '0.0001', '[32, 32]')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(written(item) for item in value)}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def legal(key: str, kind: Any) -> str:
    """Return the cell of legal values."""
    found, conditions = legal_values(key, kind)
    words = [_short(text) for text in _merged(found)]
    return "; ".join([*words, *([SEE[key]] if key in SEE else []), *conditions])


def _merged(found: list[str]) -> list[str]:
    """Return the words with one entry for all data sets that have the same orders."""
    parts: dict[str, list[str]] = {}
    for text in found:
        names, _, kind = text.partition(" for dataset.name=")
        parts.setdefault(names, []).append(f"`{kind}`" if kind else "")
    return [text + (f" for {', '.join(k)}" if any(k) else "") for text, k in parts.items()]


def _short(wanted: str) -> str:
    """Return the words after "must" without those that the type says, names in backquotes."""
    if names := re.fullmatch(r"be one of ([\w, ]+?)( for .*)?", wanted):
        return ", ".join(f"`{name}`" for name in names[1].split(", ")) + (names[2] or "")
    if not wanted.startswith("be "):
        return f"must {wanted}"
    text = re.sub(r"^be (an? )?((whole|finite) number )?", "", wanted).replace("|", "\\|")
    part = re.fullmatch(r"(.*) \(all, last_layer, or a part\)", text)  # says more than its range
    return f"`all`, `last_layer`, or a part {part[1]}" if part else text


def table(head: str, rows: list[tuple[str, ...]]) -> str:
    """Return a table of Markdown."""
    columns = head.count("|") + 1
    lines = [f"| {head} |", "|" + "---|" * columns]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def groups() -> str:
    """Return a section for each group of keys."""
    parts = []
    for group, found in itertools.groupby(all_keys(), key=lambda item: item[0]):
        rows = [
            (
                f"`{key.removeprefix(f'{group}.')}`",
                type_name(kind),
                f"`{written(default)}`",
                legal(key, kind),
                DESCRIPTIONS[key],
            )
            for _, key, kind, default in found
        ]
        title = f"## `{group}`" if group else "## The run"
        parts.append(
            f"{title}\n\n{table('Key | Type | Default | Legal values | What it is', rows)}"
        )
    return "\n\n".join(parts)


def problems() -> str:
    """Return the table of systems with their cases, kinds of boundary and parameters."""
    rows = []
    for name in systems.names():
        cases = systems.cases(name)
        kinds = {kind: None for case in cases or [None] for kind in systems.boundaries(name, case)}
        defaults = [f"{key}={written(v)}" for key, v in systems.default_parameters(name).items()]
        cells = [[name], cases, list(kinds), defaults]
        rows.append(tuple(", ".join(f"`{word}`" for word in cell) for cell in cells))
    head = "`problem.name` | `problem.case` | `problem.boundary` | `problem.parameters`"
    return f"## Problems\n\n{table(head, rows)}\n\n[Systems](systems.md) has what they are."


def options() -> str:
    """Return the table of the strategies' options with their defaults."""
    rows = []
    for name in strategies.names():
        allowed = strategies.option_names(name)
        items = dataclasses.fields(strategies.class_of(name))
        told = [f"`{i.name}={written(i.default)}`" for i in items if i.name in allowed]
        rows.append((f"`{name}`", ", ".join(told)))
    text = table("Strategy | Keys of `training.loss.adaptive.options`", rows)
    return f"## Options of strategies\n\n{text}\n\n[Methods](methods.md) says what they do."


def recipes() -> str:
    """Return the table of the files in `configs/`."""
    rows = []
    for path in sorted((ROOT / "configs").glob("*/*.yaml")):
        if path.parent.name == "study":  # files of `pinn-ext study`, no recipes
            continue
        lines = itertools.takewhile(
            lambda line: line[0] == "#", path.read_text("utf-8").splitlines()
        )
        words = " ".join(line.removeprefix("#").strip() for line in lines if "@package" not in line)
        rows.append((f"`{path.parent.name}={path.stem}`", words.replace("|", "\\|")))
    told = "A recipe sets some of the keys; what is on the command line comes after it."
    return f"## Recipes\n\n{told}\n\n{table('On the command line | What it is', rows)}"


def page() -> str:
    """Return the page."""
    return "\n\n".join((HEAD.rstrip(), groups(), problems(), options(), recipes())) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(f"written: {PAGE}")
