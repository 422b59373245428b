"""A coupled system, discretised in space: the right-hand side of an ordinary system in time."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..paired_sums.operators import PairedOperators
from .state import Time, kind_of, require_shape, state_problem, time_problem

if TYPE_CHECKING:
    from ..operators import GraphOperators

__all__ = ["SemiDiscrete"]

Fields = tuple[Tensor, ...]


class SemiDiscrete:
    """Rates of change of the state `[N, 2]` of a two-field system on a graph.

    Dirichlet boundary nodes have rate zero; `constrain` puts the boundary data there, and the
    time-stepping functions call it at the time of every stage: the interior nodes then solve an
    ordinary system that depends on time, of which a Runge-Kutta method loses no order. Without
    `boundary`, these nodes keep the values they have.

    Args:
        rhs: `rhs(u, v, d) -> (du/dt, dv/dt)` with u, v [N]; d supplies `laplacian`, `gradient`. One
            with five arguments, `rhs(u, v, d, x, t)`, gets positions [N, d] and times [N] too.
        operators: Derivatives on the graph, passed to `rhs` as d.
        boundary: `boundary(x [m, d], t [m]) -> [m, 2]`, values of u, v at Dirichlet nodes.
        flux: `flux(x [m, d], n [m, d], t [m]) -> [m, 2]`, slopes of u, v along the outward normals
            n of the Neumann boundary, in units of the field / length; None is no flux. With it,
            `rhs` may differentiate u and v themselves but not other fields made from them.

    Raises:
        ValueError: If `flux` is given and the operators have no Neumann boundary.

    Example:
        >>> from solvers.operators import GraphOperators, grid_graph
        >>> d = GraphOperators.from_graph(grid_graph([3], [0.0], [2.0], boundary="dirichlet"))
        >>> heat = SemiDiscrete(
        ...     lambda u, v, d: (d.laplacian(u), v), d, lambda x, t: torch.stack([t, t], 1)
        ... )
        >>> state = heat.constrain(5.0, torch.ones(3, 2, dtype=torch.float64))
        >>> heat(5.0, state).tolist()
        [[0.0, 0.0], [8.0, 1.0], [0.0, 0.0]]
        >>> [part.tolist() for part in heat.rates(5.0, state.unbind(1))]  # as two columns
        [[0.0, 8.0, 0.0], [0.0, 1.0, 0.0]]
        >>> [part.tolist() for part in heat.impose(7.0, state.unbind(1))]
        [[7.0, 1.0, 7.0], [7.0, 1.0, 7.0]]
        >>> heat.problem(5.0, state), heat.problem(5.0, state[:2])
        (None, '`state` must have shape [3, 2], got [2, 2].')
        >>> heat.derivatives(5.0, state.unbind(1)) is d, heat.on(d).operators is d
        (True, True)
        >>> [part.tolist() for part in heat.equation(5.0, *state.unbind(1), d)]  # as `rhs` says
        [[0.0, 8.0, 0.0], [5.0, 1.0, 5.0]]
        >>> ends = GraphOperators.from_graph(grid_graph([3], [0.0], [2.0], boundary="neumann"))
        >>> warmed = SemiDiscrete(heat.rhs, ends, flux=lambda x, n, t: torch.stack([t, t], 1))
        >>> warmed.slopes(5.0, state).tolist(), warmed(5.0, state)[:, 0].tolist()
        ([[5.0, 5.0], [5.0, 5.0]], [-1.0, 8.0, -1.0])
    """

    def __init__(
        self,
        rhs: Callable[..., tuple[Tensor, Tensor]],
        operators: GraphOperators,
        boundary: Callable[[Tensor, Tensor], Tensor] | None = None,
        flux: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        """See the class."""
        if flux is not None and operators.fluxes is None:
            raise ValueError("`flux` must come with a Neumann boundary, got operators without one.")
        self.rhs = rhs
        self._takes_place = takes_place(rhs)
        self.operators = operators
        self.boundary = boundary
        self.flux = flux
        self._nodes = operators.boundary_nodes
        self._points = operators.pos[self._nodes]
        self._free = (~operators.boundary_mask).to(operators.pos.dtype)
        # Whether the derivatives of u and v are computed at once, see `solvers.paired_sums`.
        self.paired = False
        # Of the time-stepping functions: a compiled step for each method.
        self.compiled_steps: dict[Any, Any] = {}

    def __call__(self, time: Time, state: Tensor) -> Tensor:
        """Rates of change of the state.

        Args:
            time: Time, a number or [N]; the system depends on it by its fluxes, and where `rhs`
                asks for it.
            state: [N, 2], columns u and v.

        Returns:
            [N, 2], in units of the state / time; zero at Dirichlet boundary nodes.

        Raises:
            ValueError: If the state or what `rhs` returns has the wrong shape.
        """
        if problem := self.problem(time, state):
            raise ValueError(problem)
        return torch.stack(self.rates(time, (state[:, 0], state[:, 1])), 1)

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
        if problem := self.problem(time, state):
            raise ValueError(problem)
        fields = state[:, 0], state[:, 1]
        imposed = self.impose(time, fields)
        return state if imposed is fields else torch.stack(imposed, 1)

    def on(self, operators: GraphOperators, paired: bool = False) -> SemiDiscrete:
        """The same system with other operators, which differentiate both fields at once or not."""
        other = SemiDiscrete(self.rhs, operators, self.boundary, self.flux)
        other.paired = paired
        return other

    def rates(self, time: Time, fields: Fields) -> Fields:
        """As the call, on the columns (u, v), each [N], kept apart; `time` is not checked."""
        u, v = fields
        rates = two_rates(self.equation(time, u, v, self.derivatives(time, fields)), u)
        if not self._nodes.numel():
            return rates
        if torch.compiler.is_compiling():  # a choice would become a branch around the sums
            return tuple(rate * self._free for rate in rates)
        return tuple(rate.masked_fill(self.operators.boundary_mask, 0.0) for rate in rates)

    def equation(self, time: Time, u: Tensor, v: Tensor, d: Any) -> tuple[Tensor, Tensor]:
        """What `rhs` returns, which gets positions and times where it asks for them."""
        if not self._takes_place:
            return self.rhs(u, v, d)
        x = self.operators.pos
        if isinstance(time, Tensor):
            return self.rhs(u, v, d, x, time.expand(len(x)).to(x))
        return self.rhs(u, v, d, x, x.new_full(x.shape[:1], float(time)))

    def derivatives(self, time: Time, fields: Fields) -> GraphOperators:
        """What `rhs` gets as d: the operators, with the given slopes of u and v at a time."""
        operators: Any = PairedOperators(self.operators, fields) if self.paired else self.operators
        if self.flux is not None:
            operators = _WithFlux(self, operators, time, fields)
        return operators

    def impose(self, time: Time, fields: Fields) -> Fields:
        """As `constrain`, on the columns (u, v), each [N], kept apart."""
        count = self._nodes.numel()
        if self.boundary is None or not count:
            return fields
        values = self.boundary(self._points, self._times(time, self._nodes, fields[0]))
        require_shape("boundary", values, (count, 2))
        values = values.to(fields[0])
        return tuple(f.index_copy(0, self._nodes, values[:, i]) for i, f in enumerate(fields))

    def slopes(self, time: Time, like: Tensor) -> Tensor:
        """Given slopes [m, 2] of the Neumann boundary at a time."""
        fluxes = self.operators.fluxes
        if self.flux is None or fluxes is None:
            raise ValueError("`flux` must be given for the system to have slopes, got None.")
        points = self.operators.pos[fluxes.nodes]
        values = self.flux(points, fluxes.normals, self._times(time, fluxes.nodes, like))
        require_shape("flux", values, (len(points), 2))
        return values.to(like)

    def problem(self, time: Time, state: Tensor) -> str | None:
        """Say what is wrong with a time or a state, or None; the caller raises."""
        num_nodes, device = self.operators.num_nodes, self.operators.pos.device
        if state.shape[:1] != (num_nodes,):
            return f"`state` must have shape [{num_nodes}, 2], got {list(state.shape)}."
        if state.device != device:
            return f"`state` must be on {device} like the operators, got {state.device}."
        return state_problem(state) or time_problem(time, num_nodes)

    def _times(self, time: Time, nodes: Tensor, like: Tensor) -> Tensor:
        """One time for each of some nodes, in the positions' type."""
        if isinstance(time, Tensor):
            return time.expand(like.shape[0])[nodes].to(self._points)
        return self._points.new_full((nodes.numel(),), float(time))


