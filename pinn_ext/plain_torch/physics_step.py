"""One training step on graphs, for training loops without DeepXDE."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pinn_ext.adaptive_weights import AdaptiveLossWeights
from pinn_ext.checks import check_names, check_switch
from pinn_ext.choices import FAMILY
from pinn_ext.datasets import SnapshotBatch
from pinn_ext.files import stamp
from pinn_ext.losses.from_config import Description, describe, initial_weights
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.losses.row_points import row_points
from pinn_ext.losses.terms import LossTerms
from pinn_ext.networks import FieldNetwork
from pinn_ext.plain_torch.families import loss_and_batch
from pinn_ext.plain_torch.loss_aggregator import LossAggregator
from pinn_ext.schema import Config
from solvers.devices import read, with_index


def train_physics(
    batch: Any,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    device: torch.device | str,
    cfg: Config,
    rk4: bool = True,
    adaptive_weights: AdaptiveLossWeights | LossAggregator | None = None,
) -> tuple[float, dict[str, float]]:
    """Take one optimiser step on a batch of graphs, in a training loop of your own.

    With `cfg.dataset.name` `"family"` the batch holds problems to be stepped and `model` is called
    as `model(batch, tau)`, `tau` `[N]`, to the state `[N, 2]` that much later, where its batch is a
    `pinn_ext.datasets.families.FamilyBatch`. Otherwise it holds snapshots and `model` maps
    positions and times to fields.

    The loss terms and their weighted sum are those that `pinn_ext`'s DeepXDE path trains on. The
    weights of an `AdaptiveLossWeights` are read but never updated: call `adaptive_weights.update`
    once an epoch with the means of the raw losses. A `LossAggregator` counts each call as its next
    step and moves the weights itself; one that weighs points does so by node, and knows a node
    again in other batches by its position and time.

    Args:
        batch: torch-geometric batch of `pinn_ext.datasets.SnapshotGraphs`, or of `FamilyGraphs` or
            graphs of your own with operators and a state `x` `[n, 2]`; its `tau` `[G]`, a time a
            graph, is drawn by torch from the horizon where it has none.
        model: positions and times `[N, dimension + 1]` to fields `[N, 2]`, or as said above.
        optimizer: over the parameters of `model`.
        device: where model and batch are to lie.
        cfg: the configuration.
        rk4: False leaves the RK4 terms out.
        adaptive_weights: gives the weights by term name; None takes those in `cfg`. A
            `LossAggregator` must have exactly the terms that are trained on, and all IC and BC
            terms as `conditions` for strategies that tell them from equations.

    Returns:
        The weighted total and the raw loss of every term by name, before the step.

    Raises:
        ValueError: if the batch holds no such graphs, a term has no weight, or `model` was made for
            another problem than `cfg` or lies on another device.

    Example:
        >>> import torch
        >>> from pinn_ext import systems, train_physics
        >>> from pinn_ext.datasets import SnapshotGraphs
        >>> from pinn_ext.networks import FieldNetwork
        >>> from pinn_ext.schema import Config
        >>> from torch_geometric.data import Batch
        >>> system = systems.create("coupled_burgers")
        >>> graphs = SnapshotGraphs(system, num_graphs=2, nodes_per_side=8)
        >>> network = FieldNetwork(system, hidden=[8])
        >>> optimizer = torch.optim.Adam(network.parameters())
        >>> cfg = Config()
        >>> cfg.problem.name = "coupled_burgers"
        >>> batch = Batch.from_data_list(list(graphs))
        >>> total, losses = train_physics(batch, network, optimizer, "cpu", cfg)
        >>> list(losses), total > 0
        (['PI_loss1', 'PI_loss2', 'RK4_loss1', 'RK4_loss2'], True)
    """
    loss: LossTerms
    graphs: Any
    dtype = _check_device(model, device)
    check_switch("rk4", rk4)
    if cfg.dataset.name == FAMILY:
        loss, graphs = loss_and_batch(batch, cfg, rk4, device, dtype)
        _check_weights(loss, adaptive_weights)
    else:
        description = describe(cfg, rk4=rk4)
        loss = physics = _loss_of(description, tuple(map(stamp, description.problem.files)))
        _check_fit(physics, model, adaptive_weights)
        graphs = SnapshotBatch.from_graphs(batch, device, dtype)
        graphs.inputs.requires_grad_()
    model.train()
    rows = loss.residuals(model, graphs, loss.outputs(model, graphs))
    terms = [own.square().mean() for own in rows]
    if isinstance(adaptive_weights, LossAggregator):
        total = _aggregated(adaptive_weights, loss, graphs, rows, terms)
    else:
        values = _values(adaptive_weights, cfg, loss.names)
        total = weighted_total(terms, torch.tensor(values, dtype=dtype, device=device))
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    weighted, *raw = read(total, *terms)
    return weighted, dict(zip(loss.names, raw, strict=True))


@functools.lru_cache(maxsize=8)
def _loss_of(description: Description, state: tuple[Any, ...]) -> PhysicsLoss:
    """Return the loss of a description, and of its files as they are now.

    A loop asks for the same one in every step.
    """
    return description.build()


def weighted_total(losses: Sequence[Tensor], weights: Tensor) -> Tensor:
    """Return `sum_i w_i L_i` in DeepXDE's order of operations, so that results are bit-equal.

    Args:
        losses: `k` scalar tensors.
        weights: `[k]`.

    Returns:
        The scalar that is minimised.
    """
    stacked = torch.stack(list(losses))
    stacked *= weights
    return torch.sum(stacked)


def _values(weights: AdaptiveLossWeights | None, cfg: Config, names: Sequence[str]) -> list[float]:
    """Return the weight of each term."""
    if weights is None:
        return list(initial_weights(cfg, names).values())
    return [weights.get_weight(name) for name in names]


def _aggregated(
    aggregator: LossAggregator,
    loss: LossTerms,
    batch: Any,
    rows: Sequence[Tensor],
    terms: Sequence[Tensor],
) -> Tensor:
    """Return the total of an aggregator, which counts this as its next step."""
    residuals = dict(zip(loss.names, rows, strict=True))
    if aggregator.points is None:
        named = dict(zip(loss.names, terms, strict=True))
        return aggregator(named, aggregator.next_step, residuals)
    if isinstance(loss, PhysicsLoss):
        nodes = {name: row_points(loss, batch, i) for i, name in enumerate(loss.names)}
        times = {name: at[:, -1] for name, at in nodes.items()}
    else:  # a node of a problem is the same whatever the time that is drawn for it
        at = batch.row_points()
        nodes, times = dict.fromkeys(loss.names, at[:, :-1]), dict.fromkeys(loss.names, at[:, -1])
    return aggregator(residuals, aggregator.next_step, keys=nodes, times=times)


def _check_device(model: nn.Module, device: torch.device | str) -> torch.dtype:
    """Refuse a model on another device; return its float type."""
    parameter, wanted = next(model.parameters()), with_index(torch.device(device))
    if with_index(parameter.device) != wanted:
        raise ValueError(f"`model` must be on {wanted} like the batch, got {parameter.device}.")
    return parameter.dtype


def _check_fit(
    loss: PhysicsLoss, model: Any, weights: AdaptiveLossWeights | LossAggregator | None
) -> None:
    if isinstance(model, FieldNetwork):
        made_for = model.system.name, "soft" if model.hard is None else "hard"
        wanted = loss.system.name, loss.conditions
        if made_for != wanted:
            raise ValueError(
                f"`model` must be made for problem {wanted[0]} with {wanted[1]} conditions, as "
                f"`cfg` says, got one for {made_for[0]} with {made_for[1]} conditions."
            )
    _check_weights(loss, weights)


def _check_weights(loss: LossTerms, weights: AdaptiveLossWeights | LossAggregator | None) -> None:
    if isinstance(weights, LossAggregator):
        check_names("`adaptive_weights`", loss.names, weights.names)
    elif weights is not None:
        held = [name for name in weights.loss_names if name in loss.names]
        check_names("`adaptive_weights`", loss.names, held)
