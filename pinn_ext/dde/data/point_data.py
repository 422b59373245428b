"""Collocation points for the Gauss-Newton phase, as DeepXDE data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor

from pinn_ext.datasets import SnapshotBatch
from pinn_ext.datasets.collocation import PointBatch
from pinn_ext.dde.data.term_data import TermData
from pinn_ext.losses.physics_loss import PhysicsLoss


class PointData(TermData):
    """Serves one set of points to `dde.Model` until it is asked for another.

    Args:
        loss: the loss terms.
        draw: returns the points that belong to a seed.
        graphs: where the Runge-Kutta terms take their step, None if there are none.

    Attributes:
        draws: how often new points were drawn; they depend on nothing else.
    """

    def __init__(
        self,
        loss: PhysicsLoss,
        draw: Callable[[int], PointBatch],
        graphs: SnapshotBatch | None = None,
    ) -> None:
        super().__init__(loss)
        self._draw, self._graphs = draw, graphs
        self.draws = 0
        self.batch = self._points()

    def independent_blocks(self) -> int:
        """Return into how many parts without common nodes the rows of a Runge-Kutta term fall."""
        graphs = self._graphs
        return 1 if graphs is None else len(graphs.inputs) // len(graphs.grid)

    def resample_train_points(self, draws: int | None = None) -> None:
        """Draw other points.

        Args:
            draws: the number of the draw, None for the next.
        """
        self.draws = self.draws + 1 if draws is None else draws
        self.batch = self._points()

    def train_next_batch(self, batch_size: Any = None) -> tuple[Tensor, None, None]:
        """Return the inputs of the points; always the same tensor until new points are drawn."""
        return self.batch.inputs, None, None

    def test(self) -> tuple[Tensor, None, None]:
        """Return the same inputs."""
        return self.batch.inputs, None, None

    def losses_train(
        self,
        targets: Any,
        outputs: Tensor,
        loss_fn: Any,
        inputs: Tensor,
        model: Any,
        aux: Any = None,
    ) -> list[Tensor]:
        """Return one loss a term, or the residual vectors if `loss_fn` is their difference."""
        return self.term_losses(replace(self.batch, inputs=inputs), outputs, loss_fn, model)

    losses_test = losses_train

    def batch_at(self, inputs: Tensor) -> PointBatch | None:
        """Return the points if these are their very inputs."""
        return self.batch if inputs is self.batch.inputs else None

    def _points(self) -> PointBatch:
        return replace(self._draw(self.draws), graphs=self._graphs)
