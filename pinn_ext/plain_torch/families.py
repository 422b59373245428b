"""What `train_physics` makes of a configuration with a family of problems, and of its graphs."""

from __future__ import annotations

import functools
import json
from typing import Any

import torch
from torch import Tensor

from pinn_ext import schema
from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.families.batch import FamilyBatch, check_graph
from pinn_ext.datasets.families.family import Family
from pinn_ext.losses.families_from_config import family_of, family_step, step_loss
from pinn_ext.losses.step_loss import StepLoss
from pinn_ext.schema import Config
from solvers.devices import on_cpu


def loss_and_batch(
    batch: Any, cfg: Config, rk4: bool, device: torch.device | str, dtype: torch.dtype
) -> tuple[StepLoss, FamilyBatch]:
    """Return the loss terms, and a torch-geometric batch as they are measured on it.

    Args:
        batch: of `FamilyGraphs`, or of graphs of your own.
        cfg: the configuration, with `dataset.name` `"family"`.
        rk4: False leaves the RK4 terms out whatever the configuration says.
        device: where the batch is to lie.
        dtype: its floating-point type.

    Returns:
        Both, the first the same object for the same configuration.

    Raises:
        ArgumentError: if a graph cannot be used, or the length of the Runge-Kutta step is neither
            given nor known.
    """
    check_graph(batch)
    own = getattr(batch, "number", None) is None and cfg.dataset.family.step is None
    if own:
        wanted = "be given for graphs of your own, at most pinn_ext.datasets.families.longest_step"
        raise ArgumentError("dataset.family.step", wanted, "null")
    values = schema.as_dict(cfg)
    values["training"]["loss"]["use_rk4"] &= rk4
    parts = values["seed"], values["problem"], values["dataset"], values["training"]["loss"]
    loss = _loss_of(json.dumps(parts, sort_keys=True))
    times = _times(batch, loss.family)
    return loss, FamilyBatch.from_graphs(batch, loss.family, times, loss.step, device, dtype)


@functools.lru_cache(maxsize=8)
def _loss_of(text: str) -> StepLoss:
    """Return the loss of a configuration's parts; a loop asks for the same one in every step."""
    seed, problem, dataset, loss = json.loads(text)
    parts = {"seed": seed, "problem": problem, "dataset": dataset, "training": {"loss": loss}}
    cfg = schema.from_dict(parts)
    family = family_of(cfg)
    return step_loss(cfg, family, family_step(cfg, family))


def _times(batch: Any, family: Family) -> Tensor:
    """Return the times that states are asked for at, one a graph `[G]`."""
    given = getattr(batch, "tau", None)
    if given is not None:
        return given
    owner = getattr(batch, "batch", None)
    count = 1 if owner is None else int(owner[-1]) + 1
    with on_cpu():
        return torch.rand(count, dtype=torch.float64) * family.horizon