def takes_place(rhs: Callable[..., Any]) -> bool:
    """Whether a right-hand side asks for positions and times; those with defaults do not count."""
    try:
        arguments = inspect.signature(rhs).parameters.values()
    except (TypeError, ValueError):  # Python cannot tell
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(own.kind in kinds and own.default is own.empty for own in arguments) == 5


def two_rates(values: Any, like: Tensor) -> Fields:
    """What a right-hand side returned; anything but two tensors [N] is refused in few words."""
    # A tensor is iterated over its rows: one of [N] would fall into as many numbers.
    rows = isinstance(values, Tensor) and values.shape != (2, *like.shape)
    if rows or not hasattr(values, "__iter__"):
        got = kind_of(values)
    else:
        parts = tuple(values)
        if len(parts) == 2 and all(isinstance(p, Tensor) and p.shape == like.shape for p in parts):
            return parts
        if len(parts) <= 4 and all(isinstance(part, Tensor) for part in parts):
            got = str([list(part.shape) for part in parts])
        else:
            got = f"{len(parts)} values, the first {kind_of(parts[0])}"
    raise ValueError(f"`rhs` must return two tensors {list(like.shape)}, got {got}.")


class _WithFlux:
    """The operators of a graph together with the slopes of u and v at one time."""

    def __init__(
        self, system: SemiDiscrete, operators: GraphOperators, time: Time, fields: Fields
    ) -> None:
        self._operators, self._fluxes = operators, system.operators.fluxes
        self._fields = fields
        self._slopes = system.slopes(time, fields[0]).unbind(1)

    def laplacian(self, field: Tensor) -> Tensor:
        """Laplacian [N] of u or v."""
        return self._fluxes.to_laplacian(  # type: ignore[union-attr]
            self._operators.laplacian(field), self._slope_of(field)
        )

    def gradient(self, field: Tensor) -> tuple[Tensor, ...]:
        """Gradient of u or v, d components [N]."""
        return self._fluxes.to_gradient(  # type: ignore[union-attr]
            self._operators.gradient(field), self._slope_of(field)
        )

    def _slope_of(self, field: Tensor) -> Tensor:
        for own, slope in zip(self._fields, self._slopes, strict=True):
            if field is own:
                return slope
        raise ValueError(
            "`rhs` must differentiate u and v themselves where `flux` is given, as it says nothing "
            "of other fields, got another field."
        )
