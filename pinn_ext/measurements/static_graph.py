"""Whether gradients can be taken from the outputs of a `DistributedDataParallel`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from pinn_ext.measurements import processes


def first_pass_of_static_graph(tensors: Iterable[Tensor]) -> str | None:
    """Return why no gradient may be taken of tensors before their own backward pass.

    With `static_graph=True` the first backward pass through a network, whoever makes it, is the one
    in which torch adds up what the processes have in `.grad`: were it ours, which leaves `.grad`
    alone, the gradients of the step would stay those of each process, and the processes part.

    Args:
        tensors: with a graph.

    Returns:
        A sentence, None where gradients may be taken.
    """
    if not processes.is_running():
        return None
    for node in _nodes(tensors):
        network = getattr(node, "ddp_weakref", lambda: None)()
        begun = getattr(network, "_static_graph_delay_allreduce_enqueued", True)
        if getattr(network, "static_graph", False) and not begun:
            return (
                "`DistributedDataParallel(static_graph=True)` must have made a backward pass "
                "before a strategy reads gradients, got none: give warm_up=1, or leave "
                "`static_graph` False."
            )
    return None


def _nodes(tensors: Iterable[Tensor]) -> Iterable[Any]:
    """Yield the nodes of the graph behind tensors, each once."""
    stack = [tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None]
    seen = set(stack)
    while stack:
        node = stack.pop()
        yield node
        for child, _ in node.next_functions:
            if child is not None and child not in seen:
                seen.add(child)
                stack.append(child)
