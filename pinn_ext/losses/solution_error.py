"""Errors of a network on points that it was never trained on, in physical units."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor

from pinn_ext.datasets.collocation import sobol_points
from pinn_ext.losses.known_solution import KnownSolution
from pinn_ext.networks.hard_conditions import HardConditions
from pinn_ext.systems import FIELDS, System

NUM_POINTS = 2048
_REFERENCE_TIMES = 64
_MOST_SAMPLES = 8192
_SEED = 20260711  # of the error points alone, so that all runs are measured on the same ones


class Evaluator:
    """Relative L2 errors of u and v on points of the domain and the time interval.

    The points are quasi-random, or those of a solution that is known at samples alone (at most 8192
    of them, drawn once). A stored reference costs most by the number of its times, so against one
    the points share some. Where no solution is known, all errors are NaN.

    Args:
        system: gives the domain and the exact solution, or a reference.
        device: where the points lie.
        dtype: floating-point type of the points.
        against: what to compare with instead of the system's own solution; without samples, as a
            file may have none in a slab of time, nothing is known.

    Attributes:
        reference: u and v at the points `[M, 2]`, float64 on the CPU; None where not known.
        label: what they are, in a few words; empty where they are not known.
    """

    def __init__(
        self,
        system: System,
        device: torch.device | str,
        dtype: torch.dtype,
        against: KnownSolution | None = None,
    ) -> None:
        self.system = system
        self.reference: Tensor | None = None
        self.label = ""
        if against is not None and len(against.inputs):
            chosen = _chosen(len(against.inputs))
            points, self.reference = against.inputs[chosen], against.fields[chosen]
            self.label = against.label
        else:
            points = sobol_points(system, NUM_POINTS, _SEED)
            known = against is None and system.has_solution
            if known and not system.has_exact:
                length = system.final_time / _REFERENCE_TIMES
                points[:, -1] = (points[:, -1] / length).ceil() * length
            if known:
                self.reference = system.solution(points[:, :-1], points[:, -1])
                self.label = "exact solution" if system.has_exact else "stored reference"
        self._points = points
        self.inputs = points.to(dtype).to(device)

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
            `{"u": …, "v": …}`, dimensionless; NaN where no solution is known.
        """
        if self.reference is None:
            return dict.fromkeys(FIELDS, math.nan)
        with torch.no_grad():
            outputs = network(self.inputs)
        return _relative(outputs, self.reference)

    def trivial(self, conditions: str) -> dict[str, float]:
        """Return the errors of outputs that need no training.

        Args:
            conditions: `"hard"`: the constrained expression around a zero network; `"soft"`: the
                best constant of each field.

        Returns:
            `{"u": …, "v": …}`, dimensionless.
        """
        if self.reference is None:
            return dict.fromkeys(FIELDS, math.nan)
        if conditions == "hard":
            with torch.no_grad():
                trivial = HardConditions(self.system).data_part(self.inputs)
            return _relative(trivial, self.reference)
        return _relative(self.reference.mean(dim=0).expand_as(self.reference), self.reference)


def _chosen(count: int) -> Tensor:
    """Return the numbers of the samples to measure at."""
    if count <= _MOST_SAMPLES:
        return torch.arange(count, device="cpu")
    generator = torch.Generator(device="cpu").manual_seed(_SEED)
    return torch.randperm(count, generator=generator, device="cpu")[:_MOST_SAMPLES].sort().values


def _relative(outputs: Tensor, reference: Tensor) -> dict[str, float]:
    difference = outputs.detach().cpu().double() - reference
    ratio = difference.norm(dim=0) / reference.norm(dim=0)
    return dict(zip(FIELDS, ratio.tolist(), strict=True))
