"""Answers of numpy about points that a training asks about in each step, kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

_KEPT = 8  # sets of points: nodes, boundary nodes, and those of the last, smaller batch


class OncePerPoints:
    """A function of positions that is evaluated once for each set of them.

    Steps of a training come with the same points as new tensors, so they are known again by their
    coordinates. On an accelerator these have to be waited for.

    Args:
        function: positions `[N, d]`, float64, to numbers or truth values `[N]` or `[N, k]`.
    """

    def __init__(self, function: Callable[[np.ndarray], np.ndarray]) -> None:
        self._function = function
        self._kept: dict[tuple[tuple[int, ...], bytes], Tensor] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """Return the values at positions `[N, d]`, in their float type and on their device.

        They are constants: nothing leads back to the positions.
        """
        return _Constants.apply(x, self)

    def at(self, x: Tensor) -> Tensor:
        """Return the same where no transform of `torch.func` is at work."""
        points = np.ascontiguousarray(x.detach().to("cpu", torch.float64).numpy())
        key = points.shape, hashlib.blake2b(points.tobytes(), digest_size=16).digest()
        found = self._kept.get(key)
        if found is None:
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            with torch.inference_mode(False):  # they are for trainings too
                found = self._kept[key] = torch.from_numpy(np.array(self._function(points)))
        dtype = x.dtype if found.is_floating_point() else found.dtype
        return found.to(x.device, dtype, copy=True)


class _Constants(torch.autograd.Function):
    """Leads numpy around the transforms of `torch.func`, whose tensors it cannot read.

    The linearisation of a Runge-Kutta step differentiates forwards through boundary data.
    """

    @staticmethod
    def forward(x: Tensor, once: OncePerPoints) -> Tensor:
        """Return the values at positions."""
        return once.at(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Say that the values are constants."""
        ctx.mark_non_differentiable(output)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> None:
        """Return that of constants."""

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Return that of constants."""
        return None, None
