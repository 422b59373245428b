"""The parts of a run, built from its configuration."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pinn_ext import schema
from pinn_ext.datasets import SnapshotGraphs
from pinn_ext.datasets.collocation import PointBatch, collocation_points
from pinn_ext.losses.physics_loss import WEIGHT_KEYS, PhysicsLoss, physics_loss
from pinn_ext.losses.solution_error import Evaluator
from pinn_ext.networks import FieldNetwork
from pinn_ext.reports.epoch_log import EpochLog

_VALIDATION_SEED = 7919  # far from the seeds of training times, which users count from 0
_POINT_SEED = 104729  # as far from one another for the points of successive draws


@dataclass
class Parts:
    """What a run is made of.

    Attributes:
        loss: the loss terms.
        network: on its device.
        data: the graphs as DeepXDE data.
        weights: the callback that moves, or keeps, the loss weights.
        initial: weight of each term at the start, by name.
        evaluator: measures errors.
        log: keeps and prints the epochs.
    """

    loss: PhysicsLoss
    network: FieldNetwork
    data: Any
    weights: Any
    initial: dict[str, float]
    evaluator: Evaluator
    log: EpochLog

    def session(self, *, after_epoch: Callable[[int], None], after_step: Callable[[], bool]) -> Any:
        """Return the `pinn_ext.dde.phases.Session` that trains these parts."""
        from pinn_ext.dde.phases import Session

        return Session(
            self.data,
            self.network,
            self.weights,
            list(self.initial.values()),
            after_epoch=after_epoch,
            after_step=after_step,
        )

    def points(self, cfg: Any) -> Any:
        """Return the `pinn_ext.dde.data.point_data.PointData` of the Gauss-Newton phase.

        Args:
            cfg: as for `build`.

        Returns:
            The points in float64, on the network's device.
        """
        from pinn_ext.dde.data.point_data import PointData

        settings = cfg.training.gauss_newton
        device = next(self.network.parameters()).device
        count = settings.points or 2 * sum(p.numel() for p in self.network.parameters())
        with_rk4 = cfg.training.loss.use_rk4 and settings.use_rk4

        def draw(draws: int) -> PointBatch:
            seed = cfg.seed + _POINT_SEED * (1 + draws)
            return collocation_points(
                self.loss.system, count, cfg.problem.conditions, seed, device, torch.float64
            )

        graphs = self.data.spread_batch(torch.float64) if with_rk4 else None
        return PointData(physics_loss(cfg, rk4=with_rk4), draw, graphs)


def gauss_newton_settings(cfg: Any) -> dict[str, Any]:
    """Return the arguments of `GaussNewtonTraining` that `training.gauss_newton` holds.

    Args:
        cfg: as for `build`.

    Returns:
        All of its values but those that are no argument of it.
    """
    settings, others = cfg.training.gauss_newton, ("iterations", "points", "use_rk4")
    keys = [key for key in schema.GaussNewton.__dataclass_fields__ if key not in others]
    return {key: getattr(settings, key) for key in keys}


def build(cfg: Any, folder: Path) -> Parts:
    """Build the parts of a run; sets torch's and DeepXDE's global device, float type and seeds.

    Args:
        cfg: a `pinn_ext.schema.Config` or an OmegaConf node of that schema.
        folder: of the run.

    Returns:
        The parts, nothing trained.
    """
    with contextlib.redirect_stderr(io.StringIO()):  # DeepXDE advertises its backends
        from pinn_ext.dde.phases import configure
    device = device_of(cfg.device)
    # None is the CPU without a mode that every call of torch would have to go through.
    torch.set_default_device(None if device.type == "cpu" else device)
    configure(cfg.dtype, cfg.seed)
    with torch.device("cpu"):  # random numbers that do not depend on the device
        loss = physics_loss(cfg)
        network = _network(cfg, loss).to(device)
        data = _data(cfg, loss, device)
        evaluator = Evaluator(loss.system, device, torch.get_default_dtype())
    initial = {name: getattr(cfg.training.loss, WEIGHT_KEYS[name]) for name in loss.names}
    log = EpochLog(folder, cfg.training, initial, loss, network, data.validation, evaluator)
    return Parts(loss, network, data, _weights(cfg, loss, data), initial, evaluator, log)


def _network(cfg: Any, loss: PhysicsLoss) -> FieldNetwork:
    return FieldNetwork(
        loss.system,
        list(cfg.network.hidden),
        activation=cfg.network.activation,
        conditions=cfg.problem.conditions,
        scaling=cfg.problem.scaling,
        scales=cfg.problem.scales,
        seed=cfg.seed,
    )


def _data(cfg: Any, loss: PhysicsLoss, device: torch.device) -> Any:
    from pinn_ext.dde.data.graph_data import GraphData

    def snapshots(count: int, seed: int) -> SnapshotGraphs:
        return SnapshotGraphs(
            loss.system,
            count,
            name=cfg.dataset.name,
            order=cfg.dataset.order,
            step=cfg.dataset.step,
            nodes_per_side=cfg.dataset.nodes_per_side,
            conditions=cfg.problem.conditions,
            seed=seed,
        )

    return GraphData(
        loss,
        snapshots(cfg.dataset.num_graphs, cfg.seed),
        snapshots(cfg.dataset.num_validation, cfg.seed + _VALIDATION_SEED),
        batch_size=cfg.dataset.batch_size,
        seed=cfg.seed,
        device=device,
    )


def _weights(cfg: Any, loss: PhysicsLoss, data: Any) -> Any:
    from pinn_ext.dde.callback import AdaptiveWeights

    adaptive = cfg.training.loss.adaptive
    return AdaptiveWeights(
        schema.strategy_of(adaptive),
        names=loss.names,
        period=data.batches_per_epoch,
        verbose=0,
        **schema.callback_settings(adaptive),
    )


def device_of(name: str) -> torch.device:
    """Return the device called `name`.

    Args:
        name: `auto` takes the GPU if there is one.

    Returns:
        The device.

    Raises:
        ValueError: if this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or (device.type == "cuda" and not _has_cuda(device)):
        raise ValueError(f"`device` must be auto, cpu or a GPU of this machine, got {name!r}.")
    return device


def _has_cuda(device: torch.device) -> bool:
    return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
