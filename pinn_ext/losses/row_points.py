"""Which point each residual row of a coupled system belongs to."""

from __future__ import annotations

import torch
from torch import Tensor

from pinn_ext.datasets import SnapshotBatch
from pinn_ext.datasets.node_places import node_places
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.systems.boundary import MIXED


def row_points(loss: PhysicsLoss, batch: SnapshotBatch, term: int) -> Tensor:
    """Return the position and time that each row of a term belongs to.

    Args:
        loss: gives the terms.
        batch: of graphs, where their residuals are measured.
        term: index of the term.

    Returns:
        One point a row `[n, dimension + 1]`; the jumps along a periodic axis have each point twice,
        for values and slopes.
    """
    kind, at = loss.names[term][:2], batch.inputs.detach()
    if kind == "PI":
        return at
    if kind == "RK":  # boundary nodes have no stencil of their own
        inner = node_places(batch.operators).inner
        return at if inner is None else at[inner]
    if kind == "IC":
        return torch.cat((batch.initial, torch.zeros_like(batch.initial[:, :1])), dim=1)
    parts = [at[node_places(batch.operators).boundary]] * (not loss.system.periodic)
    if loss.system.boundary == MIXED:
        parts.append(batch.with_slopes()[0])
    if axes := loss.system.periodic_axes:
        sides = batch.lower_sides()
        parts += [side for axis in axes for side in (sides[axis], sides[axis])]
    return torch.cat(parts)
