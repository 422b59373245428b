"""Causal weights in time: a residual counts once the residuals before it are small."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pinn_ext.checks import check_number
from pinn_ext.strategies.base.points import PointBlock, PointState, PointStrategy, check_increasing

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Causal(PointStrategy):
    """`w_k = exp(-epsilon sum_{l < k} L_l)`: L_l the mean squared residual in time chunk l.

    Wang, Sankaran and Perdikaris 2024 (arXiv 2203.07404, Algorithm 1; defaults of the
    authors' code). The time of the problem is cut into chunks of equal length; the weight of a
    chunk is that of all equations in it, the smallest of theirs as in the authors' jaxpi, where
    the loss of the initial condition is no part of the sum either. epsilon goes on to its next
    value once all weights exceed `threshold`. A chunk without a point in a batch keeps the loss
    that it had. Conditions are left alone. Nothing is differentiated or stored a point.

    epsilon is per unit of a squared residual: its list suits residuals of the order of 1.

    Attributes:
        epsilons: of the stages, increasing, per unit of squared residual.
        chunks: how many parts the time is cut into.
        threshold: what all weights must exceed for the next stage (delta), in (0, 1).
    """

    epsilons: Sequence[float] = (1e-2, 1e-1, 1.0, 1e1, 1e2)
    chunks: int = 32
    threshold: float = 0.99
    name: ClassVar[str] = "causal"
    needs_times: ClassVar[bool] = True
    keyed: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse options out of range; a list, as YAML has it, becomes a tuple."""
        epsilons = check_increasing("options.epsilons", self.epsilons)
        object.__setattr__(self, "epsilons", epsilons)
        check_number("options.chunks", self.chunks, 2, integer=True)
        check_number("options.threshold", self.threshold, 0, 1, open_low=True, open_high=True)

    def init(self, n: int, m: int, block: PointBlock) -> PointState:
        """Return the first stage, in which no chunk has been seen."""
        start, end = block.span or (0.0, 1.0)
        return {
            "stage": 0,
            "span": [float(start), float(end)],
            "losses": [[0.0] * m for _ in range(self.chunks)],
            "weights": [1.0] * self.chunks,
        }

    def check_state(self, state: Any, n: int, m: int) -> None:
        """Refuse a saved state that this strategy cannot have returned.

        Args:
            state: what is said to be one.
            n: how many points it is of.
            m: how many terms are measured at them.

        Raises:
            ArgumentError: naming the part of the state.
        """
        super().check_state(state, n, m)
        check_number("state.stage", state["stage"], 0, len(self.epsilons) - 1, integer=True)

    def update(
        self, abs_residual: Tensor, state: PointState, times: Tensor | None = None
    ) -> PointState:
        """Weigh the chunks by the residuals before them, then see whether the stage is over."""
        chunk = self._chunks_of(times, state)
        squares = abs_residual.double().square()
        losses = [
            [total / count for total in row] if count else old
            for (*row, count), old in zip(
                _sums(squares, chunk, self.chunks), state["losses"], strict=True
            )
        ]
        epsilon = self.epsilons[state["stage"]]
        before = [0.0] * squares.shape[1]
        weights = []
        for row in losses:
            weights.append(math.exp(-epsilon * max(before)))
            before = [total + loss for total, loss in zip(before, row, strict=True)]
        stage = state["stage"]
        if min(weights) > self.threshold and stage + 1 < len(self.epsilons):
            stage += 1
        return {"stage": stage, "span": state["span"], "losses": losses, "weights": weights}

    def factors(self, state: PointState, times: Tensor | None = None) -> Tensor:
        """Return the root `[n, 1]` of the weight of each point's chunk, in float64."""
        import torch

        roots = [math.sqrt(weight) for weight in state["weights"]]
        chunk = self._chunks_of(times, state)
        return torch.tensor(roots, dtype=torch.float64, device=chunk.device)[chunk, None]

    def _chunks_of(self, times: Tensor | None, state: PointState) -> Tensor:
        """Return the number `[n]` of the chunk that each time lies in."""
        if times is None:
            raise ValueError("`times` must be given to causal, one for each point, got none.")
        start, end = state["span"]
        place = (times.double() - start) * (self.chunks / (end - start))
        return place.floor().long().clamp(0, self.chunks - 1)


def _sums(squares: Tensor, chunk: Tensor, chunks: int) -> list[list[float]]:
    """Return the sums of columns `[n, m]` over the rows of each chunk, then their number."""
    columns = squares.new_ones(len(squares), squares.shape[1] + 1)
    columns[:, :-1] = squares
    if squares.is_cpu:
        return columns.new_zeros(chunks, columns.shape[1]).index_add_(0, chunk, columns).tolist()
    # Elsewhere the order of those additions may change from run to run; that of a product does not.
    number = chunk.new_ones(chunks).cumsum(0) - 1
    return ((number[:, None] == chunk).to(columns) @ columns).tolist()
