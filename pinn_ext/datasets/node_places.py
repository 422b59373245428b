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
        with torch.inference_mode(False):  # they are for trainings too
            places = operators.derived[_KEY] = _find(operators.boundary_mask, operators.pos)
    return places


def _find(on_boundary: Tensor, pos: Tensor) -> NodePlaces:
    boundary = _numbers(on_boundary)
    inner = _numbers(~on_boundary) if len(boundary) else None
    return NodePlaces(boundary, inner, [_numbers(x <= x.min()) for x in pos.unbind(dim=1)])


def _numbers(mask: Tensor) -> Tensor:
    return mask.nonzero().flatten()
