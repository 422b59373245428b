"""The strategies that a controller chooses among."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pinn_ext.checks import ArgumentError, check_choice
from pinn_ext.strategies.base.terms import Strategy


def member(
    what: str,
    name: Any,
    options: Mapping[str, Any] | None = None,
    *,
    barred: Sequence[str] = (),
    **settings: float,
) -> Strategy:
    """Build a strategy that a controller may hand the weights to.

    Args:
        what: where its name stands, for messages.
        name: of a strategy that weighs loss terms.
        options: of that strategy.
        barred: names that are not allowed here.
        **settings: that strategies share, see `pinn_ext.strategies.create`.

    Returns:
        The strategy.

    Raises:
        ArgumentError: if it is no such strategy, or the options are not its own or out of range.
    """
    from pinn_ext import strategies

    if name in barred or not strategies.weighs_terms(name):
        legal = [own for own in strategies.term_names() if own not in barred]
        check_choice(f"{what}.strategy", name, legal)
    try:
        method = strategies.create(name, options, **settings)
    except ArgumentError as error:
        own = error.name.startswith("options")
        raise (error.under(what) if own else error) from None
    assert isinstance(method, Strategy)  # as `weighs_terms` has said
    return method
