"""Errors of a network on points that it was never trained on, in physical units."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from pinn_ext.datasets.collocation import sobol_points
from pinn_ext.networks.hard_conditions import HardConditions
from pinn_ext.systems import FIELDS, System

NUM_POINTS = 2048
_REFERENCE_TIMES = 64
_SEED = 20260711  # of the error points alone, so that all runs are measured on the same ones


class Evaluator:
    """Relative L2 errors of u and v on quasi-random points of the domain and the time interval.

    A reference costs most by the number of its times, so against one the points share some.

    Args:
        system: gives the domain and the exact solution, or a reference.
        device: where the points lie.
        dtype: floating-point type of the points.
    """

    def __init__(self, system: System, device: torch.device | str, dtype: torch.dtype) -> None:
        self.system = system
        points = sobol_points(system, NUM_POINTS, _SEED)
        if not system.has_exact:
            length = system.final_time / _REFERENCE_TIMES
            points[:, -1] = (points[:, -1] / length).ceil() * length
        self._points = points
        self.inputs = points.to(dtype).to(device)
        self.reference = system.solution(points[:, :-1], points[:, -1])

    def at(self, device: torch.device | str, dtype: torch.dtype) -> Evaluator:
        """Return the same elsewhere, or in another floating-point type.

        Args:
            device: where the points lie.
            dtype: floating-point type of the points.

        Returns:
            An evaluator on the same points, against the same solution.
        """
        other = copy.copy(self)
        other.inputs = self._points.to(dtype).to(device)
        return other

    def errors(self, network: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return the relative L2 error of each field.

        Args:
            network: positions and times `[N, dimension + 1]` to fields `[N, 2]`.

        Returns:
            `{"u": …, "v": …}`, dimensionless.
        """
        with torch.no_grad():
            outputs = network(self.inputs)
        return self._relative(outputs)

    def trivial(self, conditions: str) -> dict[str, float]:
        """Return the errors of outputs that need no training.

        Args:
            conditions: `"hard"`: the constrained expression around a zero network; `"soft"`: the
                best constant of each field.

        Returns:
            `{"u": …, "v": …}`, dimensionless.
        """
        if conditions == "hard":
            with torch.no_grad():
                return self._relative(HardConditions(self.system).data_part(self.inputs))
        return self._relative(self.reference.mean(dim=0).expand_as(self.reference))

    def _relative(self, outputs: Tensor) -> dict[str, float]:
        difference = outputs.detach().cpu().double() - self.reference
        ratio = difference.norm(dim=0) / self.reference.norm(dim=0)
        return dict(zip(FIELDS, ratio.tolist(), strict=True))
