"""Weighting strategies by name: pure functions of small statistics, without model or trainer.

A strategy is a frozen dataclass; its fields are its options. In come a `Statistics` (losses,
gradients, kernel traces: what it asks for in `needs`) and its own state of plain numbers; out come
a `Proposal` of weights and the next state. Caps, scale, blend and clamps are not its business:
`pinn_ext.adaptive_weights` applies them to every strategy alike.

Open `base/terms` first, then any method: each has a file of its name. There are three kinds.

- `Strategy` weighs loss terms: most of them, and `multi_stage`, which goes through several.
- `PointStrategy` (`base/points`) weighs the points of a term: `rba`, `sa_pinn`, `brdr`, `causal`.
- `Auto` (`auto`) chooses among strategies by short pilots.

This file has the registry: `names`, `option_names`, `create`, and `register` for classes from
outside. A new strategy is one more file and one more name here (docs/strategies.md, "Add a
strategy"). Nothing here loads torch at import.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NoReturn, TypeVar

from pinn_ext.checks import ArgumentError
from pinn_ext.registry import STRATEGIES, Registry
from pinn_ext.strategies.auto import Auto
from pinn_ext.strategies.base.class_check import check_strategy
from pinn_ext.strategies.base.gradients import Gradients
from pinn_ext.strategies.base.method import Method
from pinn_ext.strategies.base.points import (
    JointPointStrategy,
    PointBlock,
    PointState,
    PointStrategy,
)
from pinn_ext.strategies.base.terms import STATISTICS, Proposal, State, Statistics, Strategy
from pinn_ext.strategies.brdr import Brdr, BrdrTerms
from pinn_ext.strategies.capu import Capu
from pinn_ext.strategies.causal import Causal
from pinn_ext.strategies.cov import Cov
from pinn_ext.strategies.db_mtl import DbMtl
from pinn_ext.strategies.db_pinn import DbPinn
from pinn_ext.strategies.dwa import Dwa
from pinn_ext.strategies.ema import Ema
from pinn_ext.strategies.equal_init import EqualInit
from pinn_ext.strategies.equal_init_ema import EqualInitEma
from pinn_ext.strategies.field_scale import FieldScale
from pinn_ext.strategies.fixed import Fixed
from pinn_ext.strategies.gradient_balance import GradientBalance
from pinn_ext.strategies.gradnorm import GradNorm
from pinn_ext.strategies.imtl_l import ImtlL
from pinn_ext.strategies.inverse_dirichlet import InverseDirichlet
from pinn_ext.strategies.lr_annealing import LrAnnealing
from pinn_ext.strategies.multi_stage import MultiStage
from pinn_ext.strategies.ntk import Ntk
from pinn_ext.strategies.random import Random
from pinn_ext.strategies.rba import Rba
from pinn_ext.strategies.relobralo import ReLoBRaLo
from pinn_ext.strategies.sa_pinn import SaPinn
from pinn_ext.strategies.softadapt import SoftAdapt
from pinn_ext.strategies.uncertainty import Uncertainty

__all__ = [
    "STATISTICS",
    "Auto",
    "Gradients",
    "JointPointStrategy",
    "Method",
    "PointBlock",
    "PointState",
    "PointStrategy",
    "Proposal",
    "State",
    "Statistics",
    "Strategy",
    "class_of",
    "create",
    "names",
    "option_names",
    "register",
    "term_names",
    "weighs_terms",
]

_REGISTRY: dict[str, type[Any]] = {
    cls.name: cls
    for cls in (
        Auto,
        Brdr,
        BrdrTerms,
        Capu,
        Causal,
        Cov,
        DbMtl,
        DbPinn,
        Dwa,
        Ema,
        EqualInit,
        EqualInitEma,
        FieldScale,
        Fixed,
        GradNorm,
        GradientBalance,
        ImtlL,
        InverseDirichlet,
        LrAnnealing,
        MultiStage,
        Ntk,
        Random,
        Rba,
        ReLoBRaLo,
        SaPinn,
        SoftAdapt,
        Uncertainty,
    )
}
_STRATEGIES: Registry[Any] = Registry(_REGISTRY, STRATEGIES, check_strategy)
Kind = TypeVar("Kind", bound=Strategy | PointStrategy)
_SHARED = ("ema_alpha", "eps")
"""Settings that are arguments of `AdaptiveLossWeights` rather than options of one strategy."""


def names() -> list[str]:
    """Return the names of all strategies, sorted.

    Returns:
        The names that `AdaptiveWeights(...)` accepts.

    >>> "ema" in names()
    True
    """
    return _STRATEGIES.names()


def register(cls: type[Kind]) -> type[Kind]:
    """Make a strategy known under its name, here and in the program; this is a decorator too.

    An installed package need not call it if it has an entry point of the group
    `pinn_ext.strategies` (docs/plugins.md).

    Args:
        cls: a frozen dataclass derived from `Strategy` or `PointStrategy`, with `name` and a
            default for each of its options.

    Returns:
        The class.

    Raises:
        ArgumentError: if it lacks one of these, or another strategy has its name.

    Example:
        >>> class Mine(Fixed):
        ...     name = "ema"
        >>> register(Mine)
        Traceback (most recent call last):
            ...
        pinn_ext.checks.ArgumentError: `name` of pinn_ext.strategies.Mine must be a name that no
        other strategy has, got 'ema', as has pinn_ext.strategies.ema.Ema.
    """
    _STRATEGIES.register(cls)
    return cls


def class_of(name: str) -> type[Any]:
    """Return the class of a strategy.

    Args:
        name: one of `names()`.

    Returns:
        The class.

    Raises:
        ArgumentError: if there is no such strategy.
        ValueError: if an installed package offers it and it cannot be used.

    Example:
        >>> sorted(class_of("ntk").needs), class_of("rba").moves
        (['ntk'], 'points')
    """
    return _STRATEGIES.find("strategy", name)


def term_names() -> list[str]:
    """Return the names of the strategies that weigh loss terms, sorted.

    Returns:
        Those of `names()` that `AdaptiveLossWeights` accepts; all follow the protocol `Strategy`.
        What an installed package offers counts among them until it is loaded.

    Example:
        >>> sorted(set(names()) - set(term_names()))
        ['auto', 'brdr', 'causal', 'rba', 'sa_pinn']
    """
    here = _STRATEGIES.at_hand()
    return [name for name in names() if name not in here or issubclass(here[name], Strategy)]


def weighs_terms(name: Any) -> bool:
    """Return whether a name is that of a strategy that weighs loss terms.

    Args:
        name: anything.

    Returns:
        False also where there is no such strategy.

    Example:
        >>> weighs_terms("ema"), weighs_terms("rba"), weighs_terms("emma")
        (True, False, False)
    """
    try:
        return issubclass(class_of(name), Strategy)
    except ArgumentError:
        return False


def option_names(name: str) -> list[str]:
    """Return the names of the options of a strategy.

    Args:
        name: one of `names()`.

    Returns:
        What `options` may hold for it.

    Raises:
        ValueError: if there is no such strategy.

    Example:
        >>> option_names("relobralo")
        ['temperature', 'alpha', 'rho', 'seed']
    """
    return [field.name for field in fields(class_of(name)) if field.name not in _SHARED]


def create(name: str, options: Mapping[str, Any] | None = None, **settings: Any) -> Method:
    """Build the strategy called `name`.

    Args:
        name: one of `names()`.
        options: values of its own options, see `option_names`; it has a default for each.
        **settings: values that strategies share (`ema_alpha`, `eps`); each takes those it has.

    Returns:
        The strategy, an immutable object: of loss terms, of points, or one that chooses.

    Raises:
        ArgumentError: if there is no such strategy, or an option is not its own or out of range.

    Example:
        >>> create("softadapt", {"beta": 0.5}).beta
        0.5
        >>> create("ema", {"beta": 0.5})
        Traceback (most recent call last):
            ...
        pinn_ext.checks.ArgumentError: `options` of ema must be empty, as it has none, got
        'beta' (an option of db_mtl, softadapt).
    """
    cls = class_of(name)
    legal = option_names(name)
    options = {} if options is None else options
    if not isinstance(options, Mapping):
        raise ArgumentError("options", "map names to values", repr(options))
    for key in options:
        if key not in legal:
            _refuse_option(name, key, legal)
    own = {field.name for field in fields(cls)}
    return cls(**{key: settings[key] for key in settings if key in own}, **options)


def _refuse_option(name: str, key: str, legal: list[str]) -> NoReturn:
    wanted = f"be among {', '.join(legal)}" if legal else "be empty, as it has none"
    owners = [other for other in sorted(_STRATEGIES.at_hand()) if key in option_names(other)]
    owner = f" (an option of {', '.join(owners)})" if owners else ""
    if key in _SHARED:
        owner = " (an argument of its own, not an option)"
    raise ArgumentError("options", wanted, f"{key!r}{owner}", of=name)
