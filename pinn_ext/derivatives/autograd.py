"""Derivatives of a network's fields by its inputs, by reverse passes or by Taylor mode."""

from __future__ import annotations

import torch
from torch import Tensor

from pinn_ext.derivatives.taylor import Jet, JetDerivatives, OtherFieldError, jet_of
from pinn_ext.systems import System


def fields_and_derivatives(
    outputs: Tensor, inputs: Tensor
) -> tuple[Tensor, Tensor, AutogradDerivatives | JetDerivatives]:
    """Return u and v `[N]` and what supplies their derivatives.

    Args:
        outputs: fields `[N, 2]` that carry their derivatives, or were computed from the inputs.
        inputs: positions and times `[N, dimension + 1]`, in the latter case requiring gradients.

    Returns:
        `u, v, d`, where `d` raises `OtherFieldError` if it has to do with the former and is asked
        for the derivative of any other field than these two.
    """
    jet = jet_of(outputs)
    if jet is not None:
        derivatives = JetDerivatives(jet)
        return derivatives.fields[0], derivatives.fields[1], derivatives
    u, v = outputs.unbind(dim=1)
    return u, v, AutogradDerivatives(inputs)


def differentiates_fields_only(system: System) -> bool:
    """Return whether a system's equation takes derivatives of nothing but u and v.

    Args:
        system: its `rhs` is tried on a single point.
    """
    one = torch.ones(1, 2, dtype=torch.float64, device="cpu")
    d = JetDerivatives(Jet(one, one.expand(system.dimension + 1, 1, 2), one))
    try:
        system.rates(*d.fields, d, one[:, :1].expand(1, system.dimension), one[:, 0])
    except OtherFieldError:
        return False
    return True


class AutogradDerivatives:
    """Derivatives of fields `[N]` with respect to inputs `[N, dimension + 1]`, time last.

    Each node's field must depend on that node's inputs only. First derivatives of a field are
    computed once and kept, as the gradient, the Laplacian and the time derivative share them.

    Args:
        inputs: positions and times that the fields were computed from, requiring gradients.

    Raises:
        ValueError: by its methods, if a field was computed without the inputs.
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
        second = [self._derivatives(component) for component in self.gradient(field)]
        unmixed = [row[:, axis] for axis, row in enumerate(second) if row is not None]
        return torch.stack(unmixed).sum(dim=0) if unmixed else torch.zeros_like(field)

    def _first_derivatives(self, field: Tensor) -> Tensor:
        for earlier, derivatives in self._first:
            if earlier is field:
                return derivatives
        first = self._derivatives(field)
        if first is None:
            raise ValueError(
                "`field` must be computed from the inputs to be differentiated, got one in whose "
                "computation they do not occur."
            )
        self._first.append((field, first))
        return first

    def _derivatives(self, field: Tensor) -> Tensor | None:
        """Return the derivatives, None if none of the inputs occurs in the field."""
        if not field.requires_grad:  # a constant field, say of a linear network
            return torch.zeros_like(self.inputs)
        (derivatives,) = torch.autograd.grad(
            field.sum(), self.inputs, create_graph=True, allow_unused=True
        )
        return derivatives
