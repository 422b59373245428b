"""Vectors of numbers as users give them."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import torch
from torch import Tensor


def vector_like(x: Tensor, gradient: Any) -> Tensor:
    """Return a gradient as a tensor of floating-point numbers.

    Args:
        x: [n], where it was taken.
        gradient: [n], a tensor, an array or a list.

    Returns:
        [n], the tensor itself if it is one.

    Raises:
        ValueError: If it is none of these, or of another shape.
    """
    is_array = hasattr(gradient, "__array__") or isinstance(gradient, (list, tuple))
    if is_array and not isinstance(gradient, Tensor):
        with contextlib.suppress(TypeError, ValueError):
            gradient = torch.from_numpy(np.array(gradient, dtype=float)).to(x.device)
    if not isinstance(gradient, Tensor) or gradient.shape != x.shape:
        got = list(gradient.shape) if isinstance(gradient, Tensor) else repr(gradient)
        raise ValueError(f"The gradient must be a vector {list(x.shape)}, got {got}.")
    return gradient if gradient.is_floating_point() else gradient.to(torch.float64)
