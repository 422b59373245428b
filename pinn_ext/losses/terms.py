"""What every loss of the program has, and everything that measures the errors of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from pinn_ext.systems import System


class LossTerms(Protocol):
    """Loss terms of a coupled system on batches of one kind, which `Any` stands for."""

    names: list[str]
    conditions: str
    system: System

    @property
    def scales(self) -> Sequence[float]:
        """Units of u and v."""

    def condition_terms(self) -> list[int]:
        """Return the indices of the terms that are initial or boundary conditions."""

    def term_field_scales(self) -> list[float]:
        """Return the size of the field of each term, in the unit its residual is measured in."""

    def outputs(self, network: Any, batch: Any) -> Tensor:
        """Return the outputs of a network `[N, 2]` as the loss takes them best."""

    def residuals(self, network: Any, batch: Any, outputs: Tensor) -> list[Tensor]:
        """Return the residual vectors, one a term, in the order of `names`."""

    def values(self, network: Any, batch: Any) -> list[float]:
        """Return the raw loss terms of a network as plain numbers, outside of training."""

    def floor(self, batch: Any) -> Tensor | None:
        """Return the RK4 terms `[2]` that the exact solution scores; None where not known."""


class ErrorMeasure(Protocol):
    """Measures relative L2 errors of u and v on what a network was never trained on.

    Attributes:
        label: what is compared with, in a few words; empty where nothing is known.
    """

    label: str

    def at(self, device: torch.device | str, dtype: torch.dtype) -> Any:
        """Return the same on another device, or in another floating-point type."""

    def errors(self, network: Any) -> dict[str, float]:
        """Return the relative L2 error of each field, dimensionless."""

    def trivial(self, conditions: str) -> dict[str, float]:
        """Return the errors of an answer that needs no training."""
