"""Mini-batches of graphs as DeepXDE data: in which order, and what their loss terms are."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor

from pinn_ext.datasets import epoch_order
from pinn_ext.dde.data.network_adapter import plain_network
from pinn_ext.dde.data.term_data import TermData
from pinn_ext.losses.terms import LossTerms


class MiniBatches(TermData):
    """Serves mini-batches of graphs to `dde.Model` and computes their loss terms.

    DeepXDE draws a batch before the first step, for its first test. It is served again as the
    batch of that step, so that batches and steps agree: call `peek()` before each `train()` and
    `begin()` in `on_train_begin`.

    Args:
        loss: the loss terms.
        count: graphs to train on.
        validation: a batch of graphs that are not trained on, for DeepXDE's test loss.
        batch_size: graphs in a mini-batch.
        seed: of the order of the graphs.
        device: where the batches lie.

    Attributes:
        points_return: that each epoch has the same points.
    """

    points_return = True

    def __init__(
        self,
        loss: LossTerms,
        count: int,
        validation: Any,
        *,
        batch_size: int,
        seed: int,
        device: Any,
    ) -> None:
        super().__init__(loss)
        self.count, self.validation = count, validation
        self.batch_size, self.seed, self.device = min(batch_size, count), seed, device
        self.next_step = 0
        self._shift = 0
        self._begun = False
        self._whole: Any = None
        self._order: tuple[int, list[list[int]]] = (-1, [])
        self._train = validation

    @property
    def batches_per_epoch(self) -> int:
        """Number of mini-batches in one pass over all graphs."""
        return -(-self.count // self.batch_size)

    def peek(self) -> None:
        """Serve the next batch without counting it as a step, until `begin()`."""
        self._begun = False

    def begin(self) -> None:
        """From now on each batch belongs to a step."""
        self._begun = True

    def use_all_graphs(self) -> None:
        """Serve all graphs in one batch from now on, for L-BFGS."""
        self._whole = self.whole_batch()

    def batch_indices(self, step: int) -> list[int]:
        """Return the graphs in the mini-batch of a step, counted from 0."""
        epoch, position = divmod(step, self.batches_per_epoch)
        if self._order[0] != epoch:
            self._order = epoch, epoch_order(self.count, self.batch_size, epoch, self.seed)
        return self._order[1][position]

    @abstractmethod
    def training_batch(self, step: int) -> Any:
        """Return the batch of a step; it depends on nothing but that and the network."""

    @abstractmethod
    def whole_batch(self) -> Any:
        """Return all graphs as one batch."""

    def train_next_batch(self, batch_size: int | None = None) -> tuple[Tensor, None, None]:
        """Return the inputs of the next batch; its graphs are kept for `losses_train`."""
        if self._whole is not None:
            self._train = self._whole.detached()
        else:
            self._train = self.training_batch(self.position())
            self.next_step += self._begun
        return self._train.inputs, None, None

    def test(self) -> tuple[Tensor, None, None]:
        """Return the inputs of the validation batch."""
        return self.validation.inputs, None, None

    def losses_train(
        self,
        targets: Any,
        outputs: Tensor,
        loss_fn: Any,
        inputs: Tensor,
        model: Any,
        aux: Any = None,
    ) -> list[Tensor]:
        """Return the raw loss terms of the batch served last.

        Args:
            targets: none, residuals are compared with zeros.
            outputs: of `model.net` at the batch.
            loss_fn: of zeros and residuals, or a list with one a term.
            inputs: of the batch.
            model: holds the network.
            aux: DeepXDE's, not used.

        Returns:
            One tensor a term.
        """
        return self.term_losses(self._train, outputs, loss_fn, model)

    def losses_test(
        self,
        targets: Any,
        outputs: Tensor,
        loss_fn: Any,
        inputs: Tensor,
        model: Any,
        aux: Any = None,
    ) -> list[Tensor]:
        """Return the raw loss terms of the validation batch, as `losses_train` does."""
        return self.term_losses(self.validation, outputs, loss_fn, model)

    def position(self) -> int:
        """Return the number of the coming batch: that of the step, unless `go_to` has moved it."""
        return self.next_step + self._shift

    def go_to(self, position: int) -> None:
        """Serve the batches from another one on, without a change to the count of steps."""
        self._shift = position - self.next_step

    def held_out_losses(self, model: Any) -> list[float]:
        """Return a model's raw losses on the validation batch."""
        return self.loss.values(plain_network(model), self.validation)

    def equation_blocks(self) -> list[list[int]]:
        """Return the indices of the terms at the same nodes: equations, then Runge-Kutta steps."""
        kinds = [[i for i, n in enumerate(self.loss.names) if n[:2] == k] for k in ("PI", "RK")]
        return [kind for kind in kinds if kind]

    def batch_at(self, inputs: Tensor) -> Any:
        """Return the batch that these very inputs were served from, if any."""
        for batch in (self._train, self.validation):
            if inputs is batch.inputs:
                return batch
        return None

    @abstractmethod
    def exact_batch(self, device: Any = "cpu") -> Any:
        """Return the validation batch in float64, None where no loss is asked for on it."""

    @property
    def present_batch(self) -> Any:
        """The batch served last."""
        return self._train
