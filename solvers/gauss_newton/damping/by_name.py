"""All rules for the damping, by name."""

from __future__ import annotations

from .bold_start import BoldStart
from .gain_ratio import GainRatio, Nielsen
from .line_search import LineSearch
from .rule import Memory, Rule, Successor
from .target_ratio import TargetRatio

_ALL: dict[str, type] = {
    "bold": BoldStart,
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
        ['bold', 'gain_ratio', 'line_search', 'nielsen', 'target']
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


def saved_memory(rule: Rule, memory: Memory) -> Memory:
    """Return what a rule goes on with after a memory that was saved.

    Args:
        rule: The rule in force.
        memory: Of the rule that was in force when it was saved.

    Returns:
        A memory of the rule.

    Raises:
        ValueError: If it is that of a rule that this one cannot follow.
    """
    if set(memory) == set(rule.start()):
        return dict(memory)
    found = rule.memory_after(memory) if isinstance(rule, Successor) else None
    if found is None:
        raise ValueError(
            f"`state` must hold the memory of {type(rule).__name__}, "
            f"got {', '.join(sorted(memory))}."
        )
    return found
