"""Gradients of loss terms, measured on the graph that a training step has built already."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pinn_ext.adaptive_weights.groups import Unit
from pinn_ext.checks import ArgumentError, check_number
from pinn_ext.choices import GRADIENTS_OF
from pinn_ext.measurements import processes
from pinn_ext.measurements.last_layers import of_list
from pinn_ext.measurements.static_graph import first_pass_of_static_graph
from pinn_ext.strategies import Gradients


def chosen_parameters(
    parameters: Sequence[Tensor],
    where: str | float,
    seed: int = 0,
    last: Sequence[int] | None = None,
) -> list[int]:
    """Return which parameter tensors gradients are measured on.

    Args:
        parameters: of the network, in their order.
        where: `"all"`; `"last_layer"`: the last weight matrix and what comes after it, unless
            `last` says more; or a number in (0, 1): a random part of the tensors, drawn once, the
            larger ones as likely as the smaller.
        seed: of that draw.
        last: indices of the last layer of each branch, None where that is not known.

    Returns:
        Indices of tensors that require gradients, at least one.

    Raises:
        ArgumentError: if `where` is none of these.
        ValueError: if nothing requires gradients.
    """
    trained = [i for i, parameter in enumerate(parameters) if parameter.requires_grad]
    if not trained:
        raise ValueError("The network must have parameters to train, got only frozen ones.")
    if where == "all":
        return trained
    if where == "last_layer":
        return list(last) if last else of_list(parameters, trained)
    if isinstance(where, str):
        wanted = f"be one of {', '.join(GRADIENTS_OF)}, or a part in (0, 1)"
        raise ArgumentError("gradients_of", wanted, repr(where))
    check_number("gradients_of", where, 0, 1, open_low=True, open_high=True)
    generator = torch.Generator(device="cpu").manual_seed(seed)
    count = max(1, round(where * len(trained)))
    order = torch.randperm(len(trained), generator=generator, device="cpu").tolist()
    return sorted(trained[i] for i in order[:count])


def unit_losses(losses: Sequence[Tensor], units: Sequence[Unit]) -> list[Tensor]:
    """Return the loss of each unit, one scalar tensor each, from those of the terms."""
    return [
        sum(
            (share * losses[i] for i, share in zip(unit.members, unit.shares, strict=True)),
            start=losses[0].new_zeros(()),
        )
        if len(unit.members) > 1
        else losses[unit.members[0]]
        for unit in units
    ]


def measure_gradients(
    losses: Sequence[Tensor],
    names: Sequence[str],
    parameters: Sequence[Tensor],
    *,
    vectors: bool = False,
) -> Gradients:
    """Return sums over the gradient of each loss; the graph stays for the step's own backward pass.

    Parameters that a loss does not depend on have a gradient of zero. Under
    `torch.distributed` the gradients are averaged over the processes.

    Args:
        losses: `k` scalar tensors with a graph.
        names: of the losses, for the message.
        parameters: the tensors to differentiate by.
        vectors: whether the gradients themselves are kept.

    Returns:
        The sums, in float64.

    Raises:
        ValueError: if a loss has no graph, or one that must not be differentiated yet, on any
            process.
    """
    fixed = [name for name, loss in zip(names, losses, strict=True) if not loss.requires_grad]
    refuse_together(
        f"Each loss term must depend on the network for a strategy that reads gradients, got "
        f"{fixed[0]!r} without a gradient: give it weight 0, or choose a strategy that reads "
        "losses only."
        if fixed
        else first_pass_of_static_graph(losses)
    )
    flat = [
        torch.cat(
            [
                part.reshape(-1)
                for part in torch.autograd.grad(
                    loss, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
                )
            ]
        ).double()
        for loss in losses
    ]
    stacked = processes.mean(torch.stack(flat))
    sizes = [parameter.numel() for parameter in parameters]
    parts = stacked.split(sizes, dim=1)
    absolute = [part.abs() for part in parts]
    totals, sums, squares, largest = torch.stack(
        [
            torch.stack([part.sum(1) for part in parts], 1),
            torch.stack([part.sum(1) for part in absolute], 1),
            torch.stack([part.square().sum(1) for part in parts], 1),
            torch.stack([part.amax(1) for part in absolute], 1),
        ]
    ).tolist()  # one transfer
    matrices = [parameter.ndim > 1 for parameter in parameters]
    kept = stacked if vectors else None
    return Gradients(totals, sums, squares, largest, sizes, matrices, kept)


def cosines(gradients: Gradients) -> list[list[float]]:
    """Return the cosine between the gradients of each two losses `[k][k]`, 0 beside a zero one.

    Args:
        gradients: with their vectors.

    Returns:
        A symmetric table of numbers in [-1, 1].
    """
    vectors = gradients.vectors
    lengths = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    units = vectors / lengths.clamp_min(torch.finfo(vectors.dtype).tiny)
    return (units @ units.T).clamp(-1.0, 1.0).tolist()


def refuse_together(fault: str | None) -> None:
    """Raise on every process if one has a fault: the others would wait for its gradients."""
    fault = processes.first_fault(fault)
    if fault is not None:
        raise ValueError(fault)
