"""Columns and arrays by their names: which is x, which is the second field at t = 0.1."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pinn_ext.checks import ArgumentError, brief
from pinn_ext.datasets.outside_files import FileError

AXES = ("x", "y", "z")
FIELDS = ("u", "v")
ROLES = (*AXES, "t", *FIELDS)
"""What a column or an array can be."""

_ENDINGS = "sol|exact|ref|reference|star|true|data|num|fem"
_VARIANT = re.compile(rf"(?:(?P<role>[xyztuv])(?P=role)?|times?)[ _.\-]*(?:\*|{_ENDINGS})?")
_POSITIONS = ("points", "pos", "positions", "coords", "coordinates", "nodes", "xy", "xyz")
_COMPLEX = ("psi", "h", "q", "exact", "sol", "solution")
_LISTED = 12

_UNIT = r"[(\[](?P<unit>(?:[^()\[\]]|\([^()]*\))*)[)\]]"
_VALUE = r"[^\s=@;,]+(?: [^\s\d@=;,(]\S*(?=\s\s|[;,]|$))?"  # a unit, unless it is the next column
_PARAMETER = rf"[^\s=@;,]+\s?=\s?{_VALUE}"
COLUMN = re.compile(
    rf"(?P<name>\S+)(?: {_UNIT})?(?: ?@ ?(?P<at>{_PARAMETER}(?:[;,] ?{_PARAMETER})*))?(?=\s|$)"
)
"""A column of COMSOL: `u (1) @ t=0.1; k=2`, where unit and parameters may be missing."""
_TIGHT = re.compile(rf"(?P<name>\w+) ?{_UNIT}")


@dataclass(frozen=True)
class Column:
    """The head of a column.

    Attributes:
        name: of the quantity.
        unit: as it was written; empty for none or for 1.
        at: parameters with their values, as written: `{"t": "0.1"}`.
    """

    name: str
    unit: str = ""
    at: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Column:
        """Return the column that a head names.

        >>> Column.parse("u (K) @ t=0.1")
        Column(name='u', unit='K', at={'t': '0.1'})
        """
        text = text.strip()
        tight = _TIGHT.fullmatch(text)
        if tight and role_of(tight["name"]):
            return cls(tight["name"], _unit(tight))
        match = COLUMN.fullmatch(text)
        return cls.of(match) if match else cls(text)

    @classmethod
    def of(cls, match: re.Match[str]) -> Column:
        """Return the column of a match of `COLUMN`."""
        pairs = (part.split("=") for part in re.split("[;,]", match["at"])) if match["at"] else ()
        at = {key.strip(): value.strip().split(" ")[0] for key, value in pairs}
        return cls(match["name"], _unit(match), at)


def _unit(match: re.Match[str]) -> str:
    unit = (match["unit"] or "").strip()
    return "" if unit in ("1", "-") else unit


def role_of(name: str) -> str | None:
    """Return which of `ROLES` a name usually stands for, None for none.

    >>> [role_of(name) for name in ("usol", "X", "tt", "Time", "v_ref", "p", "coords")]
    ['u', 'x', 't', 't', 'v', None, 'x']
    """
    text = name.strip().strip("\"'").lower()
    if text in _POSITIONS:
        return "x"
    match = _VARIANT.fullmatch(text)
    return (match["role"] or "t") if match else None


def check_told(columns: object, more: Iterable[str] = ()) -> dict[str, str]:
    """Return the columns that a user has told, checked.

    Args:
        columns: mapping from roles to names in the file; None for nothing told.
        more: keys that are legal beside `ROLES`.

    Returns:
        The same with text for values.

    Raises:
        ArgumentError: if it is no mapping, or has another key or an empty value.
    """
    if columns is None:
        return {}
    if not isinstance(columns, Mapping):
        raise ArgumentError("columns", "map x, y, z, t, u or v to their names", brief(columns))
    legal = (*ROLES, *more)
    if unknown := [key for key in columns if key not in legal]:
        raise ArgumentError("columns", f"have keys of {', '.join(legal)}", brief(unknown[0]))
    told = {key: str(name).strip() for key, name in columns.items() if name is not None}
    if empty := [key for key, name in told.items() if not name]:
        raise ArgumentError("columns", f"name {empty[0]} in the file", "''")
    return told


def find(
    path: Path, names: Sequence[str], told: Mapping[str, str], optional: Iterable[str] = ()
) -> dict[str, str]:
    """Return which name stands for each role that is found.

    Args:
        path: of the file, for messages.
        names: what is there.
        told: what the user has told, of `check_told`.
        optional: roles of `FIELDS` that need not be there.

    Returns:
        Roles and names, in the order of `ROLES`; u and v are among them unless optional.

    Raises:
        ArgumentError: if a told name is not there.
        FileError: if a field is missing, or several names stand for one.
    """
    found = {}
    for role in ROLES:
        if role in told:
            if told[role] not in names:
                wanted = f"name {role} by one of {listed(names)}"
                raise ArgumentError("columns", wanted, f"{told[role]!r} for {path.name}")
            found[role] = told[role]
            continue
        able = [name for name in names if role_of(name) == role and name not in told.values()]
        able.sort(key=lambda name: (name != role, name.lower() != role))
        if role in FIELDS and len(able) > 1:
            wanted = f"have one {role}, or be told which it is by `columns`"
            raise FileError(path, wanted, " and ".join(able))
        if able:
            found[role] = able[0]
    if missing := [role for role in FIELDS if role not in found and role not in optional]:
        raise FileError(path, *lacking(missing, names))
    return found


def complex_names(names: Iterable[str]) -> list[str]:
    """Return names under which files hold u + iv."""
    return [name for name in names if name.lower() in _COMPLEX or role_of(name) == "u"]


def lacking(roles: Sequence[str], names: Sequence[str]) -> tuple[str, str]:
    """Return what a file without some of x, t, u and v must do, and what it has instead."""
    name = "its name" if len(roles) == 1 else "their names"
    return f"hold {' and '.join(roles)}, or be told {name} by `columns`", listed(names)


def listed(names: Sequence[str]) -> str:
    """Return names for a message, the first twelve of them."""
    kept = list(dict.fromkeys(names))
    more = len(kept) - _LISTED
    return ", ".join(kept[:_LISTED]) + (f" and {more} more" if more > 0 else "") or "no names"


def units_note(units: Mapping[str, str]) -> list[str]:
    """Return one sentence about units that a file states, none where it states none."""
    stated = [f"{name} in {unit}" for name, unit in units.items() if unit]
    return [f"Units are taken as they are: {', '.join(stated)}."] if stated else []
