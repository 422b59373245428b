"""A coupled system, discretised in space: the right-hand side of an ordinary system in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ._common import Time, state_problem, time_problem

if TYPE_CHECKING:
    from .operators import GraphOperators

__all__ = ["SemiDiscrete"]


class SemiDiscrete:
    """Rates of change of the state `[N, 2]` of a two-field system on a graph.

    Dirichlet boundary nodes have rate zero; `constrain` puts the boundary data there. Without
    `boundary`, these nodes keep the values they have.

    Args:
        rhs: `rhs(u, v, d) -> (du/dt, dv/dt)` with u, v [N]; d supplies `laplacian`, `gradient`.
        operators: Derivatives on the graph, passed to `rhs` as d.
        boundary: `boundary(x [m, d], t [m]) -> [m, 2]`, values of u, v at boundary nodes.

    Example:
        >>> from .operators import GraphOperators, grid_graph
        >>> d = GraphOperators.from_graph(grid_graph([3], [0.0], [2.0], boundary="dirichlet"))
        >>> heat = SemiDiscrete(
        ...     lambda u, v, d: (d.laplacian(u), v), d, lambda x, t: torch.stack([t, t], 1)
        ... )
        >>> state = heat.constrain(5.0, torch.ones(3, 2, dtype=torch.float64))
        >>> heat(5.0, state).tolist()
        [[0.0, 0.0], [8.0, 1.0], [0.0, 0.0]]
    """

    def __init__(
        self,
        rhs: Callable[[Tensor, Tensor, GraphOperators], tuple[Tensor, Tensor]],
        operators: GraphOperators,
        boundary: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        """See the class."""
        self.rhs = rhs
        self.operators = operators
        self.boundary = boundary
        self._nodes = operators.boundary_mask.nonzero().flatten()
        self._points = operators.pos[self._nodes]

    def __call__(self, time: Time, state: Tensor) -> Tensor:
        """Rates of change of the state.

        Args:
            time: Time, a number or [N]; the system itself does not depend on it.
            state: [N, 2], columns u and v.

        Returns:
            [N, 2], in units of the state / time; zero at Dirichlet boundary nodes.

        Raises:
            ValueError: If the state or what `rhs` returns has the wrong shape.
        """
        if problem := self._problem(time, state):
            raise ValueError(problem)
        rates = self.rhs(state[:, 0], state[:, 1], self.operators)
        shapes = [list(rate.shape) for rate in rates]
        if shapes != [[state.shape[0]]] * 2:
            raise ValueError(f"`rhs` must return two tensors [{state.shape[0]}], got {shapes}.")
        stacked = torch.stack(tuple(rates), 1)
        if not self._nodes.numel():
            return stacked
        return stacked.masked_fill(self.operators.boundary_mask[:, None], 0.0)

    def constrain(self, time: Time, state: Tensor) -> Tensor:
        """Put the boundary data at the boundary nodes.

        Args:
            time: Time, a number or [N].
            state: [N, 2], not modified.

        Returns:
            [N, 2]; `state` itself if there are no boundary nodes or no `boundary`.

        Raises:
            ValueError: If the state, the time or what `boundary` returns has the wrong shape.
        """
        if problem := self._problem(time, state):
            raise ValueError(problem)
        count = self._nodes.numel()
        if self.boundary is None or not count:
            return state
        if not isinstance(time, Tensor):
            times = self._points.new_full((count,), float(time))
        else:
            times = time.expand(state.shape[0])[self._nodes].to(self._points)
        values = self.boundary(self._points, times)
        if values.shape != (count, 2):
            raise ValueError(
                f"`boundary` must return shape [{count}, 2], got {list(values.shape)}."
            )
        return state.index_copy(0, self._nodes, values.to(state))

    def _problem(self, time: Time, state: Tensor) -> str | None:
        num_nodes = self.operators.num_nodes
        if state.shape[0] != num_nodes:
            return f"`state` must have shape [{num_nodes}, 2], got {list(state.shape)}."
        return state_problem(state) or time_problem(time, num_nodes)
