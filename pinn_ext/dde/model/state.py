"""All that a training changes in a DeepXDE model, as a value that can be put back later."""

from __future__ import annotations

import copy
from typing import Any

import deepxde as dde
import torch

from pinn_ext import random_state
from pinn_ext.dde.model.data_protocol import described

# Attributes of `dde.data.PDE` that resampling replaces; it never writes into them.
_POINTS = ("train_x_all", "train_x_bc", "train_x", "train_y", "train_aux_vars", "num_bcs")
# Attributes of a condition that serves its points in batches, such as `dde.icbc.PointSetBC`.
_BATCHES = ("batch_sampler", "batch_indices")


def take(model: Any) -> dict[str, Any]:
    """Return a copy of a model's state between two steps.

    Args:
        model: a compiled DeepXDE model.

    Returns:
        Network, external variables, optimiser, scheduler of the learning rate, random numbers,
        points or batches, counters of resamplers.
    """
    scheduler = model.lr_scheduler
    return {
        "network": _copied(model.net.state_dict()),
        "variables": [v.detach().clone() for v in model.external_trainable_variables],
        "optimizer": _copied(model.opt.state_dict()),
        "scheduler": None if scheduler is None else _copied(scheduler.state_dict()),
        "random": random_state.get_state(),
        "data": data_state(model.data),
        "resamplers": [one.epochs_since_last_resample for one in _resamplers(model)],
    }


def put_back(model: Any, state: dict[str, Any]) -> None:
    """Give a model the state that `take` has returned; it may be put back again later.

    Args:
        model: the same model, or one that was compiled alike.
        state: is not changed, nor shared with the model.
    """
    model.net.load_state_dict(state["network"])
    with torch.no_grad():
        for variable, value in zip(
            model.external_trainable_variables, state["variables"], strict=True
        ):
            variable.copy_(value)
    model.opt.load_state_dict(_copied(state["optimizer"]))
    if model.lr_scheduler is not None and state["scheduler"] is not None:
        model.lr_scheduler.load_state_dict(_copied(state["scheduler"]))
    random_state.set_state(state["random"])
    put_data_back(model.data, state["data"])
    for resampler, count in zip(_resamplers(model), state["resamplers"], strict=False):
        resampler.epochs_since_last_resample = count


def without_points(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state as plain values: points of DeepXDE's own data are the user's to save."""
    data = state["data"]
    return {**state, "data": data if isinstance(data, int) else None}


def data_state(data: Any) -> Any:
    """Return what decides the coming batches of a model's data: a number if it counts them."""
    position = described(data).position()
    if position is not None:
        return position
    points = {key: vars(data)[key] for key in _POINTS if key in vars(data)}
    # The indices may be a view of what the sampler shuffles, and conditions may share a sampler.
    batches = [{key: getattr(bc, key) for key in _BATCHES} for bc in _in_batches(data)]
    return {**points, "batches": copy.deepcopy(batches)} if batches else points


def put_data_back(data: Any, state: Any) -> None:
    """Give data what `data_state` has returned, None for nothing."""
    if isinstance(state, int):
        described(data).go_to(state)
    elif state is not None:
        vars(data).update(points_of(state))
        batches = copy.deepcopy(state.get("batches", []))  # which may be put back again
        for bc, own in zip(_in_batches(data), batches, strict=True):
            vars(bc).update(own)


def points_of(state: Any) -> dict[str, Any]:
    """Return the points, without batches of observations, of what `data_state` has returned.

    Args:
        state: where it is no number.
    """
    return {key: value for key, value in state.items() if key in _POINTS}


def _in_batches(data: Any) -> list[Any]:
    """Return the conditions that compare points of theirs with values of the same indices."""
    bcs = getattr(data, "bcs", None) or []
    return [bc for bc in bcs if all(hasattr(bc, key) for key in _BATCHES)]


def _resamplers(model: Any) -> list[Any]:
    callbacks = model.callbacks.callbacks if model.callbacks else []
    return [one for one in callbacks if isinstance(one, dde.callbacks.PDEPointResampler)]


def _copied(value: Any) -> Any:
    """Return a copy whose tensors lead back to nothing."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return copy.deepcopy(value)
