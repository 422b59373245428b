"""The last layer of each branch of a network, for gradients that are measured there alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

_PRODUCTS = ("mm", "conv", "linear", "compiled")
"""Parts of names of nodes that are layers, not weights."""


def of_list(parameters: Sequence[Tensor], trained: Sequence[int]) -> list[int]:
    """Return the last weight matrix and what comes after it, in a chain of layers.

    Args:
        parameters: in their order.
        trained: indices of those that require gradients, at least one.

    Returns:
        Indices, at least one; the last tensor where there is no matrix.
    """
    matrices = [i for i in trained if parameters[i].ndim > 1]
    first = matrices[-1] if matrices else trained[-1]
    return [i for i in trained if i >= first]


def of_outputs(outputs: Any, parameters: Sequence[Tensor]) -> list[int] | None:
    """Return the layers that no other layer stands between and the outputs of a network.

    The graph is walked from the outputs to the first weight matrix on each path: a network a field,
    or a common trunk with a head a field, has several.

    Args:
        outputs: of the network, with the graph of its forward pass.
        parameters: of the network.

    Returns:
        Indices, a matrix among them; None where the graph shows none.
    """
    if not isinstance(outputs, Tensor) or outputs.grad_fn is None:
        return None
    owner = {id(parameter): i for i, parameter in enumerate(parameters)}
    found: set[int] = set()
    seen = {outputs.grad_fn}
    stack = [outputs.grad_fn]
    while stack:
        node = stack.pop()
        if "Compiled" in node.name():  # one node for many layers
            return None
        children = [child for child, _ in node.next_functions if child is not None]
        own = [_weight(child, owner) for child in children]
        held = set().union(*own)
        found |= held
        if any(parameters[i].ndim > 1 for i in held):
            continue  # a layer: whatever feeds it comes earlier
        for child, weight in zip(children, own, strict=True):
            if not weight and child not in seen:
                seen.add(child)
                stack.append(child)
    return sorted(found) if any(parameters[i].ndim > 1 for i in found) else None


def _weight(node: Any, owner: dict[int, int]) -> set[int]:
    """Return the parameters that a node is made of and nothing else, none if there is more in it.

    A weight may be transposed, or normalised, but is no product of a matrix with something.
    """
    found: set[int] = set()
    stack = [node]
    while stack:
        node = stack.pop()
        parameter = owner.get(id(getattr(node, "variable", None)))
        children = [child for child, _ in node.next_functions if child is not None]
        if parameter is not None:
            found.add(parameter)
        elif not children or any(word in node.name().lower() for word in _PRODUCTS):
            return set()
        stack += children
    return found


def of_module(module: nn.Module, parameters: Sequence[Tensor]) -> list[int]:
    """Return the last layer of each network that a module consists of, where no outputs are known.

    Children that have several matrices each are networks side by side, but for those of
    `torch.nn.Sequential`, which follow one another; anything else is one chain.

    Args:
        module: the network.
        parameters: its parameters.

    Returns:
        Indices of tensors that require gradients, at least one.
    """
    place = {id(parameter): i for i, parameter in enumerate(parameters)}
    chosen: set[int] = set()
    for branch in _branches(module):
        own = sorted(place[id(p)] for p in branch.parameters() if p.requires_grad)
        if own:
            chosen.update(of_list(parameters, own))
    return sorted(chosen)


def _branches(module: nn.Module) -> list[nn.Module]:
    parts = [child for child in module.children() if _matrices(child)]
    if isinstance(module, nn.Sequential) and parts:
        return _branches(parts[-1])
    if len(parts) == 1 and _matrices(parts[0]) == _matrices(module):
        return _branches(parts[0])
    if parts and all(_matrices(part) > 1 for part in parts):
        return [branch for part in parts for branch in _branches(part)]
    return [module]


def _matrices(module: nn.Module) -> int:
    return sum(parameter.ndim > 1 and parameter.requires_grad for parameter in module.parameters())
