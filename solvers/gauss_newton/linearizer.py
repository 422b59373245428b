"""From a problem to its linear model: which solver, scales, accuracy."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .direction import memory
from .direction.blockwise import Accumulated, Blocks, Sketched
from .direction.dense import Direction, Dual, Primal
from .direction.matrix_free import MatrixFree, probes
from .direction.sketch import Rows, RowSketch, size_of
from .linear_model import Linearization
from .problem import (
    BlockProblem,
    MeasuredProblem,
    NonFiniteJacobianError,
    Problem,
    Product,
    ProductProblem,
)
from .robust_loss import Loss
from .variables.bounds import Box
from .variables.scaling import Scaling


class Linearizer:
    """Linearises problems, and remembers what one linearisation has for the next.

    Args:
        loss: Turns residuals into the cost.
        scaling: Gives the scales of the parameters.
        wanted: "auto" or one of `memory.SOLVERS`.
        memory_limit_gb: Memory to use at most, in GiB; half of what is free if None.
        box: Where the parameters may be.
        sketch: Rows of a sketch, "auto", or None: see `memory.choose`.

    Attributes:
        solver: The one that was chosen.
        moves: Steps taken so far: each point has a sketch of its own.
    """

    def __init__(
        self,
        loss: Loss,
        scaling: Scaling,
        wanted: str,
        memory_limit_gb: float | None,
        box: Box,
        sketch: Rows = None,
    ) -> None:
        self._loss, self._scaling, self._box = loss, scaling, box
        self._wanted, self._limit, self._sketch = wanted, memory_limit_gb, sketch
        self.moves = 0
        self._first_gradient: float | None = None
        self._signs: Tensor | None = None
        self._sizes: tuple[int, int, bool, bool] | None = None
        self._like: Tensor | None = None

    def choose(self, problem: Problem, x: Tensor) -> None:
        """Choose the solver before anything is allocated.

        While the sizes stay the same, so does the first choice: memory that others take or give
        back during a training must not change what it computes.

        Args:
            problem: What will be linearised.
            x: [n], of its dtype and device.

        Raises:
            ValueError: If the sketch or the solver is not one for such a problem.
            MemoryError: If there is no room for any solver.
        """
        kinds = isinstance(problem, ProductProblem), isinstance(problem, BlockProblem)
        sizes = (problem.num_rows, x.numel(), *kinds)
        if sizes != self._sizes:
            self.solver, self._room = memory.choose(
                problem.num_rows,
                x.numel(),
                x.element_size(),
                x.device,
                self._wanted,
                self._limit,
                matrix_free=kinds[0],
                robust=self._loss.name != "linear",
                blocks=kinds[1],
                sketch=self._sketch,
            )
            self._sizes, self._like = sizes, x.new_empty(0)
        if isinstance(problem, BlockProblem):
            problem.expect_blocks(self.solver in memory.BLOCKWISE)

    def sizes(self) -> memory.Sizes | None:
        """Return what is solved, and by what; None before a solver was chosen."""
        if self._sizes is None or self._like is None:
            return None
        rows, columns, *_ = self._sizes
        like, robust = self._like, self._loss.name != "linear"
        return memory.Sizes(
            rows, columns, like.element_size(), like.device, self.solver, robust, self.sketch_rows
        )

    @property
    def sketch_rows(self) -> int:
        """Rows of the sketch, 0 where none is made."""
        if self.solver != "sketched" or self._sizes is None:
            return 0
        return size_of(self._sketch, "sketched", self._sizes[1])

    def __call__(
        self, problem: Problem, x: Tensor, residual: Tensor, near: Tensor | None = None
    ) -> Linearization:
        """Linearise a problem.

        Args:
            problem: The one that the solver was chosen for.
            x: [n].
            residual: [m] there.
            near: [n], where to take the Jacobian in place of x.

        Returns:
            The linear model.

        Raises:
            NonFiniteJacobianError: If the Jacobian is not finite.
        """
        rows, weights = self._loss.rows(residual)
        direction = self._direction(problem, x if near is None else near, rows, weights)
        scaling = self._scaling
        before = scaling.largest, scaling.present
        direction.scale = scaling.update(direction.column_squares)
        more = {"measures": problem.measures} if isinstance(problem, MeasuredProblem) else {}
        model = Linearization(x, residual, self._loss, direction, weights, self._box, **more)
        if model.bad:
            scaling.largest, scaling.present = before
            raise NonFiniteJacobianError(
                "The Jacobian must be finite, and its squares too, got NaN or infinity in "
                f"{model.bad} of {x.numel()} columns."
            )
        if isinstance(direction, MatrixFree):
            direction.tolerance = self._tolerance(model.steepness)
        return model

    def _direction(
        self, problem: Problem, x: Tensor, rows: Tensor, weights: Tensor | None
    ) -> Direction:
        if self.solver == "matrix_free" and isinstance(problem, ProductProblem):
            _, forward, backward = problem.products(x)
            if self._signs is None or self._signs.shape[1] != len(rows):
                self._signs = probes(rows)
            return MatrixFree(*_weighted(forward, backward, weights), rows, self._signs)
        if self.solver in memory.BLOCKWISE and isinstance(problem, BlockProblem):
            return self._by_blocks(problem, x, rows, weights)
        jacobian = problem.linearize(x)[1].detach()
        if weights is not None:
            jacobian = jacobian * weights[:, None]
        return (Primal if self.solver == "primal" else Dual)(jacobian, self._room)

    def _by_blocks(
        self, problem: BlockProblem, x: Tensor, rows: Tensor, weights: Tensor | None
    ) -> Direction:
        def pull(w: Tensor) -> Tensor:
            return problem.pull(x, w if weights is None else weights * w)

        blocks: Blocks = problem.blocks(x)
        if weights is not None:
            blocks = ((numbers, block.mul_(weights[numbers, None])) for numbers, block in blocks)
        if self.solver == "accumulated":
            return Accumulated(blocks, x.numel(), rows, pull)
        sketch = RowSketch(len(rows), self.sketch_rows, self.moves, rows)
        return Sketched(blocks, x.numel(), rows, pull, sketch)

    def _tolerance(self, norm: float) -> float:
        # An inexact Newton method: directions become more accurate as the gradient falls, as in
        # Eisenstat and Walker, Choosing the forcing terms in an inexact Newton method (1996).
        if self._first_gradient is None:
            self._first_gradient = norm
        ratio = norm / self._first_gradient if self._first_gradient > 0 else 1.0
        return min(0.1, max(ratio**0.5, 1e-8))

    def relax(self) -> None:
        """Let scales go that are larger than the present ones."""
        self._scaling.relax()

    def multiply(self, factor: float) -> None:
        """Follow a common factor on all rows.

        Args:
            factor: Square of it, positive.
        """
        self._scaling.multiply(factor)
        if self._first_gradient is not None:
            self._first_gradient *= factor**0.5

    def state_dict(self) -> dict[str, Any]:
        """Return what is remembered."""
        largest = self._scaling.largest
        state: dict[str, Any] = {
            "scale": None if largest is None else largest.clone(),
            "first_gradient": self._first_gradient,
        }
        # Without a sketch the state is the one that older versions have written.
        return {**state, "moves": self.moves} if self.solver == "sketched" else state

    def load_state_dict(self, state: dict[str, Any], like: Tensor) -> None:
        """Remember what another one did.

        Args:
            state: From `state_dict`.
            like: [n], whose dtype and device to take.
        """
        scale = state["scale"]
        self._scaling.largest = None if scale is None else scale.to(like).clone()
        self._first_gradient = state["first_gradient"]
        self.moves = state.get("moves", 0)


def _weighted(
    forward: Product, backward: Product, weights: Tensor | None
) -> tuple[Product, Product]:
    if weights is None:
        return forward, backward
    return (lambda v: weights * forward(v)), (lambda w: backward(weights * w))
