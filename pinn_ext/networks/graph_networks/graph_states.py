"""What a network that steps reads of a batch of graphs."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class GraphStates(Protocol):
    """States on graphs, several graphs side by side as torch-geometric batches them.

    `pinn_ext.datasets.families.FamilyBatch` has all of it; a network of your own may read more.
    """

    @property
    def x(self) -> Tensor:
        """State at the start `[N, 2]`."""

    @property
    def edge_index(self) -> Tensor:
        """Edges `[2, E]`, from the source to the target."""

    @property
    def edge_attr(self) -> Tensor:
        """Relative position of the source and its distance `[E, dimension + 1]`, in spacings."""

    @property
    def boundary_mask(self) -> Tensor:
        """Where the state stays what it is `[N]`."""

    @property
    def batch(self) -> Tensor:
        """Number of the graph of each node `[N]`."""

    @property
    def parameters(self) -> Tensor:
        """Constants of the equation that vary, of each graph `[G, p]`, in [-1, 1]."""

    @property
    def rates(self) -> Tensor:
        """Rates of change of `x` by the equation `[N, 2]`."""
