"""The problems of a family as DeepXDE data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from pinn_ext.datasets.families.batch import FamilyBatch
from pinn_ext.datasets.families.batches import FamilyBatches
from pinn_ext.datasets.known_trajectories import Trajectories
from pinn_ext.dde.data.data_parallel import global_means, share
from pinn_ext.dde.data.mini_batches import MiniBatches
from pinn_ext.losses.rollout import roll_out
from pinn_ext.losses.step_loss import StepLoss

_VALIDATION_SEED = 7919  # far from the steps of a training, which are counted from 0
_MOST_APART = 0.25  # of the range of a field at the start, beyond which a roll-out has left it
_RAMP = 2  # epochs for each further step of the roll-outs that are trained from


class FamilyData(MiniBatches):
    """Mini-batches of problems, each asked for at a random time within the horizon.

    A batch follows from the number of its step, and where training starts from the network's own
    roll-outs, from the network then: a resumed run sees the same ones. Processes that train
    together have a share of each batch, and its loss terms all the same.

    Args:
        loss: the loss terms.
        graphs: the problems to train on.
        validation: other problems, for DeepXDE's test loss.
        network: whose roll-outs are trained from.
        batch_size: graphs in a mini-batch.
        rollout: steps of a roll-out from whose state a batch starts, at most: their number is drawn
            evenly from 0 to this, but at most one for each two epochs made, as a network must have
            learned one step before two (pushforward: Brandstetter et al. 2022, arXiv 2202.03376,
            section 3.1). 0 trains on the initial states alone.
        noise: standard deviation of the noise on the states that a batch starts from, in those of
            the fields at the start.
        known: trajectories that data terms are measured on; None without such terms.
        seed: of the order of the graphs, of times, roll-outs and noise.
        device: where the batches lie.
        by_time: whether the rows of a term are told apart by their time instead of by their node,
            for strategies that weigh by time.
    """

    def __init__(
        self,
        loss: StepLoss,
        graphs: FamilyBatches,
        validation: FamilyBatches,
        network: nn.Module,
        *,
        batch_size: int,
        rollout: int = 0,
        noise: float = 0.0,
        known: Trajectories | None = None,
        seed: int = 0,
        device: Any = "cpu",
        by_time: bool = False,
    ) -> None:
        self.graphs, self._network, self._rollout = graphs, network, rollout
        self._noise, self._known = noise, known
        self._by_time = by_time
        self._horizon = loss.family.horizon
        generator = _random(seed, -_VALIDATION_SEED)
        unseen = validation.everything(self._times(len(validation), generator))
        super().__init__(
            loss,
            len(graphs),
            self._with_known(unseen, validation, generator, slice(None)),
            batch_size=batch_size,
            seed=seed,
            device=device,
        )

    def training_batch(self, step: int) -> FamilyBatch:
        """Return the batch of a step: its problems, a time for each, and where they start from."""
        numbers, generator = self.batch_indices(step), _random(self.seed, step)
        times, own = self._times(len(numbers), generator), share(len(numbers))
        batch = self.graphs.batch(numbers[own], times[own])
        most = min(self._rollout, step // (_RAMP * self.batches_per_epoch))
        drawn = torch.randint(0, most + 1, (), generator=generator, device="cpu")
        batch = self._later(batch, int(drawn))
        batch = self._with_noise(batch, _seeds(self._noise, len(numbers), generator)[own])
        return self._with_known(batch, self.graphs, generator, own, len(numbers))

    def losses_train(self, *arguments: Any, **named: Any) -> list[Tensor]:
        """Return the raw loss terms of the batch served last, of all processes' shares of it.

        Args:
            *arguments: as of `MiniBatches.losses_train`.
            **named: likewise.

        Returns:
            One tensor a term.
        """
        terms = super().losses_train(*arguments, **named)
        return global_means(terms, len(self._train.free))

    def whole_batch(self) -> FamilyBatch:
        """Return all problems as one batch, from their initial states."""
        generator = _random(self.seed, -1)
        batch = self.graphs.everything(self._times(self.count, generator))
        return self._with_known(batch, self.graphs, generator, slice(None))

    def _times(self, count: int, generator: torch.Generator) -> Tensor:
        """Return a random time in each of as many equal parts of the horizon, in random order."""
        order = torch.randperm(count, generator=generator, device="cpu")
        jitter = torch.rand(count, generator=generator, dtype=torch.float64, device="cpu")
        return (order + jitter) / count * self._horizon

    def _later(self, batch: FamilyBatch, steps: int) -> FamilyBatch:
        """Return a batch that starts where the network's roll-out is after some steps.

        Problems whose roll-out has left the range of the initial states by a quarter of it, or
        changes faster than any of them, start from there: what a network makes of states that no
        problem has is not worth learning from, and would be most of the loss.
        """
        if not steps:
            return batch
        state = roll_out(self._network, batch, self._horizon, steps)[-1]
        low, high = (b.to(state) for b in (self.graphs.lowest, self.graphs.highest))
        margin = _MOST_APART * (high - low)
        later = batch.from_state(state)
        usual = (state > low - margin) & (state < high + margin)
        astray = ~(usual & (later.rates.abs() <= self.graphs.fastest)).all(dim=1)
        lost = state.new_zeros(len(batch.numbers)).index_add(0, batch.batch, astray.to(state)) > 0
        return later.from_state(torch.where(lost[batch.batch][:, None], batch.x, state))

    def _with_noise(self, batch: FamilyBatch, seeds: list[int]) -> FamilyBatch:
        """Return a batch whose states have noise, of each graph by its own seed."""
        if not seeds:
            return batch
        sizes = torch.bincount(batch.batch).tolist()
        drawn = [
            torch.randn((size, 2), generator=_generator(own), device="cpu")
            for size, own in zip(sizes, seeds, strict=True)
        ]
        scale = batch.x.new_tensor(self.graphs.graphs.family.deviations) * self._noise
        noise = torch.cat(drawn).to(batch.x) * scale
        held = batch.boundary_mask[:, None]
        return batch.from_state(torch.where(held, batch.x, batch.x + noise))

    def _with_known(
        self,
        batch: FamilyBatch,
        batches: FamilyBatches,
        generator: torch.Generator,
        own: slice,
        count: int | None = None,
    ) -> FamilyBatch:
        """Return a batch with as many pairs of known states, drawn evenly from all of them."""
        if self._known is None:
            return batch
        count = len(batch.numbers) if count is None else count
        trajectories, times = self._known.states.shape[:2]
        numbers, places = (
            torch.randint(0, most, (count,), generator=generator, device="cpu")[own]
            for most in (trajectories, times - 1)
        )
        return replace(batch, known=self._known.pairs(batches, numbers, places))

    def row_points(self, term: int, inputs: Tensor) -> Tensor:
        """Return what each row of a term belongs to.

        Args:
            term: index of the term.
            inputs: of the batch served last.

        Returns:
            The number of its problem and of its node `[n, 2]`; or its time `[n, 1]`.
        """
        batch = self._train
        if batch.known is not None and self.loss.names[term].startswith("data"):
            batch = batch.known.batch
        points = batch.row_points(term)
        return points[:, 2:] if self._by_time else points[:, :2]

    def time_span(self) -> tuple[float, float] | None:
        """Return the first and last time that the state is asked for."""
        return 0.0, self._horizon

    def exact_batch(self, device: Any = "cpu") -> None:
        """Return nothing: the losses of an exact solution are 0 on the same graphs."""


def _seeds(noise: float, count: int, generator: torch.Generator) -> list[int]:
    """Return a seed a graph, whatever share of them is this process's own; none without noise."""
    if not noise:
        return []
    return torch.randint(2**62, (count,), generator=generator, device="cpu").tolist()


def _generator(seed: int) -> torch.Generator:
    return torch.Generator(device="cpu").manual_seed(seed)


def _random(seed: int, step: int) -> torch.Generator:
    """Return the random numbers of one step, whichever steps were made before."""
    return _generator(1_000_003 * (seed + 1) + 2 * step + 1)
