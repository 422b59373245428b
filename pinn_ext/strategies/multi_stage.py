"""Strategies one after the other: each has its stage of the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from pinn_ext.checks import ArgumentError, check_choice, check_mapping, check_number
from pinn_ext.strategies.base.members import member
from pinn_ext.strategies.base.saved_state import check_like
from pinn_ext.strategies.base.terms import EMA_ALPHA, EPS, Proposal, State, Statistics, Strategy

ENDS = ("until_epoch", "until_fraction", "until_drop", "until_switch")
"""What may end a stage; each but the last has one of them."""
_DEFAULT: tuple[Mapping[str, Any], ...] = (
    {"strategy": "field_scale", "until_fraction": 0.5},
    {"strategy": "ema"},
)
"""Did best of five lists on three systems in two units: docs/methods.md has the table. Equal
losses from the start, as of an untrained network, make the equations too heavy (`field_scale` does
not look at losses); later on they are the finer measure.
"""


@dataclass(frozen=True)
class Stage:
    """A part of the training.

    Attributes:
        method: the strategy that moves the weights in it.
        end: one of `ENDS`, None for the last stage.
        value: when that end has come.
    """

    method: Strategy
    end: str | None
    value: float

    def is_over(self, statistics: Statistics, state: State) -> bool:
        """Return whether the end has come; `state` is that of `MultiStage` in this stage."""
        if self.end == "until_epoch":
            return state["seen"] >= self.value
        if self.end == "until_fraction":
            return (statistics.progress or 0.0) >= self.value
        if self.end == "until_switch":
            return statistics.switches > state["switches"]
        if self.end == "until_drop":
            # A term that began at 0 cannot fall: it does not count.
            pairs = zip(statistics.losses, state["first_losses"], strict=True)
            ratios = [loss / first for loss, first in pairs if first > 0]
            return sum(ratios) * self.value <= len(ratios)
        return False


@dataclass(frozen=True)
class MultiStage(Strategy):
    """Hand the weights from one strategy to the next.

    A stage begins from the weights in force and knows nothing of the one before; it lasts for one
    update at least. Its statistics are those of its strategies: what one of them reads is measured
    in all stages. (Curricula of loss weights: Krishnapriyan et al. 2021, section 5; there by hand.)

    Attributes:
        stages: one mapping a stage: `strategy`, its `options` if it needs any, and, for each but
            the last, its end: `until_epoch` (updates since the start of the training),
            `until_fraction` (of the training's length, in (0, 1)), `until_drop` (the sum of the
            losses, each over its first value in the stage, has fallen by this factor, above 1) or
            `until_switch: true` (the model was compiled with a new optimiser).
        ema_alpha: of those strategies that have it, dimensionless.
        eps: likewise, in the units of the losses.
    """

    stages: Sequence[Mapping[str, Any]] = _DEFAULT
    ema_alpha: float = EMA_ALPHA
    eps: float = EPS
    name: ClassVar[str] = "multi_stage"
    scale_invariant: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse a list that is no sequence of stages; declare what its strategies declare."""
        methods = [part.method for part in self.parts]
        drops = {"losses"} if any(part.end == "until_drop" for part in self.parts) else set()
        declared: dict[str, Any] = {
            "needs": frozenset(drops).union(*(method.needs for method in methods)),
            "moves": "terms" if any(method.moves for method in methods) else "",
            "equalizes": methods[0].equalizes,
            "needs_conditions": any(method.needs_conditions for method in methods),
            "probes": max(method.probes for method in methods),
        }
        for key in ("permutation_equivariant", "equal_treatment", "scale_invariant"):
            declared[key] = all(getattr(method, key) for method in methods)
        for key, value in declared.items():
            object.__setattr__(self, key, value)  # of this object, before that of the class

    @cached_property
    def parts(self) -> list[Stage]:
        """The stages with their strategies."""
        return read_stages(self.stages, ema_alpha=self.ema_alpha, eps=self.eps)

    @property
    def exact(self) -> bool:
        """Whether a stage wants the tangent kernel without an estimate."""
        return any(part.method.exact for part in self.parts)

    @property
    def needs_length(self) -> bool:
        """Whether a stage ends at a part of the training, whose length must then be known."""
        return any(part.end == "until_fraction" for part in self.parts)

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return the state before the first stage."""
        return {
            "stage": 0,
            "seen": 0,
            "begun_at": 0,
            "first_losses": None,
            "switches": 0,
            "own": self.parts[0].method.init(initial_weights),
        }

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Return the proposal of the strategy whose stage it is.

        Args:
            statistics: of this update.
            state: the state so far.

        Returns:
            Its proposal, and the next state.

        Raises:
            ArgumentError: if stages end at parts of a training whose length is not known.
        """
        if self.needs_length and statistics.progress is None:
            raise ArgumentError(
                "progress",
                "be given for stages that end by until_fraction (the length of the training is "
                "not known here: use until_epoch)",
                None,
            )
        state = dict(state)
        present = self.parts[state["stage"]]
        if state["first_losses"] is not None and present.is_over(statistics, state):
            stage, weights = state["stage"] + 1, statistics.weights
            state |= {"stage": stage, "first_losses": None}
            start = [1.0] * len(statistics.losses) if weights is None else weights
            state["own"] = self.parts[stage].method.init(start)
        if state["first_losses"] is None:
            state["first_losses"] = list(map(float, statistics.losses))
            state["begun_at"] = state["seen"]
            state["switches"] = statistics.switches
        state["seen"] += 1
        method = self.parts[state["stage"]].method
        # The strategy counts its own updates, as if the training had begun with its stage.
        own = statistics._replace(update=state["seen"] - state["begun_at"])
        proposal, state["own"] = method.update(own, state["own"])
        if proposal is not None and proposal.blend_beta is None:
            proposal = proposal._replace(blend_beta=method.blend_beta)
        return proposal, state

    def check_state(self, state: Any, terms: int) -> None:
        """Refuse a saved state that this strategy, or that of its stage, cannot have returned.

        Args:
            state: what is said to be one.
            terms: how many terms the strategy sees.

        Raises:
            ArgumentError: naming the part of the state.
        """
        model = self.init([1.0] * terms)
        check_mapping("state", state, model)
        stage = check_number("state.stage", state["stage"], 0, len(self.parts) - 1, integer=True)
        for key in sorted(set(model) - {"own"}):
            check_like(f"state.{key}", state[key], model[key], terms)
        try:
            self.parts[stage].method.check_state(state["own"], terms)
        except ArgumentError as error:
            raise error.renamed(f"state.own{error.name.removeprefix('state')}") from None

    def unreachable(self, updates: int) -> str | None:
        """Say which stage would end with the last update or later, so that no other follows."""
        for i, part in enumerate(self.parts):
            if part.end == "until_epoch" and part.value >= updates:
                return (
                    f"stage {i + 1} of {len(self.parts)} would last until update {part.value:g} of "
                    f"{updates}, so that the stages after it never begin"
                )
        return None

    def describe_change(self, before: State, after: State) -> str | None:
        """Say that a stage has begun."""
        if after["stage"] == before["stage"]:
            return None
        number, name = after["stage"] + 1, self.parts[after["stage"]].method.name
        return f"stage {number} of {len(self.parts)}, {name}, begins"


