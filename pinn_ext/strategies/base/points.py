"""What a strategy of point weights is: a pure function of the residuals at the points."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pinn_ext.checks import ArgumentError, brief, check_mapping, check_number
from pinn_ext.strategies.base.saved_state import check_like, is_ours

if TYPE_CHECKING:
    from torch import Tensor

PointState = dict[str, Any]
"""Tensors whose first dimension is that of the points; everything else is plain numbers."""


class PointBlock(NamedTuple):
    """Terms that are measured at the same points: all equations, or one condition.

    Attributes:
        like: a tensor of the residuals' float type and device.
        condition: whether the block is an initial or boundary condition.
        span: first and last time of the problem, None where it has no time.
        drawn: how many points of the block have been given a state before.

    Example:
        >>> import torch
        >>> from pinn_ext import strategies
        >>> equations = PointBlock(torch.zeros(()), span=(0.0, 1.0))
        >>> initial = PointBlock(torch.zeros(()), condition=True, span=(0.0, 1.0))
        >>> causal = strategies.create("causal")
        >>> causal.weighs(equations), causal.weighs(initial)
        (True, False)
    """

    like: Tensor
    condition: bool = False
    span: tuple[float, float] | None = None
    drawn: int = 0


class PointStrategy(ABC):
    """A method that weighs points: each residual is multiplied by its factor before it is squared.

    A block of `m` terms at the same `n` points has a state of its own. The loss of term j is then
    `mean_i (f_ij r_ij)^2`, f constant for the gradient.

    Attributes:
        name: the name users write.
        moves: what it moves, `"points"`.
        needs: statistics of the terms that it reads: none.
        blend_beta, limited: of the terms' weights, which stay as they are.
        needs_times: whether it must know the time of each point.
        keyed: whether points have a state of their own, which has to follow them.
        updates_first: whether the factors of a step already contain the residuals of that step.
        state_on_device: whether all that an update changes are tensors, so that an accelerator
            need not be read.
        permutation_equivariant: whether reordering the points only reorders their factors.

    Example:
        >>> import torch
        >>> from pinn_ext import strategies
        >>> rba = strategies.create("rba", {"gamma": 0.5, "eta": 1.0})
        >>> state = rba.init(3, 1, PointBlock(torch.zeros(())))
        >>> state = rba.update(torch.tensor([[1.0], [2.0], [4.0]]), state)
        >>> rba.factors(state).flatten().tolist()
        [0.25, 0.5, 1.0]
        >>> rba.weighs(PointBlock(torch.zeros(()))), rba.newcomers(2, state)["lambdas"].shape
        (True, torch.Size([2, 1]))
        >>> rba.check_state(state, n=3, m=1)  # or an ArgumentError
    """

    name: ClassVar[str]
    moves: ClassVar[str] = "points"
    needs: ClassVar[frozenset[str]] = frozenset()
    blend_beta: ClassVar[float] = 0.9
    limited: ClassVar[bool] = True
    needs_times: ClassVar[bool] = False
    keyed: ClassVar[bool] = True
    updates_first: ClassVar[bool] = True
    state_on_device: ClassVar[bool] = False
    permutation_equivariant: ClassVar[bool] = True

    def weighs(self, block: PointBlock) -> bool:
        """Return whether the points of a block are weighed at all."""
        return not block.condition

    @abstractmethod
    def init(self, n: int, m: int, block: PointBlock) -> PointState:
        """Return the state of `n` points of `m` terms before their first update."""

    @abstractmethod
    def update(
        self, abs_residual: Tensor, state: PointState, times: Tensor | None = None
    ) -> PointState:
        """Return the next state; absolute residuals are `[n, m]`, times `[n]`."""

    @abstractmethod
    def factors(self, state: PointState, times: Tensor | None = None) -> Tensor:
        """Return what the residuals are multiplied by, `[n, m]` or `[n, 1]`, dimensionless."""

    def check_state(self, state: Any, n: int, m: int) -> None:
        """Refuse a saved state that this strategy cannot have returned.

        Args:
            state: what is said to be one.
            n: how many points it is of.
            m: how many terms are measured at them.

        Raises:
            ArgumentError: naming the part of the state.
        """
        import torch

        check_mapping("state", state)
        tensors = {key: one for key, one in state.items() if isinstance(one, torch.Tensor)}
        for key, one in tensors.items():  # before any memory is taken for as many
            if one.dim() == 0 or len(one) != n:
                raise ArgumentError(f"state.{key}", f"be of {n} points", list(one.shape))
        model = self.init(n if tensors else 1, m, PointBlock(torch.zeros(0, device="cpu")))
        check_mapping("state", state, model)
        for key, own in model.items() if is_ours(self) else ():
            if isinstance(own, torch.Tensor):
                _check_tensor(f"state.{key}", state[key], own)
            else:
                check_like(f"state.{key}", state[key], own, m)

    def newcomers(self, n: int, state: PointState) -> PointState:
        """Return the tensors of `n` points that join those of `state` in the midst of a training.

        Args:
            n: how many join.
            state: of the present points, at least one.

        Returns:
            `lambdas` at the mean of the present ones of their term, all other tensors at zero.
        """
        joined = {}
        for key, value in state.items():
            if hasattr(value, "new_zeros"):
                joined[key] = value.new_zeros(n, *value.shape[1:])
                if key == "lambdas":
                    joined[key] += value.mean(dim=0)
        return joined


class JointPointStrategy(PointStrategy):
    """A method whose update looks at the points of all blocks of a step at once.

    `begin` sees one block; the numbers that it returns are added up over the blocks, and `finish`
    ends the update of each block with the sums. A block that stands alone has its own for them.

    Example:
        >>> import torch
        >>> from pinn_ext import strategies
        >>> brdr, residual = strategies.create("brdr"), torch.tensor([[1.0], [2.0]])
        >>> start = brdr.init(2, 1, PointBlock(torch.zeros(())))
        >>> begun, sums = brdr.begin(residual, start)
        >>> state = brdr.finish(begun, sums)  # `sums` of all blocks; here there is one
        >>> torch.equal(brdr.factors(state), brdr.factors(brdr.update(residual, start)))
        True
    """

    @abstractmethod
    def begin(self, abs_residual: Tensor, state: PointState) -> tuple[PointState, Tensor]:
        """Return what `finish` goes on from, and numbers `[c]` that are added up over blocks.

        Args:
            abs_residual: `[n, m]`.
            state: of the block.
        """

    @abstractmethod
    def finish(self, begun: PointState, totals: Tensor) -> PointState:
        """Return the next state of a block from what `begin` has returned, and all sums `[c]`."""

    def update(
        self, abs_residual: Tensor, state: PointState, times: Tensor | None = None
    ) -> PointState:
        """Return the next state of a block that stands alone."""
        return self.finish(*self.begin(abs_residual, state))


def _check_tensor(name: str, value: Any, model: Tensor) -> None:
    fits = (
        hasattr(value, "is_floating_point")
        and value.shape == model.shape
        and value.is_floating_point() == model.is_floating_point()
    )
    if not fits:
        kind = "numbers" if model.is_floating_point() else "whole numbers"
        got = f"{value.dtype} {list(value.shape)}" if hasattr(value, "shape") else brief(value)
        raise ArgumentError(name, f"hold {kind} {list(model.shape)}", got)
    if not bool(value.isfinite().all()):
        raise ArgumentError(name, "be finite", "others")


def check_increasing(what: str, values: Any) -> tuple[float, ...]:
    """Return `values` as a tuple of floats if they are positive and increasing.

    Args:
        what: name of the argument, as the user writes it.
        values: what the user gave.

    Returns:
        The same numbers.

    Raises:
        ArgumentError: if they are no such list.
    """
    error = ArgumentError(what, "be a list of positive numbers that increase", repr(values))
    if isinstance(values, str) or not isinstance(values, Sequence) or not len(values):
        raise error
    numbers = tuple(float(check_number(what, value, 0, open_low=True)) for value in values)
    if any(b <= a for a, b in itertools.pairwise(numbers)):
        raise error
    return numbers
