"""A float32 model that computes in float64 for the time of a training."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

import deepxde as dde
import numpy as np
import torch

from pinn_ext.dde.model.loss_terms import float_type, set_float

# Attributes of DeepXDE's data that hold points and what belongs to them; arrays, or tuples of them.
_ARRAYS = (
    *("train_x_all", "train_x_bc", "train_x", "train_y", "train_aux_vars"),
    *("test_x", "test_y", "test_aux_vars"),
)
_WIDE: weakref.WeakKeyDictionary[Any, list[tuple[Any, Any]]] = weakref.WeakKeyDictionary()

PRECISIONS = ("float64", "own")
"""What a training may compute in."""


@contextlib.contextmanager
def in_float64(model: Any) -> Iterator[None]:
    """Let a float32 model, and DeepXDE, compute in float64 inside.

    Network and external variables are the same objects, with other numbers. Afterwards they have
    the nearest float32 numbers. The data has its points in float64 meanwhile, as other arrays:
    DeepXDE keeps the values of conditions by their address, and so finds them anew.

    Args:
        model: a compiled DeepXDE model; one in float64 is left alone.

    Yields:
        Nothing.
    """
    if float_type() != "float32":
        yield
        return
    _convert(model, "float64")
    _widen(model.data)
    try:
        yield
    finally:
        _convert(model, "float32")
        _narrow(model.data)
        state = model.train_state
        for name in ("X_train", "y_train", "train_aux_vars", "X_test", "y_test", "test_aux_vars"):
            setattr(state, name, converted(getattr(state, name), "float32"))


def _convert(model: Any, name: str) -> None:
    set_float(name)
    model.net.to(dde.config.real(torch))
    for variable in model.external_trainable_variables:
        variable.data = variable.data.to(dde.config.real(torch))


def _widen(data: Any) -> None:
    """Give data arrays in float64, the same ones each time: their addresses must stay taken."""
    before = _WIDE.get(data, [])
    pairs: list[tuple[Any, Any]] = []
    for name in _ARRAYS:
        own = vars(data).get(name)
        if own is not None:
            known = next((wide for narrow, wide in [*before, *pairs] if narrow is own), None)
            wide = converted(own, "float64") if known is None else known
            pairs.append((own, wide))
            setattr(data, name, wide)
    _WIDE[data] = pairs


def _narrow(data: Any) -> None:
    """Give data its own arrays back, those that were drawn since in float32."""
    for name in _ARRAYS:
        present = vars(data).get(name)
        if present is not None:
            own = next((narrow for narrow, wide in _WIDE[data] if wide is present), None)
            setattr(data, name, converted(present, "float32") if own is None else own)


def converted(values: Any, name: str) -> Any:
    """Return arrays or tensors, or a tuple or list of them, in a float type; others as they are.

    Args:
        values: of a batch.
        name: `"float32"` or `"float64"`.

    Example:
        >>> converted((np.ones(2, np.float32), None, 3), "float64")
        (array([1., 1.]), None, 3)
    """
    if isinstance(values, (tuple, list)):
        kind = list if isinstance(values, list) else tuple
        return kind(converted(value, name) for value in values)
    if isinstance(values, np.ndarray) and np.issubdtype(values.dtype, np.floating):
        return values.astype(name, copy=False)
    if isinstance(values, torch.Tensor) and values.is_floating_point():
        return values.to(getattr(torch, name))
    return values
