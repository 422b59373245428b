"""What a right-hand side takes its derivatives in space from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor


class Derivatives(Protocol):
    """Spatial derivatives of a field, from automatic differentiation or from a graph.

    Example:
        >>> import torch
        >>> from pinn_ext import systems
        >>> class Uniform:  # the derivatives of fields that are the same everywhere
        ...     def laplacian(self, field):
        ...         return torch.zeros_like(field)
        ...
        ...     def gradient(self, field):
        ...         return [torch.zeros_like(field)]
        >>> u, v = torch.tensor([1.0]), torch.tensor([2.0])
        >>> systems.create("lambda_omega").rhs(u, v, Uniform())
        (tensor([4.]), tensor([-12.]))
    """

    def laplacian(self, field: Tensor) -> Tensor:
        """Return the Laplacian `[N]` of a field `[N]`."""

    def gradient(self, field: Tensor) -> Sequence[Tensor]:
        """Return the components `[N]` of the gradient of a field `[N]`."""
