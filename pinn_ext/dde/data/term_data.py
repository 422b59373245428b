"""DeepXDE data whose losses are the loss terms of a problem."""

from __future__ import annotations

from typing import Any

import deepxde as dde
import torch
from torch import Tensor

from pinn_ext.dde.data.network_adapter import plain_network
from pinn_ext.dde.model.data_protocol import DescribedData
from pinn_ext.losses.terms import LossTerms


class TermData(dde.data.Data, DescribedData):
    """What data knows of itself by its loss terms.

    Args:
        loss: the loss terms.
    """

    loss: Any

    def __init__(self, loss: LossTerms) -> None:
        self.loss = loss

    def condition_terms(self) -> list[int]:
        """Return the indices of the terms that are conditions rather than equations."""
        return self.loss.condition_terms()

    def term_field_scales(self) -> list[float]:
        """Return the size of the field of each term, in the units of the root of its loss."""
        return self.loss.term_field_scales()

    def term_losses(self, batch: Any, outputs: Tensor, loss_fn: Any, model: Any) -> list[Tensor]:
        """Return what DeepXDE's loss function makes of each residual vector.

        Args:
            batch: where they are measured.
            outputs: of `model.net` at the batch.
            loss_fn: of zeros and residuals, or a list with one a term; what it returns is
                returned, so that `value - target` gives the residual vectors.
            model: a DeepXDE model.

        Returns:
            One tensor a term.

        Raises:
            ValueError: if there are not as many functions as terms.
        """
        residuals = self.loss.residuals(plain_network(model), batch, outputs)
        functions = loss_fn if isinstance(loss_fn, (list, tuple)) else [loss_fn] * len(residuals)
        if len(functions) != len(residuals):
            raise ValueError(
                f"`loss` must be one function or one for each of the {len(residuals)} terms "
                f"({', '.join(self.loss.names)}), got {len(functions)}."
            )
        return [f(torch.zeros_like(r), r) for f, r in zip(functions, residuals, strict=True)]