def read_stages(stages: Any, **settings: float) -> list[Stage]:
    """Return a user's list of stages, checked.

    Args:
        stages: see `MultiStage`.
        **settings: that strategies share, see `pinn_ext.strategies.create`.

    Returns:
        At least one stage; all but the last have an end.

    Raises:
        ArgumentError: if the list is empty, or a stage is no legal one, never ends before the last,
            or ends no later than one before it.
    """
    what = "options.stages"
    if isinstance(stages, (str, Mapping)) or not isinstance(stages, Sequence) or not stages:
        raise ArgumentError(what, "be a list of at least one stage", repr(stages))
    parts: list[Stage] = []
    for i, stage in enumerate(stages):
        part = _read_stage(f"{what}[{i}]", stage, last=i == len(stages) - 1, settings=settings)
        earlier = [p.value for p in parts if p.end == part.end]
        if part.end in ("until_epoch", "until_fraction") and earlier and part.value <= earlier[-1]:
            wanted = f"be above {earlier[-1]:g}, where an earlier stage ends"
            raise ArgumentError(f"{what}[{i}].{part.end}", wanted, f"{part.value:g}")
        parts.append(part)
    return parts


def _read_stage(what: str, stage: Any, *, last: bool, settings: Mapping[str, float]) -> Stage:
    if not isinstance(stage, Mapping) or "strategy" not in stage:
        raise ArgumentError(what, "be a mapping with a strategy", repr(stage))
    for key in stage:
        check_choice(what, key, ("strategy", "options", *ENDS))
    method = member(
        what, stage["strategy"], stage.get("options"), barred=["multi_stage"], **settings
    )
    ends = [end for end in ENDS if stage.get(end) is not None]
    if last and ends:
        raise ArgumentError(what, "have no end, as nothing follows the last stage", ends[0])
    if not last and len(ends) != 1:
        wanted = f"have one end, one of {', '.join(ENDS)}, as another stage follows it"
        raise ArgumentError(what, wanted, " and ".join(ends) or "none")
    if not ends:
        return Stage(method, None, 0.0)
    end = ends[0]
    return Stage(method, end, _check_end(f"{what}.{end}", end, stage[end]))


def _check_end(what: str, end: str, value: Any) -> float:
    """Return when a stage ends, as a number."""
    if end == "until_switch":
        if value is not True:
            raise ArgumentError(what, "be true", repr(value))
        return 1.0
    if end == "until_epoch":
        check_number(what, value, 1, integer=True)
    elif end == "until_fraction":
        check_number(what, value, 0, 1, open_low=True, open_high=True)
    else:
        check_number(what, value, 1, open_low=True)
    return float(value)
