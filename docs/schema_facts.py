"""What the schema says of each key: type, default, legal values, and what it counts beside.

Types and defaults are those of the dataclasses. What is legal is asked of the validation itself:
a key is given something impossible, and the sentence that refuses it says what must be there. As
some keys count beside others only, this is done with these others set, too.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DDE_BACKEND", "pytorch")

from pinn_ext import systems  # noqa: E402
from pinn_ext.checks import ArgumentError  # noqa: E402
from pinn_ext.schema import Config, validate  # noqa: E402

# Impossible for most keys; 7 is what a key without an effect is refused for.
TRIED = ("?", math.nan, 1e31, 7, [], [math.nan])
_FAMILY = {"dataset.name": "family"}
BESIDE: tuple[dict[str, Any], ...] = (
    {},
    {"training.loss.adaptive.enabled": True},
    {"network.activation": "sine"},
    {"network.features": "fourier"},
    {"network.name": "gnn", **_FAMILY},
    {"network.name": "mesh_graph_net", **_FAMILY},
    {"dataset.name": "cloud"},
    {"dataset.name": "mesh", "dataset.path": "FILE", "problem.conditions": "soft"},
    {"problem.initial": "FILE", "problem.conditions": "soft"},
)
_ONLY = re.compile(
    r"be left out unless (\S+?),? |be left out without (\S+) |stay \S+ without (\S+), as"
)
_NOT = re.compile(r"be left out for (\S+), as it has no effect")
_OF_OTHERS = re.compile(r"be (left out|null|false|hard|1|\w+ or \w+) for ")


def all_keys(cls: type[Any] = Config, prefix: str = "") -> Iterator[tuple[str, str, Any, Any]]:
    """Yield (group, full key, type, default) of each key, in the order of the schema.

    Args:
        cls: a dataclass of the schema.
        prefix: of its keys.
    """
    hints = typing.get_type_hints(cls)
    inner = []
    for item in dataclasses.fields(cls):
        kind, key = hints[item.name], f"{prefix}{item.name}"
        if dataclasses.is_dataclass(kind):
            inner.append((kind, f"{key}."))
        else:
            made = item.default_factory
            default = item.default if made is dataclasses.MISSING else made()
            yield prefix.removesuffix("."), key, kind, default
    for kind, below in inner:
        yield from all_keys(typing.cast(Any, kind), below)


def refusal(key: str, value: Any, beside: dict[str, Any]) -> str | None:
    """Return what must be in the place of a value, None if it is not refused for itself.

    Args:
        key: the full key.
        value: that it is given.
        beside: values of other keys.

    Returns:
        The words after "must", and what the error adds to the name of the key.
    """
    cfg = Config()
    for name, given in {**beside, key: value}.items():
        *groups, last = name.split(".")
        group: Any = cfg
        for part in groups:
            group = getattr(group, part)
        setattr(group, last, given)
    try:
        validate(cfg)
        if key == "problem.name":
            systems.create(value)
    except ArgumentError as error:
        name = key if (key, error.name) == ("problem.name", "name") else error.name
        if name == key or name.startswith(f"{key} ("):
            return f"{error.wanted}{name[len(key) :]}"
    except (AttributeError, TypeError, ValueError):
        pass  # of another type, which the schema refuses before
    return None


def legal_values(key: str, kind: Any) -> tuple[list[str], list[str]]:
    """Return what a key may be, and what else has to be set, or not to be, for it to count.

    Args:
        key: the full key.
        kind: its type.

    Returns:
        The words of the validation, and conditions such as ``with `dataset.name=mesh` ``.
    """
    plain = {bool} >= set(typing.get_args(kind) or (kind,)) - {type(None)}
    found: dict[str, str] = {"be true or false": ""} if plain else {}
    conditions = []
    for beside in BESIDE:
        for value in TRIED:
            wanted = refusal(key, value, beside)
            if wanted is None or wanted in found:
                continue
            if only := _ONLY.match(f"{wanted} "):
                conditions.append(f"only with `{only[1] or only[2] or only[3]}`")
            elif other := _NOT.match(wanted):
                conditions.append(f"not with `{other[1]}`")
            elif not _OF_OTHERS.match(wanted):
                known = "" in found.values() and " for " not in wanted
                found[wanted] = _setting(beside) if known else ""
    return [wanted + there for wanted, there in found.items()], list(dict.fromkeys(conditions))


def _setting(beside: dict[str, Any]) -> str:
    """Return where a further limit holds, in words."""
    told = [f"`{key}={str(value).lower()}`" for key, value in beside.items()]
    return f" with {', '.join(told)}" if told else ""


def type_name(kind: Any) -> str:
    """Return a type in words, as the command line knows it."""
    if kind is Any:
        return "any"
    if isinstance(kind, types.UnionType):
        return " or ".join(
            "null" if part is type(None) else type_name(part) for part in typing.get_args(kind)
        )
    names = {str: "text", int: "whole number", float: "number", bool: "switch"}
    return names.get(kind) or ("mapping" if typing.get_origin(kind) is dict else "list")
