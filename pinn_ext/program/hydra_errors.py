"""Hydra's and OmegaConf's errors as one sentence that names the full key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

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
    override = getattr(error, "override", None)  # of Hydra's OverrideParseException
    if override:
        return f"`{override}` cannot be read as KEY=VALUE: {text.splitlines()[0]}."
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


def unknown_key(values: Mapping[str, Any], node: Any = schema.Config, prefix: str = "") -> str:
    """Return a sentence on the first key that the schema does not have.

    Args:
        values: a composed configuration; Hydra lets `+key=value` into it unchecked.
        node: dataclass that it is of.
        prefix: of its keys.

    Returns:
        The sentence, empty if all keys are known.
    """
    hints = get_type_hints(node)
    for name, value in values.items():
        if name not in hints:
            return no_such_key(prefix + name)
        if is_dataclass(hints[name]):
            found = unknown_key(value, hints[name], f"{prefix}{name}.")
            if found:
                return found
    return ""


def unknown_override(argument: str) -> str:
    """Return a sentence on an override of the command line whose key the schema does not have.

    Args:
        argument: of the command line. Only a plain `key=value` is looked at: what adds, removes or
            chooses files is for Hydra to say, as are places in a list.

    Returns:
        The sentence, empty if the key may be one.

    >>> unknown_override("training.epoch=3")
    '`training.epoch` is no key of the configuration (did you mean `training.epochs`?).'
    >>> unknown_override("network.hidden.0=8"), unknown_override("hydra.run.dir=here")
    ('', '')
    """
    key, found, _ = argument.partition("=")
    if not found or not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", key, re.ASCII):
        return ""
    node: Any = schema.Config
    names = key.split(".")
    if names[0] == "hydra":
        return ""
    for name in names:
        hints = get_type_hints(node)
        if name not in hints:
            return no_such_key(key)
        node = hints[name]
        if not is_dataclass(node):
            break
    return ""


def no_such_key(key: str) -> str:
    """Return the sentence that refuses a key, with the nearest legal ones."""
    home, _, name = key.rpartition(".")
    legal = [tuple(k.rpartition(".")[::2]) for k in keys()]
    siblings = [own for place, own in legal if place == home]
    if not home:
        siblings += sorted({place.split(".")[0] for place, _ in legal if place})
    near = [f"{home}.{own}".lstrip(".") for own in difflib.get_close_matches(name, siblings, n=1)]
    near += [f"{place}.{own}" for place, own in legal if own == name and place]
    if near:
        return f"`{key}` is no key of the configuration (did you mean `{near[0]}`?)."
    allowed = f"; legal there: {', '.join(siblings)}" if siblings else ""
    return f"`{key}` is no key of the configuration{allowed}."


def _unknown_key(match: re.Match[str]) -> str:
    return no_such_key(match["key"])


_KINDS = {
    "Integer": "a whole number",
    "Float": "a number",
    "Boolean": "true or false",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a string",
}


def _wrong_type(match: re.Match[str]) -> str:
    wanted = _KINDS.get(match["kind"], match["kind"])
    return f"`{match['key']}` must be {wanted}, got {match['value']!r}."


def _null(match: re.Match[str]) -> str:
    return f"`{match['key']}` must have a value, got null."


def _misfit(match: re.Match[str]) -> str:
    key = match["key"].lstrip("+")
    if f"{key}." in schema.FREE_KEYS:
        return f"`{key}` must map names to values, such as {{name: value}}, got {match['value']!r}."
    if key.startswith("training.loss.adaptive.groups."):
        return f"`{key}` must be a list of names of loss terms, got {match['value']!r}."
    if wanted := _kind_of(key):
        return f"`{key}` must be {wanted}, got {match['value']!r}."
    why = match.string[match.end() :].splitlines()[0].strip()
    return f"`{key}` cannot be {match['value']!r}: {why.rstrip('.')}."


def _kind_of(key: str) -> str:
    """Return what a key of the schema holds, in words; nothing of another key."""
    node: Any = schema.Config
    for name in key.split("."):
        node = get_type_hints(node).get(name) if is_dataclass(node) else None
    if is_dataclass(node):
        names = ", ".join(item.name for item in fields(node))
        return f"a group of keys ({names})"
    kinds = [kind for kind in get_args(node) if kind is not type(None)]
    if get_origin(node) is not list and len(kinds) == 1:  # of `X | None`
        node, kinds = kinds[0], list(get_args(kinds[0]))
    if get_origin(node) is list:
        single = _KINDS[kinds[0].__name__].removeprefix("a ")
        return f"a list of {single}s, such as {'[a,b]' if kinds[0] is str else '[1,2]'}"
    return _KINDS.get(getattr(node, "__name__", ""), "")


def _unknown_option(match: re.Match[str]) -> str:
    group, _, name = match["name"].rpartition("/")
    options = re.findall(r"^\t(\S+)$", match.string, re.MULTILINE)
    near = difflib.get_close_matches(name, options, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    if not near and group.startswith("hydra/"):
        hint = " (a package may have to be installed: docs/ecosystem.md)"
    return f"`{group}` must be one of {', '.join(sorted(set(options)))}, got {name!r}{hint}."


def _sweep_outside(match: re.Match[str]) -> str:
    return f"`{match['override']}` gives several values: add -m (--multirun) to run them all."


_REWRITES = (
    (r"Could not find '(?P<name>[^']+)'\s+Available options", _unknown_option),
    (r"Value '(?P<value>.*)' is not a valid (?P<kind>\w+).*?full_key: (?P<key>\S+)", _wrong_type),
    (r"field '[^']+' is not Optional\s+full_key: (?P<key>\S+)", _null),
    (
        r"Value '(?P<value>.*)' of type .*?could not be converted to (?P<kind>\w+).*?"
        r"full_key: (?P<key>\S+)",
        _wrong_type,
    ),
    (r"Key '[^']+' (?:is )?not in [^\n]+\s+full_key: (?P<key>\S+)", _unknown_key),
    (r"Key '(?P<key>[^']+)' is not in struct", _unknown_key),
    (r"Ambiguous value for argument '(?P<override>[^']+)'", _sweep_outside),
    (r"Sweep parameters '(?P<override>[^']+)' requires --multirun", _sweep_outside),
    (r"Error merging override (?P<key>[^=\s]+)=(?P<value>.*?)\n", _misfit),
)
