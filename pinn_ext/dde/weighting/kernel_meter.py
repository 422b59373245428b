"""The meter of a DeepXDE training, which can measure tangent kernels without an estimate."""

from __future__ import annotations

from typing import Any

import torch

from pinn_ext.adaptive_weights import AdaptiveLossWeights
from pinn_ext.dde.model.residual_rows import ModelRows
from pinn_ext.measurements import processes
from pinn_ext.measurements.meter import Meter
from solvers.devices import read


class KernelMeter(Meter):
    """A `Meter` that writes the model as residual rows where a strategy wants exact kernels."""

    def clear(self) -> None:
        """Forget the last measurement; nothing is wanted any more."""
        super().clear()
        self._exact = False

    def prepare(self, manager: AdaptiveLossWeights | None, acts: bool) -> None:
        """Find out what the coming step, the last of a period, has to measure.

        Args:
            manager: of the weights.
            acts: whether the strategy will look at this period.
        """
        super().prepare(manager, acts)
        if manager is not None and self.wants_residuals and manager.method.exact:
            self._exact, self.wants_residuals = True, False

    def take_exact(self, manager: AdaptiveLossWeights | None, model: Any) -> None:
        """Measure the tangent kernels without an estimate, if that was asked for.

        This is done after the step, at the parameters that it has led to, and takes passes of its
        own: the whole Jacobian.

        Args:
            manager: of the weights.
            model: a compiled DeepXDE model whose terms are means of squares.

        Raises:
            ValueError: if its terms cannot be written as residuals.
        """
        if not self._exact or manager is None:
            return
        traces = processes.weighted_means(*_exact_traces(model))
        self.ntk = [unit.gather(traces) for unit in manager.units]


def _exact_traces(model: Any) -> tuple[list[float], list[int]]:
    """Return the mean of `|d r / d theta|^2` of each term, theta the network's parameters.

    Returns:
        The means, and over how many rows each of them is.
    """
    rows = ModelRows(model)
    _, jacobian = rows.linearize(rows.get())
    trained = sum(p.numel() for p in model.net.parameters() if p.requires_grad)
    parts = jacobian[: sum(rows.sizes), :trained].split(rows.sizes)
    norms = read(*(torch.linalg.vector_norm(part, dtype=torch.float64) for part in parts))
    means = [
        norm**2 / weight if weight else 0.0
        for norm, weight in zip(norms, rows.weights, strict=True)
    ]
    return means, list(rows.sizes)
