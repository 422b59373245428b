"""Per-example gradients of linear layers: what residuals leave behind at each weight matrix.

A residual of one point depends on a weight matrix W through products `W a` only, in the forward
pass and in every derivative with respect to inputs. In the backward pass from that residual each
product leaves a pair (d, a) of vectors, and the row of the Jacobian is the sum of `d a^T` over the
pairs. One backward pass from the sum of all residuals gives the pairs of all points at once, as no
point shares a row with another; one batched matrix product then writes all rows. (Per-example
gradients after Goodfellow 2015, arXiv:1510.01799, here through higher derivatives.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


@dataclass
class Use:
    """What one product with a weight matrix left behind in a backward pass.

    Attributes:
        weight: number of the matrix among the parameters.
        bias: number of the bias that was added, or None.
        call: number of the call whose samples these are.
        delta: `[S, out]`, with respect to the product's output.
        factor: `[S, in]`, what the matrix was multiplied with.
        transposed: whether it was a product `d W` of an inner backward pass.
    """

    weight: int
    bias: int | None
    call: int
    delta: Tensor
    factor: Tensor
    transposed: bool

    @property
    def seeded(self) -> Tensor:
        """The half of the pair that is linear in the seed of the pass `[S, width]`."""
        return self.factor if self.transposed else self.delta


class LinearTape(TorchFunctionMode):
    """Watches `F.linear` with given parameters while it is entered, and records backward passes.

    Args:
        parameters: leaves that require gradients.

    Attributes:
        anchor: a leaf that every watched product depends on.
        foreign: numbers of the parameters that were used anywhere but in `F.linear`.
        calls: how many samples each watched call of the forward pass had.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        super().__init__()
        self._numbers = {id(parameter): i for i, parameter in enumerate(parameters)}
        device = parameters[0].device if parameters else None
        self.anchor = torch.zeros((), device=device, requires_grad=True)
        self.foreign: set[int] = set()
        self.calls: list[int] = []
        self._uses: list[Use] | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.linear and id(args[1] if len(args) > 1 else kwargs["weight"]) in self._numbers:
            return self._linear(*args, **kwargs)
        result = func(*args, **kwargs)
        if isinstance(result, Tensor) and result.requires_grad:
            for value in (*args, *kwargs.values()):
                self._note_foreign(value)
        return result

    def _note_foreign(self, value: Any) -> None:
        if isinstance(value, (list, tuple)):
            for item in value:
                self._note_foreign(item)
        elif id(value) in self._numbers and isinstance(value, Tensor):
            self.foreign.add(self._numbers[id(value)])

    def _linear(self, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        layer = _Layer(self, self._numbers[id(weight)], None, len(self.calls))
        added: Tensor | None = None
        if bias is not None and id(bias) in self._numbers:
            layer.bias = self._numbers[id(bias)]
        elif bias is not None:  # a constant bias, or one that was computed
            bias, added = None, bias
        samples = input.reshape(-1, input.shape[-1])
        self.calls.append(len(samples))
        output = _Product.apply(self.anchor, layer, samples, weight, bias)
        output = output.reshape(*input.shape[:-1], weight.shape[0])
        return output if added is None else output + added

    def record(self, use: Use) -> None:
        """Keep a pair if a pass is being recorded."""
        if self._uses is not None:
            self._uses.append(use)

    def backward(self, residual: Tensor, seed: Tensor) -> list[Use]:
        """Return the pairs of a backward pass.

        Args:
            residual: `[n]`, computed while the tape was entered.
            seed: `[n]`, what each residual is multiplied with before all are summed.

        Returns:
            One `Use` for each product of each layer.
        """
        if not residual.requires_grad:
            return []
        uses: list[Use] = []
        self._uses = uses
        try:
            torch.autograd.grad(residual, self.anchor, seed, retain_graph=True, allow_unused=True)
        finally:
            self._uses = None
        return uses


@dataclass
class _Layer:
    tape: LinearTape
    weight: int
    bias: int | None
    call: int


class _Product(torch.autograd.Function):
    """`x W^T + b`; its gradient with respect to W and b is recorded instead of computed."""

    @staticmethod
    def forward(
        ctx: Any, anchor: Tensor, layer: _Layer, x: Tensor, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        ctx.layer, ctx.with_bias = layer, bias is not None
        ctx.save_for_backward(anchor, x, weight)
        return F.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        anchor, x, weight = ctx.saved_tensors
        layer: _Layer = ctx.layer
        bias = layer.bias if ctx.with_bias else None
        use = Use(layer.weight, bias, layer.call, grad.detach(), x.detach(), transposed=False)
        layer.tape.record(use)
        back = None
        if ctx.needs_input_grad[2]:
            back = _Transposed.apply(anchor, layer, grad, weight)
        return None, None, back, None, None


class _Transposed(torch.autograd.Function):
    """`g W`, the backward of the product with respect to x, itself a product with W."""

    @staticmethod
    def forward(ctx: Any, anchor: Tensor, layer: _Layer, grad: Tensor, weight: Tensor) -> Tensor:
        ctx.layer = layer
        ctx.save_for_backward(anchor, grad, weight)
        return grad @ weight

    @staticmethod
    def backward(ctx: Any, second: Tensor) -> tuple[Tensor | None, ...]:
        anchor, grad, weight = ctx.saved_tensors
        layer: _Layer = ctx.layer
        use = Use(layer.weight, None, layer.call, grad.detach(), second.detach(), transposed=True)
        layer.tape.record(use)
        forward = None
        if ctx.needs_input_grad[2]:
            forward = _Product.apply(anchor, layer, second, weight, None)
        return None, None, forward, None
