"""What `train_physics` makes of a configuration with a family of problems, and of its graphs."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pinn_ext import schema
from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.families.batch import FamilyBatch, KnownStates, check_graph
from pinn_ext.datasets.families.family import Family
from pinn_ext.files import stamp
from pinn_ext.losses.families_from_config import family_of, family_step, step_loss
from pinn_ext.losses.step_loss import StepLoss
from pinn_ext.schema import Config
from solvers.devices import on_cpu

_LATE = 1e-9  # of the horizon: rounding of times


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
    has_known = getattr(batch, "y_times", None) is not None
    files = [cfg.problem.file or "", *cfg.dataset.family.domains]
    loss = _loss_of(json.dumps(parts, sort_keys=True), has_known, tuple(map(stamp, files)))
    times = _times(batch, loss.family)
    made = FamilyBatch.from_graphs(batch, loss.family, times, loss.step, device, dtype)
    if has_known:
        made = replace(made, known=_pairs(batch, made, loss.family))
    return loss, made


@functools.lru_cache(maxsize=8)
def _loss_of(text: str, known: bool, state: tuple[Any, ...]) -> StepLoss:
    """Return the loss of a configuration's parts, and of its files as they are now.

    A loop asks for the same one in every step.
    """
    seed, problem, dataset, loss = json.loads(text)
    parts = {"seed": seed, "problem": problem, "dataset": dataset, "training": {"loss": loss}}
    cfg = schema.from_dict(parts)
    family = family_of(cfg)
    return step_loss(cfg, family, family_step(cfg, family), use_data=known)


def _pairs(graphs: Any, batch: FamilyBatch, family: Family) -> KnownStates:
    """Return of each graph a state of its trajectory, drawn by torch, with the one after it."""
    count, states, times = len(batch.numbers), getattr(graphs, "y", None), graphs.y_times
    if states is None or states.ndim != 3 or states.shape != (len(batch.x), states.shape[1], 2):
        got = "none" if states is None else list(states.shape)
        raise ArgumentError("graph", f"have states y [{len(batch.x)}, K, 2] beside y_times", got)
    if times.shape != (count, states.shape[1]) or states.shape[1] < 2:
        wanted = f"have as many y_times as states y, [{count}, {states.shape[1]}], at least two"
        raise ArgumentError("graph", wanted, list(times.shape))
    gaps = times.diff(dim=1)
    if not (bool((gaps > 0).all()) and float(gaps.max()) <= family.horizon * (1.0 + _LATE)):
        wanted = f"have y_times that rise, by the horizon {family.horizon:g} at most"
        raise ArgumentError("graph", wanted, f"steps of {gaps.min():g} to {gaps.max():g}")
    if bad := int((~torch.isfinite(states)).sum()):
        raise ArgumentError("graph", "be finite in y", f"{bad} numbers that are not")
    with on_cpu():
        places = torch.randint(0, states.shape[1] - 1, (count,))
        each, nodes = torch.arange(count), torch.arange(len(states))
        tau, place = gaps[each, places], places[batch.batch.cpu()]
        state, later = (states[nodes, place + i].to(batch.x) for i in (0, 1))
    return KnownStates(batch.from_state(state).at(tau), later)


def _times(batch: Any, family: Family) -> Tensor:
    """Return the times that states are asked for at, one a graph `[G]`."""
    given = getattr(batch, "tau", None)
    if given is not None:
        return given
    owner = getattr(batch, "batch", None)
    count = 1 if owner is None else int(owner[-1]) + 1
    with on_cpu():
        return torch.rand(count, dtype=torch.float64) * family.horizon
