"""Measures what strategies read beside the losses, in loops that hand over tensors by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pinn_ext.adaptive_weights import AdaptiveLossWeights
from pinn_ext.checks import check_names
from pinn_ext.measurements.gradients import (
    chosen_parameters,
    measure_gradients,
    unit_losses,
    unit_traces,
)
from pinn_ext.strategies import Gradients

_GRADIENTS = frozenset({"gradients", "gradient_vectors"})


class StatisticsMeter:
    """Takes gradients and tangent kernels from the graph of losses and residuals.

    Args:
        manager: of the weights; its `needs` say what is measured.
        parameters: of the network, or the network itself, None where nothing is measured.
        gradients_of: parameters that gradients are measured on, see
            `term_gradients.chosen_parameters`.

    Raises:
        ValueError: if the strategy reads gradients and there are no parameters, or wants an exact
            tangent kernel.
    """

    def __init__(
        self,
        manager: AdaptiveLossWeights,
        parameters: nn.Module | Iterable[Tensor] | None,
        gradients_of: str | float = "all",
    ) -> None:
        self._manager = manager
        self._reads_gradients = bool(manager.needs & _GRADIENTS)
        self._reads_kernel = "ntk" in manager.needs
        self._generator = torch.Generator().manual_seed(0)  # of the kernel's random signs
        self._parameters = _as_list(parameters)
        self._chosen: list[Tensor] = []
        chosen_parameters([torch.zeros(1, requires_grad=True)], gradients_of)  # refuses a bad one
        if self._reads_kernel and getattr(manager.method, "exact", False):
            raise ValueError(
                f"`options` must not ask {manager.strategy!r} for an exact tangent kernel outside "
                "the callback pinn_ext.AdaptiveWeights, which can write the model as rows."
            )
        if self._reads_gradients or self._reads_kernel:
            if not self._parameters:
                raise ValueError(
                    f"`parameters` must be the network or its parameters for strategy "
                    f"{manager.strategy!r}, which reads gradients, got none."
                )
            indices = chosen_parameters(self._parameters, gradients_of)
            self._chosen = [self._parameters[i] for i in indices]

    def gradients(self, losses: Mapping[str, Tensor]) -> Gradients | None:
        """Return the sums over each unit's gradient, None where the strategy reads none.

        Args:
            losses: raw loss of every term by name, scalars with a graph.

        Returns:
            Of the units of the manager, the means over the processes of `torch.distributed`.
        """
        if not self._reads_gradients:
            return None
        units = self._manager.units
        return measure_gradients(
            unit_losses([losses[name] for name in self._manager.loss_names], units),
            [unit.name for unit in units],
            self._chosen,
            vectors="gradient_vectors" in self._manager.needs,
        )

    def kernel(self, residuals: Mapping[str, Tensor] | None) -> list[float] | None:
        """Return the trace per point of each unit's tangent kernel, None where it is not read.

        Args:
            residuals: of every term `[n, ...]` by name, with a graph.

        Returns:
            One number a unit.

        Raises:
            ValueError: if the residuals are missing.
        """
        if not self._reads_kernel:
            return None
        manager = self._manager
        if residuals is None:
            raise ValueError(
                f"`residuals` must be given for strategy {manager.strategy!r}, which reads the "
                "tangent kernel, got none: aggregator(losses, step, residuals)."
            )
        check_names("`residuals`", manager.loss_names, residuals)
        ordered = [residuals[name] for name in manager.loss_names]
        return unit_traces(ordered, manager, self._parameters, self._generator)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the random signs, if there are any."""
        return {"generator": self._generator.get_state() if self._reads_kernel else None}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        if self._reads_kernel:
            # On the CPU, wherever `torch.load(map_location=...)` has put it.
            self._generator.set_state(state["generator"].cpu())


def _as_list(parameters: nn.Module | Iterable[Tensor] | None) -> list[Tensor]:
    if isinstance(parameters, nn.Module):
        return list(parameters.parameters())
    tensors = [] if parameters is None else list(parameters)
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise ValueError(
                f"`parameters` must be a module or tensors, got a {type(tensor).__name__}."
            )
    return tensors
