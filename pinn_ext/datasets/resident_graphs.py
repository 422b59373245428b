"""All snapshot graphs of a set where the training takes place, from which batches are picked."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data

from pinn_ext.datasets.data_parts import inputs_of
from pinn_ext.datasets.snapshots import DATA_PART, Later, SnapshotBatch, one_step_later
from pinn_ext.derivatives.precomputed import Precomputed
from pinn_ext.derivatives.taylor import Jet
from pinn_ext.networks.hard_conditions import (
    ConditionValues,
    HardConditions,
    PrecomputedConditions,
)
from solvers.devices import free_memory, is_out_of_memory, on_cpu

_CPU = torch.device("cpu")
_PART = 0.5  # of the memory that is free: the training needs some too
_ROWS = 65536  # computed at a time, so that what lies between takes little memory


class ResidentGraphs:
    """Snapshot graphs of one set of nodes, in the float type of a training and on its device.

    What is the same in each step is computed and moved there once: inputs, all of the constrained
    expression but the network, the inputs one Runge-Kutta step later. A batch is then picked by
    numbers that lie on the device, for which the host need not wait. Its values are those of
    `SnapshotBatch.from_graphs`, on the CPU bit for bit.

    Where a device has no room for all graphs they stay in main memory, and each batch is copied.

    Args:
        graphs: of one `SnapshotGraphs`, or some of them.
        device: where the batches are to lie.
        dtype: floating-point type; None takes torch's default.
        step: length of the Runge-Kutta step, None if none is taken.
        hard: the constrained expression, None for soft conditions.

    Attributes:
        device: where the batches lie.
        home: where the graphs lie: there, or in main memory.
        needed: bytes that all graphs take.
    """

    def __init__(
        self,
        graphs: Sequence[Data],
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
        *,
        step: float | None = None,
        hard: HardConditions | None = None,
    ) -> None:
        self._graphs, self._step = graphs, step
        self.device = self.home = torch.device(device)
        self._dtype = dtype or torch.get_default_dtype()
        self._templates: dict[int, SnapshotBatch] = {}
        self._stable_step = min(float(graph.stable_step) for graph in graphs)
        with on_cpu(), torch.no_grad():
            parts = self._computed(hard)
        self.needed = sum(part.nbytes for part in parts.values())
        self._parts = self._at_home(parts)

    def numbers(self, indices: Sequence[int]) -> Tensor:
        """Return numbers of graphs as `batch` takes them, without a wait where that can be."""
        numbers = torch.tensor(indices, dtype=torch.int64, device=_CPU)
        if self.home.type == "cpu":
            return numbers
        try:
            numbers = numbers.pin_memory()
        except RuntimeError:  # a device whose transfers know no such memory
            return numbers.to(self.home)
        return numbers.to(self.home, non_blocking=True)

    def batch(self, numbers: Tensor) -> SnapshotBatch:
        """Gather graphs into a batch.

        Args:
            numbers: of the graphs `[B]`, in their order in the batch; int64, at the graphs' home.

        Returns:
            The batch; batches of the same size share their operators.
        """
        template = self._template(len(numbers))
        pick = {key: self._picked(key, numbers) for key in self._parts}
        precomputed = later = None
        if "value" in pick:
            data = Jet(pick["value"], pick["first"], pick["laplacian"])
            bubble = Jet(pick["bubble"], pick["bubble_first"], pick["bubble_laplacian"])
            slope = data.first.permute(1, 2, 0)
            precomputed = PrecomputedConditions(data.value, slope, pick["hessian"], data, bubble)
        if self._step is not None:
            values = None
            if "later_bubble" in pick:
                values = ConditionValues(_data_later(pick), pick["later_bubble"])
            later = Later(self._step, pick["later"], values)
        return SnapshotBatch(
            inputs=pick["inputs"],
            operators=template.operators,
            grid=template.grid,
            stable_step=self._stable_step,
            precomputed=precomputed,
            later=later,
            kept=template.kept,
        )

    def _picked(self, key: str, numbers: Tensor) -> Tensor:
        axis = _graph_axis(key)
        return self._parts[key].index_select(axis, numbers).flatten(axis, axis + 1).to(self.device)

    def _template(self, count: int) -> SnapshotBatch:
        """Return a batch of that many graphs, whose nodes are those of any other."""
        if count not in self._templates:
            graphs = [self._graphs[i] for i in range(count)]
            batch = SnapshotBatch.from_graphs(graphs, self.device, self._dtype)
            self._templates[count] = batch
        return self._templates[count]

    def _computed(self, hard: HardConditions | None) -> dict[str, Tensor]:
        """Return what the graphs do not share, in main memory: `[G, n, …]`, see `_graph_axis`."""
        graphs = [self._graphs[i] for i in range(len(self._graphs))]
        inputs = torch.cat([inputs_of(graph.pos, graph.time) for graph in graphs]).to(self._dtype)
        parts = {"inputs": inputs}
        if self._step is not None:
            parts["later"] = one_step_later(inputs, self._step)
        if hard is not None and DATA_PART[0] in graphs[0]:
            known = [torch.cat([graph[key] for graph in graphs]) for key in DATA_PART]
            data = Precomputed(*known).to(_CPU, self._dtype)
            jet = data.jet()
            parts |= {"value": jet.value, "first": jet.first, "laplacian": jet.laplacian}
            parts["hessian"] = data.hessian
            bubbles = [hard.bubble_jet(rows) for rows in inputs.split(_ROWS)]
            parts["bubble"] = torch.cat([bubble.value for bubble in bubbles])
            parts["bubble_first"] = torch.cat([bubble.first for bubble in bubbles], dim=1)
            parts["bubble_laplacian"] = torch.cat([bubble.laplacian for bubble in bubbles])
            if self._step is not None:
                pieces = parts["later"].split(_ROWS)
                parts["later_bubble"] = torch.cat([hard.bubble(rows) for rows in pieces])[:, None]
                if self.device.type == "cpu":
                    terms = [hard.data_terms(rows) for rows in pieces]
                    parts["later_terms"] = torch.cat(terms, dim=1)
                else:
                    parts["later_value"] = torch.cat([hard.data_part(rows) for rows in pieces])
        shape = len(graphs), len(graphs[0].pos)
        return {
            key: part.unflatten(_graph_axis(key), shape).contiguous() for key, part in parts.items()
        }

    def _at_home(self, parts: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the parts on the device, or in main memory where there is no room for them."""
        free = free_memory(self.device)
        if free is None or self.needed <= _PART * free:
            try:
                return {key: part.to(self.device) for key, part in parts.items()}
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or self.device.type == "cpu":
                    raise
        self.home = _CPU
        return parts


def _graph_axis(key: str) -> int:
    """Return the axis of the graphs; that of directions, or of terms, comes before it."""
    return int(key.endswith(("first", "terms")))


def _data_later(pick: dict[str, Tensor]) -> Tensor:
    """Return the data part `[N, 2]` a step later.

    On the CPU the order in which its terms are added, and so the last bit of the sum, depends on
    where in a batch a row stands: it is made for each batch, as `SnapshotBatch.from_graphs` has it.
    """
    terms = pick.get("later_terms")
    return pick["later_value"] if terms is None else terms.sum(dim=0)
