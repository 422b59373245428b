"""Weights of single points, applied to what DeepXDE's loss functions are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor

from pinn_ext.checks import check_numbers_fit
from pinn_ext.dde.model import optimizers
from pinn_ext.dde.model.data_protocol import described
from pinn_ext.dde.model.loss_terms import derive_names, float_type
from pinn_ext.dde.model.notes import follows_first_order, note, notes_of
from pinn_ext.dde.model.row_points import blocks_of, row_points, time_span
from pinn_ext.point_weights.joint_update import moved_together
from pinn_ext.point_weights.keys import same_inputs
from pinn_ext.point_weights.rows import absolute, of_rows
from pinn_ext.point_weights.table import PointTable, load_tables
from pinn_ext.strategies import PointBlock, PointStrategy


class Heard(NamedTuple):
    """One call of a loss function.

    Attributes:
        function: that was called.
        target: what it was to compare with.
        value: what it was to compare, `[n]` or `[n, c]`.
    """

    function: Callable[..., Any]
    target: Any
    value: Any


def listening(loss_fn: Any, heard: list[Heard]) -> Any:
    """Return DeepXDE's loss functions such that they note what they are called with.

    Args:
        loss_fn: one function, or a list with one a term.
        heard: gets one entry a call.

    Returns:
        What stands in for `loss_fn`.
    """

    def listen(function: Callable[..., Any]) -> Callable[..., Any]:
        def noting(target: Any, value: Any) -> Any:
            heard.append(Heard(function, target, value))
            return function(target, value)

        return noting

    if isinstance(loss_fn, (list, tuple)):
        return [listen(function) for function in loss_fn]
    return listen(loss_fn)


class PointWeights:
    """Weighs the points of one model's loss terms; raw losses are left alone.

    A term whose rows get factors f is computed as `loss_fn(f * target, f * value)`: the mean of
    `(f r)^2` for the loss "MSE". The factors are constants for the gradient. They move at the first
    evaluation of a step and are frozen under L-BFGS, NNCG and our own loops, which see the same
    weighted objective; what never began to move has no effect there.

    Args:
        strategy: that moves the weights.
    """

    def __init__(self, strategy: PointStrategy) -> None:
        self.strategy = strategy
        self.frozen = False
        self._tables: list[PointTable] | None = None
        self._saved: list[dict[str, Any]] | None = None
        self._num_terms = 0
        self._batch: Any = None
        self._loaded = False

    def start_on(self, model: Any) -> None:
        """Take up a model at the start of a training.

        Args:
            model: a compiled DeepXDE model.

        Raises:
            ValueError: if the strategy needs times that the problem has not, an option is beyond
                the float type, or a second-order training asks for weights that move.
        """
        check_numbers_fit(self.strategy, float_type(), "options")
        frozen = optimizers.is_second_order(model)
        if not frozen and optimizers.name_of(model) == "Gauss-Newton":
            raise ValueError(
                "`weights` must be 'keep' or 'balance' in Gauss-Newton for strategy "
                f"{self.strategy.name!r}, which weighs points, got 'adapt'."
            )
        if self.strategy.needs_times and time_span(model.data) is None:
            raise ValueError(
                f"Strategy {self.strategy.name!r} must have a time-dependent problem (a geometry "
                f"GeometryXTime or TimeDomain), got {type(model.data).__name__} without time."
            )
        self.frozen = frozen
        handed = notes_of(model).point_weights
        fresh = self._tables is None and self._saved is None and follows_first_order(model)
        if frozen and fresh and handed is not None and handed[0] == self.strategy:
            self._tables = handed[1]
            self._num_terms = handed[2]
        self._loaded = False

    def weigh(
        self,
        losses: Sequence[Any],
        heard: Sequence[Heard],
        inputs: Any,
        model: Any,
        moves: bool,
        usable: Tensor | None = None,
        trained: Sequence[Heard] | None = None,
    ) -> list[Any]:
        """Return the loss terms, or residual vectors, with the weights of their points.

        Args:
            losses: as they are without.
            heard: the calls of the loss functions that gave them.
            inputs: of the network.
            model: a compiled DeepXDE model.
            moves: whether this is the first evaluation of a step.
            usable: as for `PointTable.factors`.
            trained: the calls that are weighed, if they are others than those whose residuals say
                how much.

        Returns:
            One entry a term.

        Raises:
            ValueError: if terms and calls do not match, or points cannot be followed.
        """
        if len(heard) != len(losses):
            raise ValueError(
                "Point weights must have one call of the loss function for each term, got "
                f"{len(heard)} calls for {len(losses)} terms of {type(model.data).__name__}."
            )
        with torch.no_grad():
            sizes = [absolute(call.value - call.target) for call in heard]
        self._load_batch(sizes, inputs, model)
        weighed, tables = list(losses), self._tables or []
        moves = moves and not self.frozen
        rows = [torch.stack([sizes[term] for term in table.terms], dim=1) for table in tables]
        later = moved_together(tables, rows) if moves else [None] * len(rows)
        for table, residuals, state in zip(tables, rows, later, strict=True):
            factors = table.factors(residuals, moves, usable, state)
            if factors is not None:
                for term, own in zip(table.terms, factors.unbind(dim=1), strict=True):
                    weighed[term] = _apply((trained or heard)[term], own)
        return weighed

    def statistics(self, names: Sequence[str]) -> dict[str, tuple[float, float, float]]:
        """Return least, mean and largest factor in force, by the names of the weighed terms."""
        found: dict[int, tuple[float, float, float]] = {}
        for table in self._tables or []:
            found |= table.statistics()
        return {names[term]: found[term] for term in sorted(found)}

    def text(self, names: Sequence[str]) -> str:
        """Return the statistics on one line: `pde_1=0/0.12/0.5`."""
        rows = self.statistics(names).items()
        return ", ".join(f"{name}=" + "/".join(f"{x:.3g}" for x in row) for name, row in rows)

    # ---- following the points -----------------------------------------------------------------

    def _load_batch(self, sizes: Sequence[Tensor], inputs: Any, model: Any) -> None:
        """Let the tables follow the batch, if it is another one."""
        batch = model.train_state.X_train
        if self._loaded and batch is self._batch:
            return
        changed = self._batch is not None and not same_inputs(self._batch, batch)
        self._batch = batch
        if self._tables is None or self._num_terms != len(sizes):
            self._num_terms = len(sizes)
            self._tables = self._new_tables(model.data, sizes)
            note(model, point_weights=(self.strategy, self._tables, len(sizes)))
        span = time_span(model.data)
        for table in self._tables:
            residuals = torch.stack([sizes[term] for term in table.terms], dim=1)
            points = row_points(model.data, table.terms[0], len(sizes), inputs)
            found = None if points is None else len(points)
            if found != len(residuals):
                points = None
            if points is None and (self.strategy.needs_times or (changed and self.strategy.keyed)):
                self._refuse(model.data, table.terms[0], len(residuals), found)
            table.load_batch(residuals, points, span)
        self._loaded = True

    def _refuse(self, data: Any, term: int, rows: int, points: int | None) -> NoReturn:
        """Say why points cannot be known again."""
        kind = type(data).__name__
        if points is not None:
            name = derive_names(data, self._num_terms)[term]
            wanted = "a residual for each point, by which it is known when the batch changes"
            got = f"{rows} residuals for {points} points of {name!r} in {kind}"
        else:
            own = "times are known" if self.strategy.needs_times else "points can be told apart"
            wanted, got = f"data whose {own} when the batch changes (PDE, TimePDE)", kind
        raise ValueError(f"Strategy {self.strategy.name!r} must have {wanted}, got {got}.")

    def _new_tables(self, data: Any, sizes: Sequence[Tensor]) -> list[PointTable]:
        returning = described(data).points_return
        tables = []
        for terms, condition in blocks_of(data, len(sizes)):
            block = PointBlock(sizes[terms[0]], condition)
            # Equations with other numbers of rows are at other points.
            alike = len({len(sizes[term]) for term in terms}) == 1
            if self.strategy.weighs(block):
                groups = [terms] if alike else [[term] for term in terms]
                tables += [PointTable(self.strategy, t, condition, returning) for t in groups]
        if self._saved is not None:
            load_tables(tables, self._saved)
            self._saved = None
        return tables

    # ---- saving -------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state as tensors, plain numbers and lists."""
        tables = self._saved
        if self._tables is not None:
            tables = [table.state_dict() for table in self._tables]
        return {"strategy": self.strategy.name, "tables": tables}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned; the tables are filled at the first batch."""
        self._saved, self._tables, self._batch = state["tables"], None, None
        self._loaded = False


def _apply(call: Heard, factors: Tensor) -> Any:
    """Call a loss function on weighted rows."""
    own = of_rows(factors, call.value)
    return call.function(own * call.target, own * call.value)
