"""The spectrum of a graph's Laplacian: how far it reaches, and whether it has growing modes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .krylov import arnoldi, random_start

if TYPE_CHECKING:
    from ...operators import GraphOperators

# A spectrum reaches into the right half plane from this part of its radius on.
_ROUNDING = 1e-9
_DENSE = 512
_LONG_KRYLOV = 60
_POWER_ITERATIONS = 40


class UnstableOperatorError(ValueError):
    """The Laplacian or the linearised system has growing modes that belong to the grid.

    Example:
        >>> from solvers.operators import GraphOperators, grid_graph
        >>> from solvers.rk4 import SemiDiscrete, stable_step
        >>> graph = grid_graph([4, 4], [0.0, 0.0], [1.0, 1.0])
        >>> graph.edge_laplacian = -0.1 * graph.edge_laplacian  # heat that gathers
        >>> d = GraphOperators.from_graph(graph, check=False)
        >>> system = SemiDiscrete(lambda u, v, d: (d.laplacian(u), d.laplacian(v)), d)
        >>> stable_step(system, torch.rand(16, 2, dtype=torch.float64))
        Traceback (most recent call last):
            ...
        solvers.rk4.spectrum.laplacians.UnstableOperatorError: `operators` must have a Laplacian
        without growing modes, got an eigenvalue with real part 12.8 (spectral radius 12.8):
        give its nodes more neighbours or space them more evenly.
    """


def check_operators(operators: GraphOperators) -> None:
    """Refuse operators whose Laplacian has growing modes; the result is kept with them.

    Args:
        operators: Of a graph or a batch of graphs.

    Raises:
        UnstableOperatorError: With how far the spectrum reaches into the right half plane.
    """
    if "growth" not in operators.derived:
        operators.derived["growth"] = spectral_abscissa(operators)
    if (growth := operators.derived["growth"]) > 0:
        raise UnstableOperatorError(
            "`operators` must have a Laplacian without growing modes, got an eigenvalue with real "
            f"part {growth:.3g} (spectral radius {spectral_radius(operators):.3g}): give its nodes "
            "more neighbours or space them more evenly."
        )


def spectral_abscissa(operators: GraphOperators) -> float:
    """How far the spectrum of a Laplacian reaches into the right half plane.

    The continuous operator has no eigenvalue there. Non-negative weights prove that the discrete
    one has none (Gershgorin's circles); else up to 512 free nodes are decided by all eigenvalues,
    more by an Arnoldi iteration of 60 steps, which finds what stands out by more than about
    a thousandth of the spectral radius.

    Args:
        operators: Of a graph or a batch of graphs.

    Returns:
        Largest real part, in 1 / length^2; 0 if it is not positive beyond rounding.

    Example:
        >>> from solvers.operators import GraphOperators, grid_graph
        >>> spectral_abscissa(GraphOperators.from_graph(grid_graph([8], [0.0], [1.0])))
        0.0
    """
    weights = operators.laplacian_weights
    if not any(bool((w < 0).any()) for w in (weights.main, weights.long) if w is not None):
        return 0.0
    free = (~operators.boundary_mask).nonzero().flatten().cpu().numpy()
    matrix = operators.to_scipy().astype(np.float64)[free][:, free]
    if not len(free):
        return 0.0
    if len(free) <= _DENSE:
        values = np.linalg.eigvals(matrix.toarray())
        radius, rightmost = np.abs(values).max(), values.real.max()
    else:

        def apply(vector: Tensor) -> Tensor:
            return torch.from_numpy(matrix @ vector.numpy())

        found, _, residuals = arnoldi(apply, random_start(len(free)), _LONG_KRYLOV).pairs()
        radius = np.abs(found).max()
        # Of a non-normal operator, approximate eigenvalues may lie outside of the spectrum.
        rightmost = found.real[residuals < 0.1 * np.abs(found.real)].max(initial=0.0)
    scale = _ROUNDING if operators.pos.dtype == torch.float64 else 1e-5
    return float(rightmost) if rightmost > scale * radius else 0.0


def spectral_radius(operators: GraphOperators) -> float:
    """Largest modulus of an eigenvalue of the Laplacian, in 1 / length^2, by power iteration."""
    free = ~operators.boundary_mask
    vector = random_start(operators.num_nodes).to(operators.pos) * free
    size = 0.0
    for _ in range(_POWER_ITERATIONS):
        size = float(vector.norm())
        if not size:
            return 0.0
        vector = operators.laplacian(vector / size) * free
    return float(vector.norm())
