"""Loss terms that share a weight: what the strategy sees as one term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from pinn_ext.checks import ArgumentError, check_list

_Groups = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Unit:
    """Terms that move together, often a single one.

    Attributes:
        name: of the group, or of the term.
        members: indices of the terms.
        shares: weight of each member over the weight of the unit; their mean is 1.
        initial: weight of the unit at the start.
    """

    name: str
    members: tuple[int, ...]
    shares: tuple[float, ...]
    initial: float

    def gather(self, values: Sequence[float]) -> float:
        """Return the members' values `[k]` added up with their shares: the loss of the unit."""
        pairs = zip(self.members, self.shares, strict=True)
        return sum(share * values[i] for i, share in pairs)

    def weight_in(self, weights: Sequence[float]) -> float:
        """Return the weight of the unit where its members have the weights `[k]`."""
        return sum(weights[i] for i in self.members) / len(self.members)


def check_groups(
    groups: _Groups | None, names: Sequence[str] | None = None
) -> dict[str, list[str]]:
    """Return groups as plain lists.

    Args:
        groups: names of terms by name of the group, or None.
        names: of all terms, None where they are not known yet.

    Returns:
        The groups, empty if there are none.

    Raises:
        ArgumentError: if a group is empty, names an unknown term or one of another group, or has
            the name of a term outside of it.
    """
    if groups is None:
        return {}
    if not isinstance(groups, Mapping):
        raise ArgumentError("groups", "map a name to names of loss terms", repr(groups))
    owner: dict[str, str] = {}
    legal = None if names is None else set(names)
    listed = {group: _members(group, members) for group, members in groups.items()}
    for group, members in listed.items():
        for term in members:
            if legal is not None and names is not None and term not in legal:
                wanted = f"name loss terms among {', '.join(names)}"
                raise ArgumentError(f"groups[{group!r}]", wanted, repr(term))
            if term in owner:
                got = f"{term!r} in {owner[term]!r} and {group!r}"
                raise ArgumentError("groups", "have each loss term once", got)
            owner[term] = group
        if group in (legal or ()) and group not in members:
            wanted = "have names that are no other loss term's"
            raise ArgumentError("groups", wanted, f"{group!r} for {members}")
    return listed


def _members(group: Any, given: Any) -> list[str]:
    """Return the terms of a group as a list."""
    if not isinstance(group, str):
        raise ArgumentError("groups", "map a name to names of loss terms", f"the name {group!r}")
    what, wanted = f"groups[{group!r}]", "be a list of names of loss terms"
    members = check_list(what, sorted(given, key=str) if isinstance(given, Set) else given, wanted)
    if not members or not all(isinstance(term, str) for term in members):
        raise ArgumentError(what, wanted, repr(members))
    return members


def units_of(
    names: Sequence[str], initial: Sequence[float], groups: Mapping[str, Sequence[str]]
) -> list[Unit]:
    """Return what the strategy sees as terms; terms with weight 0 are left out.

    Args:
        names: of all terms `[k]`.
        initial: their weights at the start `[k]`; within a group their ratios stay.
        groups: as `check_groups` returns them.

    Returns:
        One unit a group and one for each other term, in the order of their first terms.
    """
    group_of = {term: group for group, members in groups.items() for term in members}
    gathered: dict[tuple[str, str], list[int]] = {}
    for i, name in enumerate(names):
        if initial[i] > 0:
            key = ("group", group_of[name]) if name in group_of else ("term", name)
            gathered.setdefault(key, []).append(i)
    units = []
    for (_, name), members in gathered.items():
        mean = sum(initial[i] for i in members) / len(members)
        shares = tuple(initial[i] / mean for i in members)
        units.append(Unit(name, tuple(members), shares, mean))
    return units
