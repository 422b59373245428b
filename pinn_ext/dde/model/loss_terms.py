"""Names of the loss terms of a DeepXDE model, and its weights as a checked list."""

from __future__ import annotations

import contextlib
import io
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import deepxde as dde
import torch
from torch import Tensor

from pinn_ext.checks import check_fits


def equation_of(data: Any) -> dde.data.PDE | None:
    """Return the equation with its conditions that a model's data is, or holds; None for none."""
    # Operator learning holds the equation as its own data.
    equation = data if isinstance(data, dde.data.PDE) else getattr(data, "pde", None)
    return equation if isinstance(equation, dde.data.PDE) else None


def derive_names(data: Any, num_terms: int) -> list[str]:
    """Name the loss terms of a DeepXDE data object in their order.

    Args:
        data: the model's data.
        num_terms: how many losses it returns.

    Returns:
        `pde_1, pde_2, …`, then conditions by kind (`ic_1`, `dirichlet_1`, …); `data_1, …` for
        data without a differential equation.
    """
    kinds: list[str] = []
    equation = equation_of(data)
    if equation is not None:
        conditions = [_kind(bc) for bc in equation.bcs]
        kinds = ["pde"] * (num_terms - len(conditions)) + conditions
    if len(kinds) != num_terms:
        kinds = ["data"] * num_terms
    count: Counter[str] = Counter()
    names = []
    for kind in kinds:
        count[kind] += 1
        names.append(f"{kind}_{count[kind]}")
    return names


def _kind(condition: Any) -> str:
    """Turn a class name into a word: `PointSetBC` into `point_set`, `IC` into `ic`."""
    name = type(condition).__name__
    name = re.sub(r"(?<=.)BC$", "", name)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def float_type() -> str:
    """Return the name of DeepXDE's float type, such as `"float32"`."""
    return str(dde.config.real(torch)).removeprefix("torch.")


def set_float(dtype: str) -> None:
    """Set the float type of DeepXDE and torch, `"float32"` or `"float64"`."""
    with contextlib.redirect_stdout(io.StringIO()):  # DeepXDE prints the type it sets
        dde.config.set_default_float(dtype)


def weights_list(loss_weights: Any, num_terms: int, names: list[str]) -> list[float]:
    """Return a model's loss weights as plain numbers, ones if it has none.

    Args:
        loss_weights: `model.loss_weights` as the user or a callback left it.
        num_terms: how many losses the data returns.
        names: of the terms, for the message.

    Returns:
        One weight a term.

    Raises:
        ValueError: if there are not as many weights as terms, or one is no finite number >= 0, or
            beyond DeepXDE's float type.
    """
    if loss_weights is None:
        return [1.0] * num_terms
    terms = f"{num_terms} loss terms ({', '.join(names)})"
    try:
        weights = torch.as_tensor(loss_weights).detach().to("cpu", torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"`loss_weights` must be a list of one number for each of {terms}, "
            f"got {loss_weights!r}."
        ) from None
    if weights.ndim != 1 or len(weights) != num_terms:
        shape = f"{len(weights)} weights" if weights.ndim == 1 else f"shape {list(weights.shape)}"
        raise ValueError(f"`loss_weights` must hold one number for each of {terms}, got {shape}.")
    if isinstance(loss_weights, (list, tuple)):  # keep Python's numbers to the last digit
        values = [float(weight) for weight in loss_weights]
    else:
        values = weights.tolist()
    if not all(math.isfinite(value) and value >= 0 for value in values) or not any(values):
        raise ValueError(
            f"`loss_weights` must be finite, not negative and not all 0, got {values}."
        )
    for name, value in zip(names, values, strict=True):
        check_fits(f"loss_weights[{name!r}]", value, float_type())
    return values


def difference(target: Tensor, value: Tensor) -> Tensor:
    """Return residuals themselves, where DeepXDE's data classes ask for a loss function."""
    return value - target


def as_list(losses: Any) -> list[Tensor]:
    """Return what `data.losses` gave as a list, as it may be a bare tensor."""
    return losses if isinstance(losses, list) else [losses]


def trained_tensors(model: Any) -> list[Tensor]:
    """Return the tensors that training moves: of the network, then external variables."""
    return [*model.net.parameters(), *model.external_trainable_variables]


def flat_parameters(tensors: Sequence[Tensor]) -> Tensor:
    """Return parameters as one vector `[n]`, a copy."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def put_parameters(tensors: Sequence[Tensor], x: Tensor) -> None:
    """Give tensors the numbers of a vector `[n]`, in their own float type."""
    start = 0
    for tensor in tensors:
        part = x[start : start + tensor.numel()]
        # Through `data`, as a graph may outlive the change: who goes back in it puts x back.
        tensor.data.copy_(part.view_as(tensor))
        start += tensor.numel()
