"""What a right-hand side differentiates by where u and v are differentiated at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .library import library
from .sums import apply_pair

if TYPE_CHECKING:
    from ..operators import GraphOperators
    from ..operators.neighbour_tables import Pattern, Weights

LEAST = 200_000
"""Entries of a table from which on the sums are worth a compiler's half second."""
_LEAST_SLOTS = 7
"""Fewer lie slot by slot, which torch's own code generator turns into fast code."""

_ADJOINT_SUITS = "paired adjoint"


class PairedOperators:
    """Laplacian and gradient of u and v, both computed when the first of them is asked for.

    Other fields are differentiated by the operators alone.

    Args:
        operators: That suit, see `suits`.
        fields: u and v, each [N].
    """

    def __init__(self, operators: GraphOperators, fields: tuple[Tensor, ...]) -> None:
        self._operators, self._fields = operators, fields
        self._made: dict[int, tuple[Tensor, Tensor]] = {}

    def laplacian(self, field: Tensor) -> Tensor:
        """Laplacian [N] of a field [N]."""
        i = self._index(field)
        return self._operators.laplacian(field) if i is None else self._pair(0)[i]

    def gradient(self, field: Tensor) -> tuple[Tensor, ...]:
        """Gradient of a field [N], d components [N]."""
        i = self._index(field)
        if i is None:
            return self._operators.gradient(field)
        return tuple(self._pair(1 + axis)[i] for axis in range(self._operators.dimension))

    def _index(self, field: Tensor) -> int | None:
        """Which of the two fields it is, None for another, and where the adjoint does not suit."""
        if self._wants_adjoint and not self._operators.derived.get(_ADJOINT_SUITS):
            return None
        return next((i for i, own in enumerate(self._fields) if field is own), None)

    @property
    def _wants_adjoint(self) -> bool:
        return torch.is_grad_enabled() and any(own.requires_grad for own in self._fields)

    def _pair(self, number: int) -> tuple[Tensor, Tensor]:
        """The Laplacian of both fields, or a component of both gradients."""
        if number not in self._made:
            u, v = self._fields
            operators, back = self._operators, None
            if self._wants_adjoint:
                adjoint = operators.derived["adjoint"]
                back = adjoint.pattern, _weights(adjoint, number)
            tables = operators.pattern, _weights(operators, number)
            self._made[number] = apply_pair(u, v, tables, back)
        return self._made[number]


def prepare_gradients(operators: GraphOperators) -> None:
    """Make the transposed operators once, before torch follows a step that asks for gradients."""
    if _ADJOINT_SUITS not in operators.derived:
        operators.derived[_ADJOINT_SUITS] = suits(operators.adjoint)


def suits(operators: GraphOperators) -> bool:
    """Whether sums of both fields at once are possible, and worth it.

    Args:
        operators: Derivatives on a graph.

    Returns:
        True for large meshes in main memory, where a compiler is.
    """
    pattern = operators.pattern
    if pattern.neighbours.device.type != "cpu" or pattern.neighbours.numel() <= LEAST:
        return False
    every = [operators.laplacian_weights, *operators.gradient_weights]
    if len(pattern.neighbours) < _LEAST_SLOTS or not all(_fits(pattern, own) for own in every):
        return False
    return library() is not None


def _fits(pattern: Pattern, weights: Weights) -> bool:
    """Whether the tables lie node by node, with a weight for each entry."""
    table = pattern.neighbours
    contiguous = table.t().is_contiguous() and weights.main.t().is_contiguous()
    long = pattern.long_neighbours
    alike = long is None or weights.long is None or long.stride() == weights.long.stride()
    return contiguous and alike and weights.main.shape == table.shape


def _weights(operators: GraphOperators, number: int) -> Weights:
    return (operators.laplacian_weights, *operators.gradient_weights)[number]
