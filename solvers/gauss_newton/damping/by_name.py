"""All rules for the damping, by name."""

from __future__ import annotations

from .gain_ratio import GainRatio, Nielsen
from .line_search import LineSearch
from .rule import Rule
from .target_ratio import TargetRatio

_ALL: dict[str, type] = {
    "gain_ratio": GainRatio,
    "line_search": LineSearch,
    "nielsen": Nielsen,
    "target": TargetRatio,
}


def names() -> list[str]:
    """Return the names of all rules.

    Returns:
        The names, sorted.

    Example:
        >>> names()
        ['gain_ratio', 'line_search', 'nielsen', 'target']
    """
    return sorted(_ALL)


def find(rule: str | Rule) -> Rule:
    """Return a rule by name, with its defaults; a rule is returned as it is.

    Args:
        rule: A name or a rule.

    Returns:
        The rule.

    Raises:
        ValueError: If there is no rule of that name.
    """
    if isinstance(rule, str) and rule in _ALL:
        return _ALL[rule]()
    if not isinstance(rule, Rule):
        raise ValueError(f"`damping` must be a rule or one of {', '.join(names())}, got {rule!r}.")
    return rule
