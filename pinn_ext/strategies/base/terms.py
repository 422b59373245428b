"""What every weighting strategy is: a pure function of a small statistic of the loss terms."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from pinn_ext.checks import check_mapping
from pinn_ext.strategies.base.gradients import Gradients
from pinn_ext.strategies.base.saved_state import check_like, is_ours

State = dict[str, Any]
"""Plain numbers and lists of numbers, so that it can be saved, restored and read by hand."""

EMA_ALPHA = 0.9
"""Part of the old loss average that is kept at an update, unless a user says otherwise."""

EPS = 1e-8
"""What is added to a loss before it is inverted, in the units of the losses, likewise."""

STATISTICS = ("losses", "gradients", "gradient_vectors", "ntk", "field_scales")
"""What a strategy may ask for in `needs`."""


class Statistics(NamedTuple):
    """What a strategy may look at in one update; what it does not ask for may be None.

    Attributes:
        losses: raw (unweighted) loss of each term `[k]`, finite and not negative.
        weights: the weights in force `[k]`, dimensionless.
        gradients: of the raw losses with respect to the network's parameters.
        ntk: mean over the points of a term of `|d r / d theta|^2`, r its residual, `[k]`: the
            trace of its block of the neural tangent kernel, per point.
        field_scales: size of the field that each term is about `[k]`, in the units that the square
            root of the term's loss is measured in.
        conditions: whether each term is an initial or boundary condition, or data `[k]`.
        update: number of this update, from 1.
        progress: part of the training that is over, in [0, 1]; None where its length is unknown.
        switches: how often the model was compiled with a new optimiser so far.
        active: whether each term takes part `[k]`; one whose loss or gradient is exactly 0 may be
            left out: its target is not looked at. None for all.

    Example:
        >>> seen = Statistics([0.2, 0.0], active=[True, False])
        >>> seen.taking_part()
        [0]
        >>> seen.averaged(old=[0.4, 0.3], new=seen.losses, moved=[0.3, 0.15])
        [0.3, 0.3]
    """

    losses: Sequence[float]
    weights: Sequence[float] | None = None
    gradients: Gradients | None = None
    ntk: Sequence[float] | None = None
    field_scales: Sequence[float] | None = None
    conditions: Sequence[bool] | None = None
    update: int = 1
    progress: float | None = None
    switches: int = 0
    active: Sequence[bool] | None = None

    def averaged(
        self, old: Sequence[float], new: Sequence[float], moved: Sequence[float]
    ) -> list[float]:
        """Return moving averages of which those of terms that do not take part stand still.

        Args:
            old: averages before the update `[k]`, 0 for a term that has never taken part.
            new: what would start each average `[k]`.
            moved: averages after the update, if all take part `[k]`.

        Returns:
            The averages after the update `[k]`; all of `moved` where no term can be left out.
        """
        if self.active is None:
            return list(moved)
        return [
            (after if before > 0.0 else start) if active else before
            for active, before, start, after in zip(self.active, old, new, moved, strict=True)
        ]

    def taking_part(self) -> list[int]:
        """Return the indices of the active terms."""
        count = len(self.losses)
        return [i for i in range(count) if self.active is None or self.active[i]]


class Proposal(NamedTuple):
    """What a strategy proposes.

    Attributes:
        targets: the weights it wants `[k]`, dimensionless, not negative and not all zero; their
            common scale is free.
        blend: whether the targets are mixed into the present weights or replace them.
        penalty: what the method's objective holds beside the weighted sum of the losses, such as
            the log-variances of Kendall et al.; it is reported, as no weight can carry it.
        note: why the weights move just now, for the log of events; None for an ordinary update.
        blend_beta: part of the old weights that is kept, None for the strategy's own.

    Example:
        >>> from pinn_ext import strategies
        >>> ema = strategies.create("ema")
        >>> proposal, state = ema.update(Statistics([0.5, 0.01]), ema.init([1.0, 1.0]))
        >>> [round(target, 3) for target in proposal.targets], proposal.blend
        ([2.0, 100.0], True)
    """

    targets: Sequence[float]
    blend: bool
    penalty: float = 0.0
    note: str | None = None
    blend_beta: float | None = None


class Strategy(ABC):
    """A weighting method: hyperparameters frozen in the object, state passed in and out.

    Attributes:
        name: the name users write.
        moves: what it moves: `"terms"`, or nothing at all (`""`).
        needs: the statistics it reads, among `STATISTICS`.
        blend_beta: part of the old weights that is kept when its targets are blended in, unless
            the user says otherwise.
        equalizes: whether its first update makes all weighted losses equal.
        permutation_equivariant: whether reordering the terms only reorders the weights.
        equal_treatment: whether terms that cannot be told apart get the same target.
        limited: whether ratio cap and clamps hold its weights; they are made for weights that
            follow noisy statistics, not for those that are given or follow from data.
        scale_invariant: whether a common factor on all losses leaves the ratios of the targets.
        exact: whether the tangent kernel is to be measured without an estimate.
        probes: random vectors that an estimate of the tangent kernel takes.
        needs_length: whether the length of the training must be known.
        needs_conditions: whether some terms must be conditions or data rather than equations.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Inverse(Strategy):
        ...     name = "inverse"
        ...
        ...     def init(self, initial_weights):
        ...         return {}
        ...
        ...     def update(self, statistics, state):
        ...         return Proposal([1 / loss for loss in statistics.losses], blend=False), state
        >>> Inverse().update(Statistics([0.5, 0.01]), {})[0].targets
        [2.0, 100.0]
        >>> Inverse().exact, Inverse().needs_length, Inverse().unreachable(updates=1)
        (False, False, None)
        >>> Inverse().check_state({}, terms=2)  # or an ArgumentError
        >>> print(Inverse().describe_change({}, {}))  # nothing to tell
        None
    """

    name: ClassVar[str]
    moves: ClassVar[str] = "terms"
    needs: ClassVar[frozenset[str]] = frozenset({"losses"})
    blend_beta: ClassVar[float] = 0.9
    equalizes: ClassVar[bool] = False
    permutation_equivariant: ClassVar[bool] = True
    equal_treatment: ClassVar[bool] = True
    limited: ClassVar[bool] = True
    scale_invariant: ClassVar[bool] = False
    needs_conditions: ClassVar[bool] = False
    probes: int = 1

    def __init_subclass__(cls, **options: Any) -> None:
        """Let a class of a user that still has the former method `news` take part."""
        super().__init_subclass__(**options)
        if "news" in vars(cls):
            warnings.warn(
                f"{cls.__name__}.news is now called describe_change.",
                DeprecationWarning,
                stacklevel=2,
            )
            cls.describe_change = cls.news  # type: ignore[attr-defined, method-assign]

    @property
    def exact(self) -> bool:
        """Whether the tangent kernel is to be measured without an estimate."""
        return False

    @property
    def needs_length(self) -> bool:
        """Whether the length of the training must be known."""
        return False

    @abstractmethod
    def init(self, initial_weights: Sequence[float]) -> State:
        """Return the state before the first update; `initial_weights` is `[k]`."""

    @abstractmethod
    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Return the proposed weights, or None to keep the present ones, and the next state."""

    def unreachable(self, updates: int) -> str | None:
        """Return what of this strategy cannot come about in a training that is known to be short.

        Args:
            updates: how many the training is going to make.

        Returns:
            A sentence without its full stop, None where everything can.
        """
        return None

    def check_state(self, state: Any, terms: int) -> None:
        """Refuse a saved state that this strategy cannot have returned.

        Args:
            state: what is said to be one.
            terms: how many terms the strategy sees.

        Raises:
            ArgumentError: naming the part of the state.
        """
        model = self.init([1.0] * terms)
        check_mapping("state", state, model)
        if is_ours(self):
            check_like("state", state, model, terms)

    def describe_change(self, before: State, after: State) -> str | None:
        """Return what a change of state means to a user, for the log of events.

        It is asked after each update, also where the weights stay.

        Args:
            before: the state that the update began with.
            after: the state that it returned.

        Returns:
            A sentence without its full stop, None where there is nothing to say.
        """
        return None


