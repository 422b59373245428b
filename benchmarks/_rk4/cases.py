"""The problem that `rk4.py` steps: Gray-Scott on a grid, a triangulation, or finite elements."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.spatial import Delaunay
from torch import Tensor
from torch_geometric.data import Data

from solvers import operators
from solvers.operators import GraphOperators

DTYPES = {"float64": torch.float64, "float32": torch.float32}
# Of the longest edge squared; thinner triangles lie on the hull, where they are rounding errors.
SLIVER = 1e-9


def rhs(u: Any, v: Any, d: Any) -> tuple[Any, Any]:
    """Return the rates of Gray and Scott's reaction, of torch's tensors or numpy's arrays."""
    uvv = u * v * v
    return (
        0.16 * d.laplacian(u) - uvv + 0.035 * (1.0 - u),
        0.08 * d.laplacian(v) + uvv - 0.095 * v,
    )


# The same for py-pde.
EXPRESSIONS = {
    "u": "0.16 * laplace(u) - u * v**2 + 0.035 * (1 - u)",
    "v": "0.08 * laplace(v) + u * v**2 - 0.095 * v",
}


@dataclass(frozen=True, eq=False)
class Case:
    """A graph with its state and step, in one floating-point type.

    Attributes:
        graph: "grid", "triangulation" or "finite_element".
        operators: Derivatives; the nodes are ordered for locality.
        matrix: [N, N] Laplacian of them, what the peers multiply by.
        state: [N, 2], where all start.
        cotangent: [N, 2], what the gradient of a step starts from.
        step: In units of time, far below the stability limit.
    """

    graph: str
    operators: GraphOperators
    matrix: sp.csr_matrix
    state: Tensor
    cotangent: Tensor
    step: float

    @classmethod
    def make(cls, name: str, graph: Data, dtype: str, device: torch.device) -> Case:
        """Return the case of a graph in float64 in main memory, on a device."""
        to = DTYPES[dtype]
        cast = graph.clone().apply(lambda t: t.to(to) if t.is_floating_point() else t)
        derivatives = GraphOperators.from_graph(cast, check=False)
        matrix = derivatives.to_scipy()
        if device.type != "cpu":
            derivatives = GraphOperators.from_graph(cast.to(device), check=False)
        generator = torch.Generator().manual_seed(0)
        noise = torch.rand(graph.num_nodes, 2, generator=generator, dtype=torch.float64)
        state = torch.stack([1.0 - 0.5 * noise[:, 0], 0.5 * noise[:, 1]], 1)
        cotangent = torch.randn(state.shape, generator=generator, dtype=torch.float64)
        # Gershgorin: no eigenvalue is larger than a row's sum, of which RK4 bears 2.6.
        reach = 0.16 * float(abs(matrix).sum(axis=1).max()) + 1.0
        start, end = (tensor.to(device, to) for tensor in (state, cotangent))
        return cls(name, derivatives, matrix, start, end, 0.2 / reach)

    @property
    def dtype(self) -> str:
        """Name of the floating-point type."""
        return str(self.state.dtype).removeprefix("torch.")

    @property
    def device(self) -> torch.device:
        """Where it lies, but for the matrix."""
        return self.state.device

    @property
    def nodes(self) -> int:
        """Number of nodes N."""
        return self.state.shape[0]

    @functools.cached_property
    def edges(self) -> int:
        """Number of directed edges E with a weight in the Laplacian."""
        return int(self.matrix.nnz - np.count_nonzero(self.matrix.diagonal()))

    @property
    def fixed(self) -> Tensor | None:
        """Mask [N] of the Dirichlet nodes, whose rates are 0; None if there are none."""
        mask = self.operators.boundary_mask
        return mask if bool(mask.any()) else None

    @property
    def roofline_bytes(self) -> float:
        """Bytes that a step must move at least: see `rk4.py`."""
        size, degree = self.state.element_size(), self.edges / self.nodes
        return self.nodes * (32 * size + 4 * ((4 + size) * degree + 4))


class _Known:
    """Gives `rhs` the Laplacian [N, 2] of a state whose columns it differentiates."""

    def __init__(self, u: Any, laplacian: Any) -> None:
        self._u, self._laplacian = u, laplacian

    def laplacian(self, field: Any) -> Any:
        return self._laplacian[:, 0 if field is self._u else 1]


def rates_of(apply: Callable[[Any], Any], fixed: Tensor | None, numpy: bool = False) -> Callable:
    """Rates [N, 2] of a state [N, 2], given its Laplacian."""

    def rates(state: Any) -> Any:
        u, v = state[:, 0], state[:, 1]
        parts = rhs(u, v, _Known(u, apply(state)))
        result = np.stack(parts, 1) if numpy else torch.stack(parts, 1)
        if fixed is None:
            return result
        if numpy:
            result[fixed.numpy()] = 0.0
            return result
        return result.masked_fill(fixed[:, None], 0.0)

    return rates


def rk4_step(rates: Callable, state: Any, h: float, plus: Callable[[Any, Any, float], Any]) -> Any:
    """One step of the classical method, with `plus(a, b, factor)` for `a + factor b`."""
    k = rates(state)
    result = plus(state, k, h / 6)
    for c, b in ((h / 2, h / 3), (h / 2, h / 3), (h, h / 6)):
        k = rates(plus(state, k, c))
        result = plus(result, k, b)
    return result


def grid(nodes: int) -> Data:
    """Periodic square with spacing 1, row by row."""
    side = round(math.sqrt(nodes))
    return operators.grid_graph([side, side], [0.0, 0.0], [float(side), float(side)])


@functools.lru_cache(maxsize=1)
def mesh(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Random points [N, 2] of mean spacing 1 in a square, and their Delaunay triangles [T, 3].

    The boundary's nodes are evenly spaced, the others uniformly random, half a spacing inside.
    """
    side = round(math.sqrt(nodes))
    line, zero = np.arange(side), np.zeros(side)
    along = [(line, zero), (zero + side, line), (side - line, zero + side), (zero, side - line)]
    rim = np.concatenate([np.stack(pair, 1) for pair in along])
    inner = np.random.default_rng(0).random((nodes - len(rim), 2))
    points = np.concatenate([rim, 0.5 + (side - 1.0) * inner])
    triangles = Delaunay(points).simplices.astype(np.int64)
    a, b, c = (points[triangles[:, k]] for k in range(3))
    area = 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    longest = np.max([np.sum(edge**2, axis=1) for edge in (b - a, c - b, a - c)], axis=0)
    triangles = triangles[area > SLIVER * longest]
    used = np.zeros(nodes, dtype=bool)
    used[triangles] = True
    if not used.all():
        raise RuntimeError(f"{(~used).sum()} nodes are in slivers only: take other points.")
    return points, triangles


def triangulation(nodes: int) -> Data:
    """Order-2 differences on a random triangulation; Dirichlet nodes keep their values."""
    return operators.reorder(operators.triangulation_graph(*mesh(nodes), order=2))


def finite_element(nodes: int) -> Data:
    """Linear elements on the same mesh: the first ring of neighbours."""
    return operators.reorder(operators.finite_element_graph(*mesh(nodes)))


GRAPHS: dict[str, Callable[[int], Data]] = {
    "grid": grid,
    "triangulation": triangulation,
    "finite_element": finite_element,
}
