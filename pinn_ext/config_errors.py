"""Hydra's and OmegaConf's errors as one sentence that names the full key."""

from __future__ import annotations

import difflib
import re
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from pinn_ext import schema


def keys(node: Any = schema.Config, prefix: str = "") -> list[str]:
    """Return every full key of the configuration.

    Args:
        node: dataclass to list.
        prefix: of its keys.

    Returns:
        Keys such as `training.loss.w1_PI`.
    """
    hints = get_type_hints(node)
    found = []
    for item in fields(node):
        key = f"{prefix}{item.name}"
        kind = hints[item.name]
        found += keys(kind, f"{key}.") if is_dataclass(kind) else [key]
    return found


def one_line(error: BaseException) -> str:
    """Return an error's message as one sentence.

    Args:
        error: anything that was raised.

    Returns:
        For Hydra's errors, what key is wrong, what came and what is allowed.
    """
    text = _full_text(error)
    for pattern, rewrite in _REWRITES:
        match = re.search(pattern, text, re.DOTALL)
        if match:
            return rewrite(match)
    if not text.strip():
        return type(error).__name__
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def _full_text(error: BaseException) -> str:
    parts = [str(error)]
    if error.__cause__ is not None:
        parts.append(str(error.__cause__))
    return "\n".join(parts)


def _unknown_key(match: re.Match[str]) -> str:
    key = match["key"]
    home, _, name = key.rpartition(".")
    legal = [tuple(k.rpartition(".")[::2]) for k in keys()]
    siblings = [own for place, own in legal if place == home]
    near = [f"{home}.{own}" for own in difflib.get_close_matches(name, siblings, n=1)]
    near += [f"{place}.{own}" for place, own in legal if own == name]
    if near:
        return f"`{key}` is no key of the configuration (did you mean `{near[0]}`?)."
    allowed = f"; legal there: {', '.join(siblings)}" if siblings else ""
    return f"`{key}` is no key of the configuration{allowed}."


def _wrong_type(match: re.Match[str]) -> str:
    wanted = {
        "Integer": "a whole number",
        "Float": "a number",
        "Boolean": "true or false",
    }.get(match["kind"], match["kind"])
    return f"`{match['key']}` must be {wanted}, got {match['value']!r}."


def _unknown_option(match: re.Match[str]) -> str:
    group, _, name = match["name"].rpartition("/")
    options = re.findall(r"^\t(\S+)$", match.string, re.MULTILINE)
    near = difflib.get_close_matches(name, options, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"`{group}` must be one of {', '.join(sorted(set(options)))}, got {name!r}{hint}."


def _sweep_outside(match: re.Match[str]) -> str:
    return f"`{match['override']}` gives several values: add -m (--multirun) to run them all."


_REWRITES = (
    (r"Could not find '(?P<name>[^']+)'\s+Available options", _unknown_option),
    (
        r"Value '(?P<value>.*?)'.*?could not be converted to (?P<kind>\w+).*?"
        r"full_key: (?P<key>\S+)",
        _wrong_type,
    ),
    (r"Key '[^']+' (?:is )?not in [^\n]+\s+full_key: (?P<key>\S+)", _unknown_key),
    (r"Key '(?P<key>[^']+)' is not in struct", _unknown_key),
    (r"Ambiguous value for argument '(?P<override>[^']+)'", _sweep_outside),
    (r"Sweep parameters '(?P<override>[^']+)' requires --multirun", _sweep_outside),
)