def inverse(losses: Sequence[float], eps: float) -> list[float]:
    """Return `1 / (L_i + eps)` for each loss, the weights that equalise the weighted losses."""
    return [1.0 / (loss + eps) for loss in losses]


def moving_average(
    average: Sequence[float], losses: Sequence[float], ema_alpha: float
) -> list[float]:
    """Return `a m_i + (1 - a) L_i`, the exponential moving average after one more loss."""
    return [
        ema_alpha * mean + (1.0 - ema_alpha) * loss
        for mean, loss in zip(average, losses, strict=True)
    ]


def softmax(exponents: Sequence[float]) -> list[float]:
    """Return `exp(x_i) / sum_j exp(x_j)`, free of overflow; infinite exponents share all of it."""
    largest = max(exponents)
    if math.isinf(largest):
        shares = [float(x == largest) for x in exponents]
    else:
        shares = [math.exp(x - largest) for x in exponents]
    total = sum(shares)
    return [share / total for share in shares]


def over(numerator: float, denominators: Sequence[float], most: float = 1e100) -> list[float]:
    """Return `numerator / d_i` for each, no more than `most`: a zero asks for all there is.

    Args:
        numerator: not negative.
        denominators: not negative, zeros among them.
        most: what stands for infinity; the limits on weights are far below it.

    Returns:
        Finite numbers, not negative.
    """
    return [min(numerator / d, most) if d > 0.0 else most for d in denominators]
