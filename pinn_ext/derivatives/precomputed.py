"""A function of the inputs whose value and derivatives were computed once, ahead of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pinn_ext.derivatives.taylor import Jet


class HigherDerivativeError(RuntimeError):
    """A derivative was asked for that was not computed ahead of training."""


@dataclass(frozen=True)
class Precomputed:
    """Two fields at fixed inputs, cheap to differentiate twice.

    The constrained expression's data part depends on no parameter; following it through
    automatic differentiation in each step cost more than the network itself. Third derivatives
    with respect to the inputs count as zero: no training step asks for them.

    Attributes:
        value: the fields `[N, 2]`.
        slope: their first derivatives `[N, 2, D]` with respect to the D inputs.
        hessian: their second derivatives `[N, 2, D, D]`.
    """

    value: Tensor
    slope: Tensor
    hessian: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the fields `[N, 2]`, differentiable in the inputs `[N, D]` they belong to."""
        return _Level.apply(inputs, None, self.value, self.slope, self.hessian)

    def jet(self) -> Jet:
        """Return the fields with derivatives, k = 2; the last of the D inputs is time."""
        axes = self.hessian.shape[-1] - 1
        laplacian = self.hessian.diagonal(dim1=2, dim2=3)[..., :axes].sum(dim=-1)
        return Jet(self.value, self.slope.permute(2, 0, 1), laplacian)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Precomputed:
        """Return the same on a device and in a floating-point type."""
        parts = (self.value, self.slope, self.hessian)
        return Precomputed(*(part.to(dtype).to(device) for part in parts))


def differentiate(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Precomputed:
    """Compute a function of each row of the inputs and its first two derivatives.

    Args:
        function: `[N, D]` to `[N, 2]`, each row from the same row only.
        inputs: `[N, D]`.

    Returns:
        Value and derivatives at the inputs.
    """
    return Precomputed(*levels_of(function, inputs, 2))


def levels_of(
    function: Callable[[Tensor], Tensor], inputs: Tensor, order: int
) -> tuple[Tensor, ...]:
    """Compute a function of each row of the inputs and its derivatives up to an order.

    Args:
        function: `[N, D]` to `[N, F]`, each row from the same row only.
        inputs: `[N, D]`.
        order: of the highest derivatives, 0 for the value alone.

    Returns:
        The value `[N, F]`, first derivatives `[N, F, D]`, second ones `[N, F, D, D]`, and so on,
        without gradients.
    """
    if order == 0:
        with torch.no_grad():
            return (function(inputs.detach()).detach(),)
    with torch.enable_grad():
        inputs = inputs.detach().clone().requires_grad_()
        levels = [function(inputs)]
        for k in range(1, order + 1):
            shape = (*levels[-1].shape, inputs.shape[1])
            entries = levels[-1].flatten(1).unbind(1)
            rows = [_gradient(entry, inputs, create_graph=k < order) for entry in entries]
            # No inputs, as where nothing but the time is one: no derivatives by them.
            levels.append(torch.stack(rows, 1).reshape(shape) if rows else inputs.new_zeros(shape))
    return tuple(level.detach() for level in levels)


def _gradient(entry: Tensor, inputs: Tensor, create_graph: bool) -> Tensor:
    if not entry.requires_grad:  # the slope of a linear function
        return torch.zeros_like(inputs)
    (result,) = torch.autograd.grad(
        entry.sum(),
        inputs,
        create_graph=create_graph,
        materialize_grads=True,
        retain_graph=True,
    )
    return result


def from_levels(inputs: Tensor, levels: Sequence[Tensor], beyond: str) -> Tensor:
    """Return a function that was computed by `levels_of`, differentiable as often as it says.

    Args:
        inputs: `[N, D]`, those that the levels belong to.
        levels: value and derivatives.
        beyond: the sentence of a `HigherDerivativeError`, where a derivative of a higher order than
            there are levels is asked for (with `create_graph`): it is not taken for 0.

    Returns:
        `[N, F]`.
    """
    return _Level.apply(inputs, beyond, *levels)


class _Level(torch.autograd.Function):
    """Derivatives of one order; their backward are those of the next, themselves differentiable.

    `beyond` is the sentence of an error at an order that is not there, None for a derivative of 0.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, beyond: str | None, *levels: Tensor) -> Tensor:
        ctx.beyond, ctx.order = beyond, len(levels)
        ctx.save_for_backward(inputs, *levels[1:])
        return levels[0].clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        inputs, *higher = ctx.saved_tensors
        nothing = (None,) * (1 + ctx.order)
        if not higher:
            # A plain backward pass from a loss comes here too, as the points are leaves with
            # gradients in DeepXDE, which nobody reads.
            if torch.is_grad_enabled():
                raise HigherDerivativeError(ctx.beyond)
            return None, *nothing
        if len(higher) == 1 and ctx.beyond is None:
            steep = higher[0]
        else:
            steep = _Level.apply(inputs, ctx.beyond, *higher)
        back = (grad[..., None] * steep).sum(dim=tuple(range(1, grad.ndim)))
        return back, *nothing
