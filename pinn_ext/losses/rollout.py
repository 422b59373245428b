"""Roll-outs of a network that steps: it starts again from its own state, step after step."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError, check_number
from pinn_ext.datasets.families.batch import FamilyBatch
from pinn_ext.datasets.families.batches import FamilyBatches, references
from pinn_ext.datasets.families.graphs import FamilyGraphs
from pinn_ext.losses.step_loss import Stepper
from pinn_ext.systems import FIELDS
from solvers.devices import on_cpu

_TOGETHER = 32  # graphs that are stepped in one batch


def roll_out(network: Stepper, batch: FamilyBatch, horizon: float, steps: int) -> Tensor:
    """Return the states of a roll-out, without gradients.

    Args:
        network: as `FamilyBatch` says.
        batch: the graphs, with the state at the start.
        horizon: time of each step.
        steps: their number.

    Returns:
        `[steps + 1, N, 2]`, the start first.
    """
    check_number("steps", steps, 0, integer=True)
    states = [batch.x]
    with torch.no_grad():
        tau = batch.x.new_full((len(batch.x),), horizon)
        for _ in range(steps):
            batch = batch.from_state(network(batch, tau))
            states.append(batch.x)
    return torch.stack(states)


@dataclass(frozen=True, eq=False)
class Rollout:
    """A roll-out of several problems beside their reference, all float64 on the CPU.

    Attributes:
        times: `[steps + 1]`, from 0.
        states: of the network `[steps + 1, N, 2]`, problem after problem.
        reference: `[steps + 1, N, 2]`.
        positions: of the nodes `[N, dimension]`.
        sizes: nodes of each problem `[G]`.
        seconds: that the network took for all steps.
    """

    times: Tensor
    states: Tensor
    reference: Tensor
    positions: Tensor
    sizes: list[int]
    seconds: float

    def errors(self) -> Tensor:
        """Return the relative L2 error of each field at each time `[steps + 1, 2]`."""
        return relative(self.states, self.reference)

    def frozen(self) -> Tensor:
        """Return the same of the state at the start, the answer that needs no network."""
        return relative(self.reference[:1].expand_as(self.reference), self.reference)

    def means(self) -> tuple[Tensor, Tensor]:
        """Return the means of u and v over all nodes `[steps + 1, 2]`, and the reference's."""
        return self.states.mean(dim=1), self.reference.mean(dim=1)

    def each(self) -> Tensor:
        """Return the error of each field at the end, problem by problem `[G, 2]`."""
        parts = zip(
            self.states[-1].split(self.sizes), self.reference[-1].split(self.sizes), strict=True
        )
        return torch.stack([relative(own[None], known[None])[0] for own, known in parts])


def relative(states: Tensor, reference: Tensor) -> Tensor:
    """Return the relative L2 error of each field `[…, 2]` of states `[…, N, 2]`."""
    return (states - reference).norm(dim=-2) / reference.norm(dim=-2)


class RolloutErrors:
    """Relative L2 errors of u and v at the end of roll-outs, on problems with a reference.

    Args:
        graphs: of validation or test.
        step: length of the Runge-Kutta step of their batches, which roll-outs do not take.
        device: where the network steps.
        dtype: floating-point type that it steps in.

    Attributes:
        label: what is compared with, in a few words.

    Raises:
        ArgumentError: if the problems have no reference trajectories.
    """

    def __init__(
        self, graphs: FamilyGraphs, step: float, device: torch.device | str, dtype: torch.dtype
    ) -> None:
        self._graphs, self._step = graphs, step
        self.reference = references(graphs).transpose(0, 1).contiguous()
        places = [graphs[i].pos for i in range(len(graphs))]
        self._positions, self._sizes = torch.cat(places), list(map(len, places))
        self._set(device, dtype)
        family = graphs.family
        self.label = (
            f"scipy's DOP853 on {len(graphs)} unseen problems, after {family.steps} steps of "
            f"{family.horizon:g}"
        )

    def _set(self, device: torch.device | str, dtype: torch.dtype) -> None:
        self._batches = FamilyBatches(self._graphs, self._step, device, dtype)
        self._device = torch.device(device)

    def at(self, device: torch.device | str, dtype: torch.dtype) -> RolloutErrors:
        """Return the same on another device, or in another floating-point type."""
        other = copy.copy(self)
        other._set(device, dtype)
        return other

    def errors(self, network: Stepper) -> dict[str, float]:
        """Return the relative L2 error of each field at the end of the roll-out.

        Args:
            network: as `FamilyBatch` says.

        Returns:
            `{"u": …, "v": …}`, dimensionless; infinity or NaN where a roll-out has none.
        """
        return _by_field(self.rollout(network).errors()[-1])

    def trivial(self, conditions: str) -> dict[str, float]:
        """Return the errors of the state at the start: nothing has changed."""
        return _by_field(relative(self.reference[:1], self.reference[-1:])[0])

    def rollout(self, network: Stepper, steps: int | None = None) -> Rollout:
        """Return the roll-out of all problems beside their reference.

        Args:
            network: as `FamilyBatch` says.
            steps: as many as the reference has, or fewer; None takes all.

        Returns:
            The states.

        Raises:
            ArgumentError: if the reference is shorter.
        """
        most, horizon = len(self.reference) - 1, self._graphs.family.horizon
        steps = most if steps is None else steps
        if not 1 <= steps <= most:
            raise ArgumentError("steps", f"lie in [1, {most}], the length of the reference", steps)
        found, begin = [], time.perf_counter()
        for numbers in _chunks(len(self._graphs)):
            batch = self._batches.batch(numbers, torch.zeros(len(numbers), device="cpu"))
            found.append(roll_out(network, batch, horizon, steps).cpu().double())
        seconds = time.perf_counter() - begin
        with on_cpu():
            times = horizon * torch.arange(steps + 1, dtype=torch.float64)
        states, known = torch.cat(found, dim=1), self.reference[: steps + 1]
        return Rollout(times, states, known, self._positions, self._sizes, seconds)


def _chunks(count: int) -> list[Sequence[int]]:
    return [range(i, min(i + _TOGETHER, count)) for i in range(0, count, _TOGETHER)]


def _by_field(values: Tensor) -> dict[str, float]:
    return dict(zip(FIELDS, values.tolist(), strict=True))
