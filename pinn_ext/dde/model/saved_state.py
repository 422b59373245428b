"""A model's saved state, held against the model that is to take it up."""

from __future__ import annotations

from typing import Any

import torch

from pinn_ext import random_state
from pinn_ext.checks import ArgumentError, brief, check_mapping, check_number

_PARTS = ("network", "variables", "optimizer", "scheduler", "random", "data", "resamplers")


def check_model_state(name: str, state: Any, model: Any) -> None:
    """Refuse what `pinn_ext.dde.model.state.take` cannot have returned of a model.

    Args:
        name: of the state, for the message.
        state: what is said to be one, without points.
        model: compiled, of DeepXDE.

    Raises:
        ArgumentError: naming the part.
    """
    check_mapping(name, state, _PARTS)
    own = model.net.state_dict()
    check_mapping(f"{name}.network", state["network"], own)
    for key, tensor in own.items():
        check_tensor(f"{name}.network.{key}", state["network"][key], tensor)
    variables = list(model.external_trainable_variables)
    saved = state["variables"]
    if not isinstance(saved, list) or len(saved) != len(variables):
        raise ArgumentError(f"{name}.variables", f"be {len(variables)} tensors", brief(saved))
    for value, tensor in zip(saved, variables, strict=True):
        check_tensor(f"{name}.variables", value, tensor)
    check_mapping(f"{name}.optimizer", state["optimizer"], ("state", "param_groups"))
    if state["scheduler"] is not None:
        check_mapping(f"{name}.scheduler", state["scheduler"])
    try:
        random_state.check_state(state["random"])
    except Exception as error:
        got = brief(state["random"])
        raise ArgumentError(f"{name}.random", "be that of torch, numpy and random", got) from error
    if state["data"] is not None:
        check_number(f"{name}.data", state["data"], 0, integer=True)
    if not isinstance(state["resamplers"], list):
        raise ArgumentError(f"{name}.resamplers", "be a list", brief(state["resamplers"]))
    for count in state["resamplers"]:
        check_number(f"{name}.resamplers", count, 0, integer=True)


def check_tensor(name: str, value: Any, model: torch.Tensor) -> None:
    """Refuse what is no tensor of the shape and kind of another.

    Args:
        name: of the value, for the message.
        value: what is said to be one.
        model: the other.

    Raises:
        ArgumentError: if it is none.
    """
    fits = isinstance(value, torch.Tensor) and value.shape == model.shape
    if not fits or value.is_floating_point() != model.is_floating_point():
        got = list(value.shape) if isinstance(value, torch.Tensor) else brief(value)
        raise ArgumentError(name, f"be {model.dtype} {list(model.shape)}", got)
