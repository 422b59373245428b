"""A function of the inputs whose value and derivatives were computed once, ahead of training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pinn_ext.derivatives.taylor import Jet


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
        return _Value.apply(inputs, self.value, self.slope, self.hessian)

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
    inputs = inputs.detach().clone().requires_grad_()
    value = function(inputs)

    def derivatives(field: Tensor, create_graph: bool) -> Tensor:
        if not field.requires_grad:  # the slope of a linear function
            return torch.zeros_like(inputs)
        (result,) = torch.autograd.grad(
            field.sum(),
            inputs,
            create_graph=create_graph,
            materialize_grads=True,
            retain_graph=True,
        )
        return result

    slope = torch.stack([derivatives(f, True) for f in value.unbind(1)], dim=1)
    rows = [[derivatives(s, False) for s in field.unbind(1)] for field in slope.unbind(1)]
    hessian = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
    return Precomputed(value.detach(), slope.detach(), hessian.detach())


class _Value(torch.autograd.Function):
    """The fields; their backward is the slope, itself differentiable."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, value: Tensor, slope: Tensor, hessian: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, slope, hessian)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        inputs, slope, hessian = ctx.saved_tensors
        steep = _Slope.apply(inputs, slope, hessian)
        return (grad[..., None] * steep).sum(dim=1), None, None, None


class _Slope(torch.autograd.Function):
    """The first derivatives; their backward is the Hessian, a constant."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, slope: Tensor, hessian: Tensor) -> Tensor:
        ctx.save_for_backward(hessian)
        return slope.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (hessian,) = ctx.saved_tensors
        return (grad[..., None] * hessian).sum(dim=(1, 2)), None, None
