"""The trace of each term's neural tangent kernel, estimated on the graph of a training step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pinn_ext.adaptive_weights import AdaptiveLossWeights
from pinn_ext.measurements import processes
from pinn_ext.measurements.gradients import refuse_together
from pinn_ext.measurements.static_graph import first_pass_of_static_graph
from solvers.devices import read


def trace_of_kernel(
    residuals: Sequence[Tensor],
    names: Sequence[str],
    parameters: Sequence[Tensor],
    *,
    probes: int,
    generator: torch.Generator,
) -> list[float]:
    """Estimate `(1 / N) sum_p |d r_p / d theta|^2`, the trace per point of a term's tangent kernel.

    Hutchinson's estimate: with signs z, one backward pass gives `|J^T z|^2`, whose expectation is
    the trace of `K = J J^T`. Its variance is `2 (|K|_F^2 - sum_p K_pp^2)`, so that the relative
    standard deviation for n probes is at most `sqrt(2 / n) |K|_F / tr K`: 140 % over the square
    root of n at worst, where a single direction dominates.

    Processes that train together have some of the N residuals each. They draw the signs of all and
    add up their products, so that the estimate is that of one process which has all of them, in the
    order of the processes.

    Args:
        residuals: of each term, N numbers in any shape, with a graph.
        names: of the terms, for the message.
        parameters: the tensors to differentiate by.
        probes: how many vectors of signs.
        generator: of the signs, on the CPU.

    Returns:
        One number a term, the same on all processes of `torch.distributed`.

    Raises:
        ValueError: if a residual has no graph, or one that must not be differentiated yet, on any
            process.
    """
    fixed = [name for name, r in zip(names, residuals, strict=True) if not r.requires_grad]
    refuse_together(
        f"Each loss term must depend on the network for the tangent kernel, got {fixed[0]!r} "
        "without a gradient: give it weight 0."
        if fixed
        else first_pass_of_static_graph(residuals)
    )
    rank, _ = processes.rank_and_count()
    counts = processes.everyone([residual.numel() for residual in residuals])
    traces = []
    for residual, of_term in zip(residuals, zip(*counts, strict=True), strict=True):
        total, first = 0.0, sum(of_term[:rank])
        for _ in range(probes):
            drawn = torch.randint(0, 2, (sum(of_term),), generator=generator, device="cpu")
            own = drawn[first : first + residual.numel()].reshape(residual.shape)
            signs = (2 * own - 1).to(residual)
            parts = torch.autograd.grad(
                residual,
                parameters,
                signs,
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
            summed = processes.totals(parts)
            total += sum(read(*(part.double().square().sum() for part in summed)))
        traces.append(total / (probes * max(sum(of_term), 1)))
    return traces


def unit_traces(
    residuals: Sequence[Tensor],
    manager: AdaptiveLossWeights,
    parameters: Sequence[Tensor],
    generator: torch.Generator,
) -> list[float]:
    """Estimate the trace per point of each unit's tangent kernel, with the strategy's `probes`.

    Args:
        residuals: of every term `[n, ...]`, with a graph; those of weight 0 are not looked at.
        manager: of the weights, with its units.
        parameters: of the network; frozen ones are left out.
        generator: of the random signs, on the CPU.

    Returns:
        One number a unit, the same on all processes of `torch.distributed`.

    Raises:
        ValueError: if a residual has no graph, on any process.
    """
    active = sorted(i for unit in manager.units for i in unit.members)
    own = trace_of_kernel(
        [residuals[i] for i in active],
        [manager.loss_names[i] for i in active],
        [parameter for parameter in parameters if parameter.requires_grad],
        probes=manager.method.probes,
        generator=generator,
    )
    traces = dict(zip(active, own, strict=True))
    every = [traces.get(i, 0.0) for i in range(len(residuals))]
    return [unit.gather(every) for unit in manager.units]
