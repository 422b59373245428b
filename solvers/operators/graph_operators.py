"""Laplacian and gradient of node fields, with adjoint, matrices and fluxes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import scipy.sparse as sp
import torch
from torch import Tensor

from .edge_lists import edges_of, left_null_vector, matrix_of, transposed
from .fluxes import Fluxes, fluxes_of
from .graph_checks import REAL, edge_problem, mask_problem, warn_of
from .neighbour_tables import (
    SMALL,
    Entries,
    Layout,
    Pattern,
    Weights,
    apply,
    apply_with_adjoint,
    arrange,
    node_major,
)

_KEYS = ("pos", "edge_index", "edge_laplacian", "edge_gradient", "boundary_mask", "operator_order")


@dataclass(frozen=True, eq=False)
class GraphOperators:
    """Laplacian and gradient of node fields, as tables of neighbours.

    `(L u)_i = sum_j w_ij (u_j - u_i)`, so constants lie in the kernel exactly; the sums of a node
    are made in the order of its edges, so a batch gives the numbers of each graph alone, bit for
    bit. Slopes on a Neumann boundary count as 0 unless `SemiDiscrete` gets them. Large
    fields, and all on an accelerator, are differentiated by the tables of the transposed operator,
    so that gradients are the same each time. Build it by `from_graph`.

    Attributes:
        pattern: The neighbours of each node.
        laplacian_weights: In 1 / length^2.
        gradient_weights: One a space dimension, in 1 / length.
        pos: [N, d] node positions.
        boundary_mask: [N] bool, True at nodes whose values come from boundary data.
        order: Order of accuracy (the lowest of a batch).
        fluxes: Slopes given on Neumann boundaries, None without any.

    Example:
        >>> from solvers.operators import grid_graph
        >>> d = GraphOperators.from_graph(grid_graph([4], [0.0], [3.0], boundary="dirichlet"))
        >>> d.laplacian(d.pos[:, 0] ** 2).tolist(), d.gradient(d.pos[:, 0] ** 2)[0].tolist()
        ([0.0, 2.0, 2.0, 0.0], [0.0, 2.0, 4.0, 0.0])
        >>> d.num_nodes, d.dimension, d.num_edges, d.boundary_nodes.tolist(), d.free_nodes.tolist()
        (4, 1, 4, [0, 3], [1, 2])
        >>> matrix, ones = d.to_scipy(), torch.ones(4, dtype=torch.float64)
        >>> d.laplacian_adjoint(ones).tolist() == matrix.sum(axis=0).ravel().tolist()[0]
        True
        >>> d.gradient_adjoint([ones]).tolist(), d.adjoint.laplacian(ones).tolist()
        ([-0.5, -0.5, 0.5, 0.5], [1.0, -1.0, -1.0, 1.0])
        >>> d.to(dtype=torch.float32).node_major().pos.dtype
        torch.float32
    """

    pattern: Pattern
    laplacian_weights: Weights
    gradient_weights: tuple[Weights, ...]
    pos: Tensor
    boundary_mask: Tensor
    order: int
    fluxes: Fluxes | None = None
    # What is derived from the tables once it is asked for: the adjoint, the spectrum's reach.
    derived: dict[str, Any] = field(default_factory=dict, repr=False, init=False)

    @classmethod
    def from_graph(cls, graph: Any, *, check: bool = True) -> GraphOperators:
        """Build the operators of a graph or of a batch of graphs.

        Args:
            graph: torch-geometric Data or Batch with the attributes that `grid_graph` sets; those
                that begin with `flux_` may be missing.
            check: Warn (`GraphWarning`) of nodes without edges, of edges given twice, of a graph in
                several parts, and of one that was changed after its weights were made (flipped,
                scaled, cut, renumbered), as its fingerprint says; without one it is taken as it is.
                What cannot be computed with is refused in any case.

        Returns:
            Operators on the device and in the dtype of the graph's weights.

        Raises:
            ValueError: If an attribute is missing or misshapen, of another type than float32 or
                float64, or an edge is out of range or a self loop.
        """
        if missing := [key for key in _KEYS if key not in graph]:
            raise ValueError(f"`graph` must have {', '.join(_KEYS)}, got no {', '.join(missing)}.")
        values = graph.edge_laplacian, graph.edge_gradient
        problem = edge_problem(graph.edge_index, *values, graph.pos)
        if problem := problem or mask_problem(graph.boundary_mask, len(graph.pos)):
            raise ValueError(problem)
        source, target = graph.edge_index
        edges, laplacian, gradient = Entries.sort(source, target, len(graph.pos), *values)
        if check:
            warn_of(edges, graph)
        order = graph.operator_order
        layout = Layout(edges)
        return cls(
            layout.pattern,
            layout.weights(laplacian),
            tuple(layout.weights(column) for column in gradient.unbind(1)),
            graph.pos,
            graph.boundary_mask,
            # torch-geometric batches a plain int as one tensor entry per graph.
            int(order.min()) if isinstance(order, Tensor) else int(order),
            fluxes_of(graph),
        )

    @property
    def num_nodes(self) -> int:
        """Number of nodes N."""
        return self.pos.shape[0]

    @property
    def dimension(self) -> int:
        """Number of space dimensions d."""
        return self.pos.shape[1]

    @property
    def boundary_nodes(self) -> Tensor:
        """Numbers [m] of the nodes whose values come from boundary data; made once."""
        return self._numbers("boundary_nodes", self.boundary_mask)

    @property
    def free_nodes(self) -> Tensor:
        """Numbers [N - m] of the other nodes; made once."""
        return self._numbers("free_nodes", ~self.boundary_mask)

    def _numbers(self, name: str, mask: Tensor) -> Tensor:
        if name not in self.derived:
            with torch.inference_mode(False):  # they are for trainings too
                self.derived[name] = mask.nonzero().flatten()
        numbers: Tensor = self.derived[name]
        return numbers

    @property
    def num_edges(self) -> int:
        """Number of directed edges with a weight other than zero."""
        return int(self._edges()[0].source.numel())

    def laplacian(self, field: Tensor) -> Tensor:
        """Laplacian of a field.

        Args:
            field: [N], in the dtype of the operators.

        Returns:
            [N], in units of the field / length^2; 0 at Dirichlet boundary nodes.

        Raises:
            ValueError: If the field has another shape, dtype or device than the operators.
        """
        self._check(field)
        return self._apply(field, None)

    def gradient(self, field: Tensor) -> tuple[Tensor, ...]:
        """Gradient of a field.

        Args:
            field: [N], in the dtype of the operators.

        Returns:
            d tensors [N], in units of the field / length; 0 at Dirichlet boundary nodes.

        Raises:
            ValueError: If the field has another shape, dtype or device than the operators.
        """
        self._check(field)
        return tuple(self._apply(field, axis) for axis in range(self.dimension))

    def laplacian_adjoint(self, field: Tensor) -> Tensor:
        """Transpose of the Laplacian (without boundary values and fluxes), applied to a field [N].

        Returns:
            [N], such that `(laplacian_adjoint(a) * b).sum() == (a * laplacian(b)).sum()`.
        """
        self._check(field)
        return apply(field, self.adjoint.pattern, self.adjoint.laplacian_weights)

    def gradient_adjoint(self, components: Sequence[Tensor]) -> Tensor:
        """Transpose of the gradient, applied to a vector field of d components [N].

        Returns:
            [N], minus a divergence inside of the domain, times its weights in the sum.

        Raises:
            ValueError: If there are not d components or one is misshapen.
        """
        if len(components) != self.dimension:
            raise ValueError(
                f"`components` must be {self.dimension} fields, got {len(components)}."
            )
        parts = []
        for component, weights in zip(components, self.adjoint.gradient_weights, strict=True):
            self._check(component)
            parts.append(apply(component, self.adjoint.pattern, weights))
        return functools.reduce(torch.add, parts)

    def to_scipy(self, axis: int | None = None) -> sp.csr_matrix:
        """Matrix of the Laplacian, or of one component of the gradient.

        Args:
            axis: Component of the gradient; None is the Laplacian.

        Returns:
            [N, N] sparse matrix in the operators' float type.

        Raises:
            ValueError: If there is no such axis.
        """
        if axis is not None and not 0 <= axis < self.dimension:
            raise ValueError(f"`axis` must be None or 0 to {self.dimension - 1}, got {axis}.")
        edges, values = self._edges()
        return matrix_of(edges, values[:, 0 if axis is None else axis + 1])

    def mass_weights(self) -> Tensor:
        """Weights of the mean over the domain that diffusion keeps without flux, or periodic.

        They are the left null vector of the Laplacian: `(m * laplacian(u)).sum() == 0` for all u.

        Returns:
            [N], dimensionless, of sum 1.

        Raises:
            ValueError: If there are Dirichlet nodes or the graph is not in one piece, as no such
                mean is kept then, or not a single one.

        >>> from solvers.operators import grid_graph
        >>> GraphOperators.from_graph(grid_graph([4], [0.0], [1.0])).mass_weights().tolist()
        [0.25, 0.25, 0.25, 0.25]
        """
        if given := int(self.boundary_mask.sum()):
            raise ValueError(f"`graph` must have no Dirichlet nodes to keep a mean, got {given}.")
        mean = left_null_vector(self.to_scipy())
        return torch.from_numpy(mean).to(self.pos)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> GraphOperators:
        """Return a copy on a device and of a floating-point type, which indices do not take.

        Args:
            device: Target device; None keeps it.
            dtype: float32 or float64, of weights and positions; None keeps it.

        Raises:
            ValueError: If `dtype` is another type.
        """
        if dtype is not None and dtype not in REAL:
            raise ValueError(
                f"`dtype` must be a floating-point type, float32 or float64, got {dtype}."
            )

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, dtype if tensor.is_floating_point() else None)

        moved: GraphOperators = _mapped(self, move)
        same = moved.pos.device.type == self.pos.device.type
        return moved if same else moved._laid_out(arrange)

    def node_major(self) -> GraphOperators:
        """The same tables, laid out as compiled steps want them."""
        if self.pattern.neighbours.numel() > SMALL or self.pos.device.type != "cpu":
            return self  # these were laid out as they are best when they were made
        return self._laid_out(node_major)

    def _laid_out(self, layout: Callable[[Tensor], Tensor]) -> GraphOperators:
        def of_tables(tensor: Tensor) -> Tensor:
            return layout(tensor) if tensor.ndim == 2 else tensor

        return replace(
            self,
            pattern=_mapped(self.pattern, of_tables),
            laplacian_weights=_mapped(self.laplacian_weights, of_tables),
            gradient_weights=_mapped(self.gradient_weights, of_tables),
        )

    @property
    def adjoint(self) -> GraphOperators:
        """Operators whose tables are those of the transposed ones; made once."""
        if "adjoint" not in self.derived:
            self.derived["adjoint"] = self._transpose()
        return self.derived["adjoint"]

    def _transpose(self) -> GraphOperators:
        if self.pos.device.type != "cpu":
            # There sums are made in any order, and are not the same twice.
            return self.to("cpu")._transpose().to(self.pos.device)
        pattern, (laplacian, *gradient) = transposed(*self._edges())
        return replace(
            self, pattern=pattern, laplacian_weights=laplacian, gradient_weights=tuple(gradient)
        )

    def _apply(self, field: Tensor, axis: int | None) -> Tensor:
        weights = self.laplacian_weights if axis is None else self.gradient_weights[axis]
        compiling = torch.compiler.is_compiling()
        # An accelerator adds the gradients of gathers in any order: not the same twice.
        wanted = field.device.type != "cpu" or self.pattern.neighbours.numel() > SMALL
        wanted = compiling or wanted
        if not (wanted and field.requires_grad and torch.is_grad_enabled()):
            return apply(field, self.pattern, weights)
        # While it compiles, torch must not have to follow how the adjoint is made.
        adjoint = self.derived.get("adjoint") if compiling else self.adjoint
        if adjoint is None:
            return apply(field, self.pattern, weights)
        back = adjoint.laplacian_weights if axis is None else adjoint.gradient_weights[axis]
        return apply_with_adjoint(field, (self.pattern, weights), (adjoint.pattern, back))

    def _edges(self) -> tuple[Entries, Tensor]:
        """The edges with any weight; their weights [E, 1 + d], of the Laplacian first."""
        return edges_of(self.pattern, (self.laplacian_weights, *self.gradient_weights))

    def _check(self, field: Tensor) -> None:
        if field.shape != self.pos.shape[:1]:
            raise ValueError(
                f"`field` must have shape [{self.num_nodes}], got {list(field.shape)}."
            )
        if field.dtype != self.pos.dtype:
            raise ValueError(
                f"`field` must be {self.pos.dtype} like the operators (see `to`), "
                f"got {field.dtype}."
            )
        if field.device != self.pos.device:
            raise ValueError(
                f"`field` must be on {self.pos.device} like the operators (see `to`), "
                f"got {field.device}."
            )


def _mapped(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Apply a function to every tensor in nested tuples and dataclasses."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, tuple):
        return tuple(_mapped(v, function) for v in value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: _mapped(getattr(value, f.name), function) for f in fields(value) if f.init}
        return replace(value, **parts)
    return value
