"""Where the nodes of a kind stand in a batch, as numbers that are found once."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from solvers.operators import GraphOperators


class NodePlaces(NamedTuple):
    """Numbers of nodes, int64, on the device of the batch.

    To select by a mask a device has to tell the host how many nodes that are, in each step again.

    Attributes:
        boundary: of the nodes whose values come from boundary data `[B]`.
        inner: of all others, which have a stencil of their own `[n]`; None where that is each node.
        lowest: for each axis, of the nodes that are lowest along it.
    """

    boundary: Tensor
    inner: Tensor | None
    lowest: list[Tensor]


_KEY = "node_places"


def node_places(operators: GraphOperators) -> NodePlaces:
    """Return the places of the nodes of a batch, kept with its operators.

    Args:
        operators: of the batch.

    Returns:
        The same object for the same operators.
    """
    places = operators.derived.get(_KEY)
    if places is None:
        places = operators.derived[_KEY] = _find(operators)
    return places


@torch.inference_mode(False)  # they are for trainings too
def _find(operators: GraphOperators) -> NodePlaces:
    boundary = operators.boundary_nodes
    inner = operators.free_nodes if len(boundary) else None
    lowest = [(x <= x.min()).nonzero().flatten() for x in operators.pos.unbind(dim=1)]
    return NodePlaces(boundary, inner, lowest)
