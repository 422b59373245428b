"""What a coupled system is trained on: graphs of snapshots in time, and collocation points.

In comes a system (`pinn_ext.systems`) and how many nodes, snapshots or points there are to be, out
come batches that the loss terms (`pinn_ext.losses`) are measured on. `snapshots` has the data set
of torch-geometric graphs, one a time (`SnapshotGraphs`), and a batch of them (`SnapshotBatch`);
read it first. `node_graphs` places nodes on a geometry and builds the graph with its operators;
`collocation` draws points without a graph, for Gauss-Newton. Only this package imports
torch-geometric, through the data set's base class.
"""

from pinn_ext.datasets.snapshots import (
    SnapshotBatch,
    SnapshotGraphs,
    answer_with,
    epoch_order,
    stratified_times,
)

__all__ = ["SnapshotBatch", "SnapshotGraphs", "answer_with", "epoch_order", "stratified_times"]
