"""Checks of what `AdaptiveLossWeights` is given: by users, by strategies and by saved states."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from numbers import Real
from typing import Any

from pinn_ext.adaptive_weights.groups import Unit, units_of
from pinn_ext.adaptive_weights.limits import WeightLimits
from pinn_ext.adaptive_weights.loss_floor import OF_OLD_STATES, check_saved_floor
from pinn_ext.checks import ArgumentError, check_choice, check_list, check_names, check_number
from pinn_ext.strategies import Gradients, Method, PointStrategy, Proposal, Statistics, Strategy

# ---- arguments: each function returns the value it has checked ----------------------------------


def loss_names(given: Any, what: str = "loss_names") -> list[str]:
    """Return distinct names as a list; `what` is the argument that they were given as."""
    ordered = list(given) if isinstance(given, Mapping) else given
    names = check_list(what, ordered, "be a list of names")
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"`{what}` must be a list of names, got {names!r}.")
    if not names:
        raise ValueError(f"`{what}` must hold at least one name, got an empty list.")
    twins = sorted(name for name, count in Counter(names).items() if count > 1)
    if twins:
        raise ValueError(f"`{what}` must be distinct, got {twins} more than once.")
    return names


def of_terms(strategy: Method) -> Strategy:
    """Return a strategy that weighs terms, not points, and does not choose among others."""
    if isinstance(strategy, Strategy):
        return strategy
    use = "the callback pinn_ext.AdaptiveWeights"
    if isinstance(strategy, PointStrategy):
        does, use = "weighs points", f"{use} or pinn_ext.LossAggregator"
    else:
        does = "lets several of them train in turns"
    raise ValueError(
        f"`strategy` must be one that weighs loss terms, got {strategy.name!r}, which {does}: use "
        f"{use}."
    )


def span(warm_up: Any, freeze_after: Any) -> tuple[int, int | None]:
    """Return the epochs before the first update and those after which there is none."""
    begin = int(check_number("warm_up", warm_up, 0, integer=True))
    if freeze_after is None:
        return begin, None
    return begin, int(check_number("freeze_after", freeze_after, begin + 1, integer=True))


def scales(given: Any, names: Sequence[str], strategy: Strategy) -> list[float] | None:
    """Return the size of the field of each term, None where nobody asks for it."""
    if given is None:
        if "field_scales" in strategy.needs:
            raise ValueError(
                f"`field_scales` must be given for strategy {strategy.name!r}, got none."
            )
        return None
    if not isinstance(given, Mapping):
        raise ValueError(f"`field_scales` must map each name to a number, got {given!r}.")
    check_names("`field_scales`", names, given)
    for name, scale in given.items():
        check_number(f"field_scales[{name!r}]", scale, 0, open_low=True)
    return [float(given[name]) for name in names]


def condition_names(given: Any) -> list[Any]:
    """Return the names of conditions as a list; their order means nothing."""
    ordered = list(given) if isinstance(given, (Mapping, Set)) else given
    return check_list("conditions", ordered, "be a list of names")


def conditions(given: Any, names: Sequence[str]) -> list[bool]:
    """Return of each term whether it is a condition."""
    some = condition_names(given)
    legal = set(names)
    for name in some:
        if not isinstance(name, str) or name not in legal:
            check_choice("conditions", name, names)
    chosen = set(some)
    return [name in chosen for name in names]


def needed_conditions(
    strategy: Strategy, names: Sequence[str], held: Sequence[bool], weights: Sequence[float]
) -> None:
    """Refuse a strategy of conditions where no term with a weight is one."""
    in_use = [i for i, weight in enumerate(weights) if weight > 0.0]
    if strategy.needs_conditions and not any(held[i] for i in in_use):
        raise ValueError(
            f"Strategy {strategy.name!r} must have a condition or data among its loss terms, as it "
            f"moves the weights of these alone, got only equations "
            f"({', '.join(names[i] for i in in_use)})."
        )


def initial_weights(given: Any, names: Sequence[str], limits: WeightLimits | None) -> list[float]:
    """Return the weight of each term at the start; 0 or within the clamps, None for no clamps."""
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise ArgumentError("initial_weights", "map each name to a number", f"a {kind}")
    check_names("`initial_weights`", names, given)
    low, high = (0.0, math.inf) if limits is None else (limits.min_weight, limits.max_weight)
    weights = []
    for name in names:
        weight = given[name]
        check_number(f"initial_weights[{name!r}]", weight, 0)
        if weight != 0 and not low <= weight <= high:
            wanted = f"be 0 or in [min_weight, max_weight] = [{low:g}, {high:g}]"
            raise ArgumentError(f"initial_weights[{name!r}]", wanted, repr(weight))
        weights.append(float(weight))
    if not any(weights):
        raise ArgumentError("initial_weights", "hold at least one weight above 0", "none")
    return weights


def losses(given: Any, names: Sequence[str]) -> list[float]:
    """Return the loss of each term as a float, whatever its value."""
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise ValueError(f"`loss_values` must map each name to a number, got a {kind}.")
    check_names("`loss_values`", names, given)
    for name, loss in given.items():
        if not isinstance(loss, Real) or isinstance(loss, bool):
            raise ValueError(
                f"`loss_values[{name!r}]` must be a plain number (a tensor has `.item()`), "
                f"got a {type(loss).__name__}."
            )
    return [_as_float(given[name]) for name in names]


def next_epoch(given: Any, before: int | None) -> int:
    """Return the number of an epoch that comes after the one before."""
    epoch = int(check_number("epoch", given, integer=True))
    if before is not None and epoch <= before:
        raise ValueError(f"`epoch` must grow from call to call, got {epoch} after {before}.")
    return epoch


def course(progress: Any, switches: Any) -> None:
    """Refuse what cannot be how far a training has come."""
    if progress is not None:
        check_number("progress", progress, 0, 1)
    check_number("switches", switches, 0, integer=True)


def statistics(
    strategy: Strategy,
    units: Sequence[Unit],
    gradients: Gradients | None,
    ntk: Sequence[float] | None,
) -> None:
    """Refuse an update without what the strategy reads, or of other units."""
    if gradients is not None and not isinstance(gradients, Gradients):
        wanted = "be a pinn_ext.strategies.Gradients"
        raise ArgumentError("gradients", wanted, f"a {type(gradients).__name__}")
    if ntk is not None:
        for trace in ntk:
            if not isinstance(trace, Real) or isinstance(trace, bool):
                raise ArgumentError("ntk", "be a list of numbers", f"{trace!r} among them")
    given = {
        "gradients": gradients is not None,
        "gradient_vectors": gradients is not None and gradients.vectors is not None,
        "ntk": ntk is not None,
    }
    missing = [key for key, there in given.items() if key in strategy.needs and not there]
    if missing:
        raise ValueError(
            f"`update` must be given {' and '.join(missing)} for strategy {strategy.name!r}, "
            "got none."
        )
    counts = {
        "gradients": len(units) if gradients is None else len(gradients.squares),
        "ntk": len(units) if ntk is None else len(ntk),
    }
    for what, count in counts.items():
        if count != len(units):
            raise ValueError(
                f"`{what}` must be of the {len(units)} terms or groups "
                f"{[unit.name for unit in units]}, got {count}."
            )


# ---- numbers that cannot be used: each function says why, or returns an empty string ------------


def bad_losses(values: Sequence[float], names: Sequence[str]) -> str:
    """Name the losses that are not finite, or negative."""
    pairs = zip(names, values, strict=True)
    bad = [f"{name} = {loss}" for name, loss in pairs if not 0.0 <= loss < math.inf]
    return f"a loss is not a finite number >= 0 ({', '.join(bad)})" if bad else ""


def bad_statistics(found: Statistics, units: Sequence[Unit]) -> str:
    """Name what is not finite although each loss is."""
    pairs = zip(units, found.losses, strict=True)
    bad = [unit.name for unit, loss in pairs if not loss < math.inf]
    if bad:
        return f"the losses of a group add up to infinity ({', '.join(bad)})"
    lengths = [] if found.gradients is None else found.gradients.norms
    if not all(0.0 <= number < math.inf for number in [*lengths, *(found.ntk or [])]):
        return "a gradient is not finite"
    return ""


def bad_proposal(strategy: str, proposal: Proposal, count: int) -> str:
    """Say what is wrong with the targets of a strategy, or with its penalty."""
    targets = list(proposal.targets)
    if len(targets) != count:
        return f"{strategy} answers {len(targets)} weights for {count} terms or groups"
    if not all(0.0 <= target < math.inf for target in targets) or not any(targets):
        return f"{strategy} answers no finite weights ({targets})"
    if not math.isfinite(proposal.penalty):
        return f"{strategy} answers a penalty that is not finite ({proposal.penalty})"
    return ""


# ---- saved states -------------------------------------------------------------------------------


def saved_state(
    state: Any, own: Mapping[str, Any], groups: Mapping[str, Sequence[str]], method: Strategy
) -> tuple[dict[str, Any], list[Unit]]:
    """Return a saved state that fits, with what states of older versions lack, and its units.

    Args:
        state: what the user gave.
        own: the present state of the one that will take it.
        groups: of its terms.
        method: the strategy.

    Returns:
        The state, and what the strategy sees as terms.

    Raises:
        ValueError: if something in it is missing, or of another training.
    """
    if not isinstance(state, Mapping):
        raise ValueError(f"`state` must be what `state_dict` returned, got {state!r}.")
    state = {**OF_OLD_STATES, **state}
    check_names("The saved state", own, state)
    names = own["loss_names"]
    for key in ("strategy", "loss_names", "groups"):
        if state[key] != own[key]:
            raise ValueError(f"The saved state must have {key} {own[key]!r}, got {state[key]!r}.")
    for key in ("initial_weights", "weights", "weights_before"):
        given = state[key]
        if given is None and key == "weights_before":
            continue
        if not isinstance(given, list) or len(given) != len(names):
            raise ValueError(f"The saved state must have {len(names)} {key}, got {given!r}.")
        for weight in given:
            check_number(f"The saved {key}", weight, 0)
    for key in ("epoch", "begin"):
        if state[key] is not None:
            check_number(f"The saved {key}", state[key], integer=True)
    for key in ("updates", "asked"):
        check_number(f"The saved number of {key}", state[key], 0, integer=True)
    check_number("The saved penalty", state["penalty"])
    check_saved_floor(state, names)
    units = units_of(names, state["initial_weights"], groups)
    limits = state["limits"]
    whole = isinstance(limits, list) and all(isinstance(limit, str) for limit in limits)
    if not whole or len(limits) != len(units):
        raise ValueError(
            f"The saved state must be of {len(units)} terms or groups, got {state['limits']!r}."
        )
    try:
        method.check_state(state["state"], len(units))
    except ArgumentError as error:
        raise error.under("saved") from None
    return state, units


def plain(value: Any) -> Any:
    """Return a number of numpy's, say, as Python's own; checks come later."""
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else value


def _as_float(loss: Any) -> float:
    try:
        return float(loss)
    except OverflowError:  # a whole number beyond all floats
        return math.inf
