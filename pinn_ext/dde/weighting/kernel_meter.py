"""Measures, inside of a training step, what strategies read beside the losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pinn_ext.adaptive_weights import AdaptiveLossWeights
from pinn_ext.dde.model.residual_rows import ModelRows
from pinn_ext.measurements import processes
from pinn_ext.measurements.gradients import (
    chosen_parameters,
    cosines,
    measure_gradients,
    unit_losses,
    unit_traces,
)
from pinn_ext.strategies import Gradients


class Meter:
    """Takes gradients and tangent kernels from the graph that a step has built.

    Args:
        where: parameters that gradients are taken of, see `term_gradients.chosen_parameters`.
        diagnose: whether lengths and angles of the gradients are kept at each measurement, also
            for strategies that do not ask for them.

    Attributes:
        gradients: of the last measurement, None where none was asked for.
        ntk: likewise, the traces per point of the units.
        diagnosis: likewise, `{"names": [k], "norms": [k], "cosines": [k][k]}` if `diagnose`.
        wants_residuals: whether the step under way has to hand over its residuals.
        needs_of_others: statistics to take at the end of a period beside those of the strategy.
    """

    def __init__(self, where: str | float = "all", diagnose: bool = False) -> None:
        chosen_parameters([torch.zeros(1, requires_grad=True)], where)  # refuses a bad one
        self.where, self.diagnose = where, diagnose
        self.generator = torch.Generator().manual_seed(0)
        self.needs_of_others: frozenset[str] = frozenset()
        self.clear()

    def clear(self) -> None:
        """Forget the last measurement; nothing is wanted any more."""
        self.gradients: Gradients | None = None
        self.ntk: list[float] | None = None
        self.diagnosis: dict[str, Any] | None = None
        self.wants_residuals = self._due = self._exact = False
        self._needs: frozenset[str] = frozenset()

    def prepare(self, manager: AdaptiveLossWeights | None, acts: bool) -> None:
        """Find out what the coming step, the last of a period, has to measure.

        Args:
            manager: of the weights.
            acts: whether the strategy will look at this period.
        """
        self.clear()
        if manager is None:
            return
        self._needs = (manager.needs if acts else frozenset()) | self.needs_of_others
        self._exact = "ntk" in self._needs and bool(getattr(manager.method, "exact", False))
        self.wants_residuals = "ntk" in self._needs and not self._exact
        self._due = bool(self._needs & {"gradients", "gradient_vectors", "ntk"}) or self.diagnose

    def take(
        self,
        manager: AdaptiveLossWeights | None,
        terms: Sequence[Tensor],
        residuals: Sequence[Tensor],
        parameters: Sequence[Tensor],
    ) -> None:
        """Measure what the present step was prepared for.

        Args:
            manager: of the weights.
            terms: raw loss of each term, with the graph of the step.
            residuals: of each term, if they were wanted.
            parameters: of the network.

        Raises:
            ValueError: if a term does not depend on the network, or has no residual of its own.
        """
        if not self._due or manager is None:
            return
        chosen = [parameters[i] for i in chosen_parameters(parameters, self.where)]
        if self.diagnose or self._needs & {"gradients", "gradient_vectors"}:
            names = [unit.name for unit in manager.units]
            vectors = self.diagnose or "gradient_vectors" in self._needs
            losses = unit_losses(terms, manager.units)
            if not self._needs & {"gradients", "gradient_vectors"}:
                # Nobody but the reader asks: a term that no parameter moves has gradient 0.
                losses = [t if t.requires_grad else t + 0.0 * chosen[0].sum() for t in losses]
            self.gradients = measure_gradients(losses, names, chosen, vectors=vectors)
        if self.diagnose and self.gradients is not None:
            self.diagnosis = {
                "names": names,
                "norms": self.gradients.norms,
                "cosines": cosines(self.gradients),
            }
        if self.wants_residuals:
            self.ntk = self._estimate(manager, terms, residuals, parameters)

    def _estimate(
        self,
        manager: AdaptiveLossWeights,
        terms: Sequence[Tensor],
        residuals: Sequence[Tensor],
        parameters: Sequence[Tensor],
    ) -> list[float]:
        """Return the estimated traces of the units, from the residuals of their terms."""
        if len(residuals) != len(terms):
            raise ValueError(
                f"Each of {len(terms)} loss terms must be the loss of one residual for the tangent "
                f"kernel, got {len(residuals)} residuals: choose a strategy that reads gradients."
            )
        return unit_traces(residuals, manager, parameters, self.generator)

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
        traces = processes.mean_of_numbers(_exact_traces(model))
        self.ntk = [unit.gather(traces) for unit in manager.units]

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the random signs."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.generator.set_state(state["generator"])


def _exact_traces(model: Any) -> list[float]:
    """Return the mean of `|d r / d theta|^2` of each term, theta the network's parameters."""
    rows = ModelRows(model)
    _, jacobian = rows.linearize(rows.get())
    trained = sum(p.numel() for p in model.net.parameters() if p.requires_grad)
    parts = rows.split(jacobian[:, :trained])
    return [
        torch.linalg.vector_norm(part, dtype=torch.float64).item() ** 2 / weight if weight else 0.0
        for part, weight in zip(parts, rows.weights, strict=True)
    ]
