"""What a coupled system is trained on: graphs of snapshots in time, and collocation points.

In comes a system (`pinn_ext.systems`) and how many nodes, snapshots or points there are to be, out
come batches that the loss terms (`pinn_ext.losses`) are measured on. `snapshots` has the data set
of torch-geometric graphs, one a time (`SnapshotGraphs`), and a batch of them (`SnapshotBatch`);
read it first. `node_graphs` places nodes on a geometry and builds the graph with its operators;
`collocation` draws points without a graph, for Gauss-Newton. What other programs made is read by
`reference_files` (fields to compare with, or to start from: `initial_states`), `meshes` (domains)
and `point_files` (points to ask at); `outside_files` has what they refuse. `families`
has problems of another kind: many initial states of one equation, for networks that step.
"""

from __future__ import annotations

import warnings
from typing import Any

from pinn_ext.datasets.snapshots import (
    SnapshotBatch,
    SnapshotGraphs,
    epoch_order,
    outputs_of,
    stratified_times,
)

__all__ = ["SnapshotBatch", "SnapshotGraphs", "epoch_order", "outputs_of", "stratified_times"]


def __getattr__(name: str) -> Any:
    """Hand on `outputs_of` under its former name."""
    if name == "answer_with":
        warnings.warn("answer_with is now called outputs_of.", DeprecationWarning, stacklevel=2)
        return outputs_of
    raise AttributeError(f"module 'pinn_ext.datasets' has no attribute {name!r}")
