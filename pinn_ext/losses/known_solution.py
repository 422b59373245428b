"""Fields that a network is compared with where they were computed or measured elsewhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.node_graphs import NodeGraph, semi_discrete
from pinn_ext.datasets.reference_files import ReferenceData
from pinn_ext.systems import System
from solvers.devices import on_cpu
from solvers.operators import GraphOperators
from solvers.rk4 import integrate

_TIMES = 20
"""Times at which a Runge-Kutta solution is kept, after the start."""
_SLACK = 1e-9  # of the final time, or of the box: files round


@dataclass(frozen=True, eq=False)
class KnownSolution:
    """Fields at positions and times, all float64 on the CPU, in the units of the system.

    Attributes:
        inputs: positions and times `[M, dimension + 1]`.
        fields: u and v `[M, 2]`.
        label: where they come from, in a few words.
        notes: what a user should know of them, a sentence each.
    """

    inputs: Tensor
    fields: Tensor
    label: str
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of inputs and fields, in their order."""
        own = hashlib.sha256(self.inputs.numpy().tobytes())
        own.update(self.fields.numpy().tobytes())
        return own.hexdigest()

    @property
    def last(self) -> tuple[Tensor, Tensor]:
        """Inputs and fields at the last time."""
        time = self.inputs[:, -1]
        latest = time >= time.max() * (1 - _SLACK)
        return self.inputs[latest], self.fields[latest]


def within(data: ReferenceData, system: System) -> KnownSolution:
    """Return what a file knows of a problem.

    Args:
        data: as read.
        system: gives domain and time interval.

    Returns:
        Its samples in the domain and the time interval; a note says how many lie outside.

    Raises:
        ArgumentError: if none is left, or the number of dimensions is another one.
    """
    if data.dimension != system.dimension:
        wanted = f"have {system.dimension} space dimensions, as {system.name}"
        raise ArgumentError("reference", wanted, f"{data.dimension} in {data.source}")
    x, t, fields = data.samples()
    inputs = torch.from_numpy(np.column_stack([x, t]))
    end, (in_time, in_space) = system.final_time, lie_in(system, x, t)
    if not in_time.any():
        times = f"{t.min():g} to {t.max():g} in {data.source}"
        raise ArgumentError("reference", f"have a time in [0, {end:g}]", times)
    inside = in_time & in_space
    if not inside.any():
        wanted = "have points in the domain"
        raise ArgumentError("reference", wanted, f"{extent(x)} in {data.source}")
    notes = list(data.notes)
    if left := int((~inside).sum()):
        notes.append(
            f"{left} of {len(inside)} samples of {data.source} lie outside of the domain or of "
            f"[0, {end:g}] in time and are left out."
        )
    kept = torch.from_numpy(inside).nonzero().flatten()
    return KnownSolution(inputs[kept], torch.from_numpy(fields)[kept], data.source, tuple(notes))


def between(known: KnownSolution, begin: float, end: float) -> KnownSolution:
    """Return the part of a solution that lies in a slab of time.

    Args:
        known: over all times.
        begin: time at which the slab starts; what is known there belongs to the former one.
        end: time at which it ends.

    Returns:
        Samples, perhaps none, with times from the start of the slab on.
    """
    times, slack = known.inputs[:, -1], _SLACK * end
    inside = (times <= end + slack) & ((times > begin + slack) | (begin == 0))
    inputs = known.inputs[inside]
    inputs[:, -1] -= begin
    return KnownSolution(inputs, known.fields[inside], known.label, known.notes)


def lie_in(system: System, x: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which samples lie in the time interval of a system, and which in its domain.

    Args:
        system: gives both.
        x: positions `[M, dimension]`.
        t: times `[M]`.

    Returns:
        Two masks `[M]`; the ends of both count as inside, up to rounding.
    """
    end = system.final_time
    in_time = (t >= -_SLACK * end) & (t <= end * (1 + _SLACK))
    points = torch.from_numpy(np.array(x, dtype=np.float64))
    return in_time, system.geometry.contains(points).numpy()


def extent(x: np.ndarray) -> str:
    """Return the box of positions `[M, dimension]` for a message."""
    ends = zip(x.min(axis=0), x.max(axis=0), strict=True)
    return " x ".join(f"[{low:g}, {high:g}]" for low, high in ends)


def by_runge_kutta(
    system: System, graph: NodeGraph, other: NodeGraph | None = None
) -> KnownSolution:
    """Solve a problem by Runge-Kutta steps on a graph, from its initial state to its final time.

    Args:
        system: the coupled system.
        graph: of its domain, see `pinn_ext.datasets.node_graphs.node_graph`.
        other: the same nodes with derivatives of another order, to estimate the error by; None
            leaves that out.

    Returns:
        The fields at all nodes, at the start and 20 later times.

    Raises:
        ArgumentError: if the solution does not stay finite.
    """
    with on_cpu(), torch.no_grad():
        fields = _integrated(system, graph)
        notes = ("The reference is the RK4 solver's own answer on the graph.",)
        if other is not None:
            difference = (_integrated(system, other) - fields)[-1]
            u, v = (difference.norm(dim=0) / fields[-1].norm(dim=0)).tolist()
            notes = (
                "The reference is the RK4 solver's own answer on the graph: at the end it differs "
                f"by {u:.1e} in u and {v:.1e} in v from that with derivatives of order "
                f"{other.operator_order}, and smaller errors than these say nothing.",
            )
    times = _times(system)
    x = graph.pos.double()
    inputs = torch.cat((x.repeat(len(times), 1), times.repeat_interleave(len(x))[:, None]), dim=1)
    return KnownSolution(inputs, fields.reshape(-1, 2), "RK4 on the graph", notes)


def _times(system: System) -> Tensor:
    return torch.linspace(0.0, system.final_time, _TIMES + 1, dtype=torch.float64, device="cpu")


def _integrated(system: System, graph: NodeGraph) -> Tensor:
    """Return the states `[21, N, 2]` on a graph."""
    equation = semi_discrete(system, GraphOperators.from_graph(graph, check=False))
    start = system.data(graph.pos, torch.zeros_like(graph.pos[:, 0]))
    end, times = system.final_time, _times(system).tolist()
    try:
        return integrate(equation, start, 0.0, end, end / _TIMES, save_at=times)
    except (FloatingPointError, ValueError) as error:  # not finite, or no step is stable
        raise ArgumentError("reference", "be solvable by RK4 on this graph", str(error)) from None
