"""Derivatives of a network's fields with respect to its inputs, by automatic differentiation."""

from __future__ import annotations

import torch
from torch import Tensor


class AutogradDerivatives:
    """Derivatives of fields `[N]` with respect to inputs `[N, dimension + 1]`, time last.

    Each node's field must depend on that node's inputs only. First derivatives of a field are
    computed once and kept, as the gradient, the Laplacian and the time derivative share them.

    Args:
        inputs: positions and times that the fields were computed from, requiring gradients.
    """

    def __init__(self, inputs: Tensor) -> None:
        self.inputs = inputs
        self._first: list[tuple[Tensor, Tensor]] = []

    def gradient(self, field: Tensor) -> tuple[Tensor, ...]:
        """Return the spatial components `[N]` of the gradient of a field `[N]`."""
        return self._first_derivatives(field).unbind(dim=1)[:-1]

    def time(self, field: Tensor) -> Tensor:
        """Return the time derivative `[N]` of a field `[N]`."""
        return self._first_derivatives(field)[:, -1]

    def laplacian(self, field: Tensor) -> Tensor:
        """Return the sum of the unmixed second spatial derivatives `[N]` of a field `[N]`."""
        second = [
            self._derivatives(component)[:, axis]
            for axis, component in enumerate(self.gradient(field))
        ]
        return torch.stack(second).sum(dim=0)

    def _first_derivatives(self, field: Tensor) -> Tensor:
        for known, derivatives in self._first:
            if known is field:
                return derivatives
        derivatives = self._derivatives(field)
        self._first.append((field, derivatives))
        return derivatives

    def _derivatives(self, field: Tensor) -> Tensor:
        if not field.requires_grad:  # a constant field, say of a linear network
            return torch.zeros_like(self.inputs)
        (derivatives,) = torch.autograd.grad(
            field.sum(), self.inputs, create_graph=True, materialize_grads=True
        )
        return derivatives
