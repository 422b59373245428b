"""Activations of values together with first derivatives and the Laplacian, in one pass.

With `z` a layer's product, `z_i` its derivatives and `lap z` its Laplacian, `a = f(z)` has

    a_i = f' z_i        lap a = f' lap z + f'' sum_i z_i^2

(the forward Laplacian of Li et al. 2024, doi:10.1038/s42256-024-00794-x).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pinn_ext.derivatives.layers import Sine


@dataclass(frozen=True)
class Curve:
    """An activation function by its derivatives, each elementwise.

    Attributes:
        two: `z` to `(f, f', f'' / factor)`, differentiable as often as need be.
        back: `(z, f, f', f'' / factor, g, p, b)` to `f' g + f'' p + f''' b`, the gradient with
            respect to z.
        factor: left out of the second derivative where that saves a pass over memory.
    """

    two: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
    back: Callable[..., Tensor]
    factor: float = 1.0


def _tanh(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    f = torch.tanh(z)
    first = torch.addcmul(z.new_ones(()), f, f, value=-1.0)
    return f, first, f * first


def _tanh_back(
    z: Tensor, f: Tensor, first: Tensor, bend: Tensor, g: Tensor, p: Tensor, b: Tensor
) -> Tensor:
    """Return `f' (g - 2 f p + (4 - 6 f') b)`."""
    inner = torch.add(g, b, alpha=4.0)
    return inner.addcmul_(b, first, value=-6.0).addcmul_(f, p, value=-2.0).mul_(first)


def _silu(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    s = torch.sigmoid(z)
    f, slope = z * s, s * (1.0 - s)
    return f, torch.addcmul(s, z, slope), slope * (2.0 + z - 2.0 * f)


def _silu_back(
    z: Tensor, f: Tensor, first: Tensor, second: Tensor, g: Tensor, p: Tensor, b: Tensor
) -> Tensor:
    s = torch.sigmoid(z)
    slope = s * (1.0 - s)
    third = slope * (3.0 - 6.0 * s + z * (1.0 - 6.0 * slope))
    return (first * g).addcmul_(second, p).addcmul_(third, b)


def _gelu(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    share = 0.5 * torch.special.erfc(-math.sqrt(0.5) * z)  # of the normal distribution below z
    density = _normal(z)
    return z * share, torch.addcmul(share, z, density), density * (2.0 - z * z)


def _gelu_back(
    z: Tensor, f: Tensor, first: Tensor, second: Tensor, g: Tensor, p: Tensor, b: Tensor
) -> Tensor:
    third = _normal(z) * z * (z * z - 4.0)
    return (first * g).addcmul_(second, p).addcmul_(third, b)


def _normal(z: Tensor) -> Tensor:
    return torch.exp(-0.5 * z * z) * (0.5 / math.pi) ** 0.5


@functools.lru_cache(maxsize=64)
def _sine(w0: float) -> Curve:
    """Return the curve of `sin(w0 z)`, whose second derivative is `-w0^2` times itself."""
    square = w0 * w0

    def two(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        angle = z if w0 == 1.0 else w0 * z
        f, first = torch.sin(angle), torch.cos(angle)
        return f, first if w0 == 1.0 else w0 * first, f

    def back(
        z: Tensor, f: Tensor, first: Tensor, bend: Tensor, g: Tensor, p: Tensor, b: Tensor
    ) -> Tensor:
        """Return `f' (g - w0^2 b) - w0^2 f p`."""
        return torch.add(g, b, alpha=-square).mul_(first).addcmul_(f, p, value=-square)

    return Curve(two, back, factor=-square)


def curve_of(layer: nn.Module) -> Curve | None:
    """Return the derivatives of an activation layer, None if they are not known.

    Args:
        layer: of a network.
    """
    if type(layer) is nn.GELU and layer.approximate != "none":
        return None
    if type(layer) is Sine:
        return _sine(layer.w0)
    return _CURVES.get(type(layer))


_CURVES: dict[type[nn.Module], Curve] = {
    nn.Tanh: Curve(_tanh, _tanh_back, factor=-2.0),
    nn.SiLU: Curve(_silu, _silu_back),
    nn.GELU: Curve(_gelu, _gelu_back),
}


def activate(curve: Curve, z: Tensor, slopes: Tensor, dimension: int) -> tuple[Tensor, Tensor]:
    """Return the activation of a layer's products and of their derivatives.

    Args:
        curve: of the activation.
        z: products `[N, width]`.
        slopes: their derivatives `[C N, width]`, C channels one after the other: the space
            coordinates, further first derivatives, last the Laplacian.
        dimension: number of space coordinates.

    Returns:
        Values `[N, width]` and derivatives `[C N, width]`, differentiable as often as need be.
    """
    return _Activation.apply(z, slopes, curve, dimension)


def _plain(z: Tensor, slopes: Tensor, curve: Curve, dimension: int) -> tuple[Tensor, Tensor]:
    """Return what `activate` does, by operations that torch differentiates itself."""
    f, first, bend = curve.two(z)
    steep = slopes.reshape(-1, *z.shape)
    squares = steep[:dimension].square().sum(dim=0)
    laplacian = first * steep[-1] + curve.factor * bend * squares
    return f, torch.cat((first * steep[:-1], laplacian[None])).reshape(slopes.shape)


class _Activation(torch.autograd.Function):
    """As `_plain`, with a backward pass of few passes over memory."""

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, slopes: Tensor, curve: Curve, dimension: int
    ) -> tuple[Tensor, Tensor]:
        f, first, bend = curve.two(z)
        steep = slopes.reshape(-1, *z.shape)
        squares = steep[:dimension].square()
        squares = squares.sum(dim=0) if dimension > 1 else squares[0]
        out = steep * first
        out[-1].addcmul_(bend, squares, value=curve.factor)
        ctx.curve, ctx.dimension = curve, dimension
        ctx.save_for_backward(z, slopes, f, first, bend, squares)
        ctx.set_materialize_grads(False)
        return f, out.reshape(slopes.shape)

    @staticmethod
    def backward(
        ctx: Any, grad: Tensor | None, grad_slopes: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        z, slopes, f, first, bend, squares = ctx.saved_tensors
        if torch.is_grad_enabled():  # a gradient that is to be differentiated itself
            return *_backward_plain(ctx, z, slopes, grad, grad_slopes), None, None
        if grad_slopes is None:
            return None if grad is None else grad * first, None, None, None
        curve, axes = ctx.curve, slice(ctx.dimension)
        steep, upon = slopes.reshape(-1, *z.shape), grad_slopes.reshape(-1, *z.shape)
        last = upon[-1]
        back = upon * first
        back[axes].addcmul_(bend * last, steep[axes], value=2.0 * curve.factor)
        if grad is None:
            grad = torch.zeros_like(last)
        paired = (upon * steep).sum(dim=0)
        value = curve.back(z, f, first, bend, grad, paired, last * squares)
        return value, back.reshape(slopes.shape), None, None


def _backward_plain(
    ctx: Any, z: Tensor, slopes: Tensor, grad: Tensor | None, grad_slopes: Tensor | None
) -> list[Tensor | None]:
    results = _plain(z, slopes, ctx.curve, ctx.dimension)
    asked = [(a, g) for a, g in zip(results, (grad, grad_slopes), strict=True) if g is not None]
    needed = [x for x, need in zip((z, slopes), ctx.needs_input_grad, strict=False) if need]
    gradients = iter(
        torch.autograd.grad(
            [a for a, _ in asked],
            needed,
            [g for _, g in asked],
            create_graph=True,
            allow_unused=True,
        )
    )
    return [next(gradients) if need else None for need in ctx.needs_input_grad[:2]]
