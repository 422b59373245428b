"""What is measured in a step, and when: statistics that strategies read beside the losses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pinn_ext.adaptive_weights import AdaptiveLossWeights
from pinn_ext.checks import ArgumentError, check_list
from pinn_ext.measurements.alignment import SCORES, scores
from pinn_ext.measurements.gradients import (
    chosen_parameters,
    cosines,
    measure_gradients,
    unit_losses,
)
from pinn_ext.measurements.tangent_kernel import unit_traces
from pinn_ext.strategies import Gradients

GRADIENTS = frozenset({"gradients", "gradient_vectors"})
"""Statistics that take a backward pass a term."""

DIRECTIONS = "directions"
"""The gradients with their vectors, for one who can do without: a term that no parameter moves has
gradient 0 instead of being refused."""


class Meter:
    """Takes gradients and tangent kernels from the graph that a step has built.

    `prepare` says before a step what it has to measure, `take` measures it while the graph of the
    step is alive, and the attributes hold what was found until `clear`.

    Args:
        where: parameters that gradients are taken of, see `gradients.chosen_parameters`.
        diagnose: whether lengths and angles of the gradients are kept at each measurement, also
            for strategies that do not ask for them.

    Attributes:
        gradients: of the last measurement, None where none was asked for.
        ntk: likewise, the traces per point of the units.
        diagnosis: likewise, `{"names": [k], "norms": [k], "cosines": [k][k]}` if `diagnose`, and
            what `alignment.scores` makes of them and the weights in force.
        wants_residuals: whether the step under way has to hand over its residuals.
        needs_of_others: statistics to take at the end of a period beside those of the strategy.

    Raises:
        ValueError: if `where` or `diagnose` is out of range.
    """

    def __init__(self, where: str | float = "all", diagnose: bool = False) -> None:
        some = torch.zeros(1, requires_grad=True, device="cpu")
        chosen_parameters([some], where)  # refuses a bad one
        self.where, self.diagnose = where, diagnose
        # Of the kernel's random signs.
        self.generator = torch.Generator(device="cpu").manual_seed(0)
        self.needs_of_others: frozenset[str] = frozenset()
        self.clear()

    def clear(self) -> None:
        """Forget the last measurement; nothing is wanted any more."""
        self.gradients: Gradients | None = None
        self.ntk: list[float] | None = None
        self.diagnosis: dict[str, Any] | None = None
        self.wants_residuals = self._due = False
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
        self.wants_residuals = "ntk" in self._needs
        self._due = bool(self._needs & (GRADIENTS | {"ntk", DIRECTIONS})) or self.diagnose

    def take(
        self,
        manager: AdaptiveLossWeights | None,
        terms: Sequence[Tensor],
        residuals: Sequence[Tensor],
        parameters: Sequence[Tensor],
        *,
        beside: Sequence[Tensor] = (),
        last: Sequence[int] | None = None,
    ) -> None:
        """Measure what the present step was prepared for.

        Args:
            manager: of the weights.
            terms: raw loss of each term, with the graph of the step.
            residuals: of each term `[n, ...]`, if they were wanted.
            parameters: of the network.
            beside: what else is trained, such as unknown coefficients; gradients are always
                taken of it, while tangent kernels are the network's.
            last: indices of the last layer of each branch of the network, if they are known.

        Raises:
            ValueError: if a term does not depend on the network, or has no residual of its own.
        """
        if not self._due or manager is None:
            return
        if self.diagnose or self._needs & (GRADIENTS | {DIRECTIONS}):
            others = [tensor for tensor in beside if tensor.requires_grad]
            chosen = [parameters[i] for i in chosen_parameters(parameters, self.where, last=last)]
            self._take_gradients(manager, terms, [*chosen, *others])
        if self.wants_residuals:
            if len(residuals) != len(terms):
                raise ValueError(
                    f"Each of {len(terms)} loss terms must be the loss of one residual for the "
                    f"tangent kernel, got {len(residuals)} residuals: choose a strategy that reads "
                    "gradients."
                )
            self.ntk = unit_traces(residuals, manager, parameters, self.generator)

    def _take_gradients(
        self, manager: AdaptiveLossWeights, terms: Sequence[Tensor], chosen: Sequence[Tensor]
    ) -> None:
        names = [unit.name for unit in manager.units]
        losses = unit_losses(terms, manager.units)
        if not self._needs & GRADIENTS:
            # No strategy asks: a term that no parameter moves has gradient 0.
            losses = [t if t.requires_grad else t + 0.0 * chosen[0].sum() for t in losses]
        vectors = self.diagnose or bool(self._needs & {"gradient_vectors", DIRECTIONS})
        self.gradients = found = measure_gradients(losses, names, chosen, vectors=vectors)
        if self.diagnose:
            self.diagnosis = {"names": names, **compared(found, manager)}

    @property
    def scores(self) -> dict[str, float | None]:
        """What `alignment.scores` has said of the last measurement; empty without a diagnosis."""
        return {} if self.diagnosis is None else {key: self.diagnosis[key] for key in SCORES}

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the random signs."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        # On the CPU, wherever `torch.load(map_location=...)` has put it.
        self.generator.set_state(state["generator"].cpu())


def compared(gradients: Gradients, manager: AdaptiveLossWeights) -> dict[str, Any]:
    """Return lengths and angles of the gradients of raw terms, and what they say.

    Args:
        gradients: of the manager's units, with their vectors.
        manager: of the weights in force.

    Returns:
        `norms` `[k]`, `cosines` `[k][k]`, and what `alignment.scores` makes of them.
    """
    norms, angles = gradients.norms, cosines(gradients)
    weights = list(manager.get_weights().values())
    own = [unit.weight_in(weights) for unit in manager.units]
    return {"norms": norms, "cosines": angles, **scores(norms, angles, own)}


def check_generator(name: str, state: Any) -> None:
    """Refuse what is no saved state of a meter.

    Args:
        name: of the state, for the message.
        state: what is said to be one.

    Raises:
        ArgumentError: if it does not hold the state of a generator.
    """
    generator = state.get("generator") if isinstance(state, Mapping) else None
    if not isinstance(generator, Tensor) or generator.dtype != torch.uint8:
        raise ArgumentError(name, "hold the state of a generator", type(state).__name__)


def check_parameters(
    given: nn.Module | Iterable[Tensor] | None,
    manager: AdaptiveLossWeights,
    where: str | float = "all",
) -> list[Tensor]:
    """Return the parameters that a strategy's statistics are measured on.

    Args:
        given: a network, or its parameters, or None.
        manager: of the weights; its `needs` say what will be measured.
        where: which of them gradients are taken of, see `gradients.chosen_parameters`.

    Returns:
        The parameters, none where nothing is measured.

    Raises:
        ArgumentError: if these are no tensors.
        ValueError: if the strategy reads gradients and there are no parameters, or wants an exact
            tangent kernel.
    """
    if isinstance(given, nn.Module):
        given = given.parameters()
    if isinstance(given, Tensor):
        given = [given]
    wanted = "be a module or tensors"
    tensors = [] if given is None else check_list("parameters", given, wanted)
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise ArgumentError("parameters", wanted, f"a {type(tensor).__name__}")
    if "ntk" in manager.needs and manager.method.exact:
        raise ValueError(
            f"`options` must not ask {manager.strategy!r} for an exact tangent kernel outside "
            "the callback pinn_ext.AdaptiveWeights, which can write the model as rows."
        )
    if not manager.needs & (GRADIENTS | {"ntk"}):
        return tensors
    if not tensors:
        raise ValueError(
            f"`parameters` must be the network or its parameters for strategy "
            f"{manager.strategy!r}, which reads gradients, got none."
        )
    chosen_parameters(tensors, where)  # refuses a network without any to train
    return tensors
