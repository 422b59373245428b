"""The Jacobian of a system on a graph, entry by entry, where its equation allows it.

A right-hand side is mostly a formula in u, v and their derivatives at the same node. Then J is a
sum of the operators' matrices, each times a coefficient a node, and a few forward derivatives of
the formula give these coefficients: recorded once with the derivatives it asks for, it is played
again with each of them perturbed at all nodes at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from ..state import Time

if TYPE_CHECKING:
    from ..semidiscrete import Fields, SemiDiscrete

_MOST = 12  # derivatives that a formula may ask for: with each it is evaluated once more


@dataclass(frozen=True)
class Linearisation:
    """J of a system at a state, without Dirichlet nodes, whose rates are zero.

    Attributes:
        matrix: [2 n, 2 n] for n free nodes, u before v.
        growth: Rate that bounds the growth which the equation can have, None where nothing is
            known of it: with each field moved and spread by its own derivatives alone, solutions
            obey a maximum principle but for the reaction, whose largest row, the diagonal plus the
            moduli of the others, bounds them (Evans, Partial Differential Equations, 2010, section
            7.1.4; the logarithmic norm of Dahlquist, 1959). None, too, for diffusion below zero.
    """

    matrix: sp.csr_matrix
    growth: float | None


def linearise(system: SemiDiscrete, time: Time, fields: Fields) -> Linearisation | None:
    """Find J of a system from its formula, or None where it has none of the kind above.

    Whether a formula is of this kind is not looked at: compare a product with that of the system.

    Args:
        system: The system.
        time: Time of the fields.
        fields: u and v, each [N], with boundary data.

    Returns:
        The Jacobian, in 1 / time.
    """
    recorded = _Recorder(system.derivatives(time, fields))
    system.equation(time, fields[0], fields[1], recorded)
    if len(recorded.outputs) > _MOST:
        return None

    def formula(*values: Tensor) -> tuple[Tensor, ...]:
        player = _Player(system.operators, values[2:])
        rates = system.equation(time, values[0], values[1], player)
        return *player.inputs, *rates

    values = *fields, *recorded.outputs
    columns = [_derivatives(formula, values, i) for i in range(len(values))]
    free = (~system.operators.boundary_mask).cpu().numpy()
    return Linearisation(
        _assemble(system, recorded, columns, free), _growth(recorded, columns, fields, free)
    )


def _derivatives(formula: Any, values: Sequence[Tensor], i: int) -> list[np.ndarray]:
    """How each input of a derivative and each rate depends on value i at the same node."""
    tangents = tuple(
        torch.ones_like(v) if k == i else torch.zeros_like(v) for k, v in enumerate(values)
    )
    pushed = torch.func.jvp(formula, tuple(values), tangents)[1]
    return [p.detach().cpu().double().numpy() for p in pushed]


def _assemble(
    system: SemiDiscrete, recorded: _Recorder, columns: list[list[np.ndarray]], free: np.ndarray
) -> sp.csr_matrix:
    nodes = len(free)
    only = sp.diags(free.astype(float)).tocsr()
    none = sp.csr_matrix((nodes, nodes))
    jacobians = [sp.hstack([only, none]).tocsr(), sp.hstack([none, only]).tocsr()]
    matrices = {axis: _matrix(system, axis) for _, axis in recorded.calls}

    def chained(row: int) -> sp.csr_matrix:
        parts = [
            sp.diags(column[row]) @ jacobian
            for column, jacobian in zip(columns, jacobians, strict=False)
            if column[row].any()
        ]
        return sum(parts[1:], parts[0]) if parts else sp.csr_matrix((nodes, 2 * nodes))

    for row, axis in recorded.calls:
        jacobians.append(matrices[axis] @ chained(row))
    inputs = len(recorded.inputs)
    both = np.concatenate([free, free])
    return sp.vstack([chained(inputs), chained(inputs + 1)]).tocsr()[both][:, both]


def _matrix(system: SemiDiscrete, axis: int | None) -> sp.csr_matrix:
    return system.operators.to_scipy(axis).astype(np.float64)


def _growth(
    recorded: _Recorder, columns: list[list[np.ndarray]], fields: Fields, free: np.ndarray
) -> float | None:
    u, v = fields
    if not free.any() or not all(f is u or f is v for f in recorded.inputs):
        return None
    inputs = len(recorded.inputs)
    for (call, axis), column in zip(recorded.calls, columns[2:], strict=True):
        own = 0 if recorded.inputs[call] is u else 1
        if column[inputs + 1 - own].any():
            return None
        if axis is None and (column[inputs + own][free] < 0).any():
            return None  # what diffusion below zero makes grow has no bound
    rows = [columns[i][inputs + i] + np.abs(columns[1 - i][inputs + i]) for i in range(2)]
    return float(max(row[free].max() for row in rows))


class _Derivatives:
    """Stands in for the operators of a graph; whatever is not a derivative is theirs."""

    def __init__(self, operators: Any) -> None:
        self._operators = operators
        self.inputs: list[Tensor] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operators, name)


class _Recorder(_Derivatives):
    """Keeps what a formula differentiates, and the derivatives."""

    def __init__(self, operators: Any) -> None:
        super().__init__(operators)
        self.outputs: list[Tensor] = []
        self.calls: list[tuple[int, int | None]] = []  # number of the input, axis

    def laplacian(self, field: Tensor) -> Tensor:
        return self._keep(field, [None], [self._operators.laplacian(field)])[0]

    def gradient(self, field: Tensor) -> tuple[Tensor, ...]:
        parts = self._operators.gradient(field)
        return self._keep(field, range(len(parts)), parts)

    def _keep(self, field: Tensor, axes: Any, parts: Sequence[Tensor]) -> tuple[Tensor, ...]:
        self.calls += [(len(self.inputs), axis) for axis in axes]
        self.inputs.append(field)
        self.outputs += parts
        return tuple(parts)


class _Player(_Derivatives):
    """Hands given values out as derivatives, in the order of a record."""

    def __init__(self, operators: Any, outputs: Sequence[Tensor]) -> None:
        super().__init__(operators)
        self._outputs = iter(outputs)

    def laplacian(self, field: Tensor) -> Tensor:
        self.inputs.append(field)
        return next(self._outputs)

    def gradient(self, field: Tensor) -> tuple[Tensor, ...]:
        self.inputs.append(field)
        return tuple(next(self._outputs) for _ in range(self._operators.dimension))
