"""The Jacobian of a function of one vector, some rows or columns at a time, and its products."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import jvp, vjp, vmap

from ..devices import is_out_of_memory
from .problem import Product

Function = Callable[[Tensor], Tensor]

_CHUNK = 2**21  # numbers of the Jacobian at a time: a chunk and its intermediates stay in cache


class Derivatives:
    """Computes a Jacobian, by the fastest method that follows the function.

    Forward mode for at least as many rows as columns, reverse mode, then PyTorch's own graph in
    batches and row by row, for functions that torch.func cannot transform, as those that
    call `torch.autograd.grad`. The first method that works is kept.

    Args:
        function: x [n] -> [m], in torch operations.
        rows: m.
        columns: n.
        chunk: Rows at a time; None chooses, and allows forward mode.

    Example:
        >>> Derivatives(lambda x: x**2, 2, 2).jacobian(torch.tensor([1.0, 3.0])).tolist()
        [[2.0, 0.0], [0.0, 6.0]]
    """

    def __init__(
        self, function: Function, rows: int, columns: int, chunk: int | None = None
    ) -> None:
        self._function = function
        self._rows, self._columns = rows, columns
        self._chunk = None if chunk is None else int(chunk)
        self._methods = [self._forward, self._reverse, self._batched, self._one_by_one]
        if chunk is not None or rows < columns:
            self._methods.pop(0)

    def jacobian(self, x: Tensor) -> Tensor:
        """Compute the Jacobian at x.

        Args:
            x: [n], not modified.

        Returns:
            [m, n].

        Raises:
            RuntimeError: If no method works; it is the function's own error, if it has one.
        """
        while True:
            try:
                return self._methods[0](x)
            except RuntimeError as error:  # NotImplementedError is one
                # Where memory lacks, no other method would need less.
                if len(self._methods) == 1 or is_out_of_memory(error):
                    raise
                self._methods.pop(0)

    def products(self, x: Tensor) -> tuple[Product, Product]:
        """Return the products with the Jacobian at x, and with its transpose.

        Args:
            x: [n], not modified.

        Returns:
            v [n] -> J v [m], and w [m] -> J^T w [n].

        Raises:
            RuntimeError: If there is no memory left.
        """
        try:
            pull = vjp(self._function, x)[1]
            jvp(self._function, (x,), (torch.zeros_like(x),))
            return (
                lambda v: jvp(self._function, (x,), (v,))[1].detach(),
                lambda w: pull(w)[0].detach(),
            )
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            return self._graph_products(x)

    def _parts(self, total: int, length: int) -> list[tuple[int, int]]:
        size = self._chunk or max(1, _CHUNK // length)
        return [(start, min(start + size, total)) for start in range(0, total, size)]

    def _forward(self, x: Tensor) -> Tensor:
        # Column by column in memory, as forward mode makes them.
        result = x.new_empty(self._columns, self._rows)

        def push(v: Tensor) -> Tensor:
            return jvp(self._function, (x,), (v,))[1]

        for start, end in self._parts(self._columns, self._rows):
            result[start:end] = vmap(push)(_unit(x, start, end, self._columns)).detach()
        return result.mT

    def _reverse(self, x: Tensor) -> Tensor:
        pull = vjp(self._function, x)[1]
        result = x.new_empty(self._rows, self._columns)
        for start, end in self._parts(self._rows, self._columns):
            result[start:end] = vmap(pull)(_unit(x, start, end, self._rows))[0].detach()
        return result

    def _batched(self, x: Tensor) -> Tensor:
        leaf, value = self._graph(x)
        result = x.new_zeros(self._rows, self._columns)
        for start, end in self._parts(self._rows, self._columns):
            units = _unit(x, start, end, self._rows)
            (part,) = torch.autograd.grad(
                value, leaf, units, retain_graph=True, allow_unused=True, is_grads_batched=True
            )
            if part is not None:
                result[start:end] = part
        return result

    def _one_by_one(self, x: Tensor) -> Tensor:
        leaf, value = self._graph(x)
        result = x.new_zeros(self._rows, self._columns)
        for i in range(self._rows):
            (row,) = torch.autograd.grad(value[i], leaf, retain_graph=True, allow_unused=True)
            if row is not None:
                result[i] = row
        return result

    def _graph(self, x: Tensor) -> tuple[Tensor, Tensor]:
        leaf = x.detach().clone().requires_grad_()
        # Times one: a function may write to what it is given, though not to a leaf.
        return leaf, self._function(leaf * 1.0)

    def _graph_products(self, x: Tensor) -> tuple[Product, Product]:
        leaf, value = self._graph(x)
        # J v is the derivative of w -> J^T w, which is linear: any w will do.
        any_w = torch.zeros_like(value, requires_grad=True)
        (pulled,) = torch.autograd.grad(value, leaf, any_w, create_graph=True)

        def forward(v: Tensor) -> Tensor:
            (pushed,) = torch.autograd.grad(pulled, any_w, v, retain_graph=True)
            return pushed

        def backward(w: Tensor) -> Tensor:
            (back,) = torch.autograd.grad(value, leaf, w, retain_graph=True)
            return back

        return forward, backward


def _unit(x: Tensor, start: int, end: int, total: int) -> Tensor:
    # Rows `start` to `end` of the identity.
    rows = x.new_zeros(end - start, total)
    rows.diagonal(start).fill_(1.0)
    return rows
