"""The state of the points of one block, which follows them from batch to batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from pinn_ext.point_weights.keys import keys_of
from pinn_ext.point_weights.rows import of_rows
from pinn_ext.point_weights.saved_tables import check_tables
from pinn_ext.strategies import PointBlock, PointState, PointStrategy


class PointTable:
    """Holds what a strategy knows of the points of one block.

    Args:
        strategy: that weighs the points.
        terms: indices of the loss terms at these points.
        condition: whether they are a condition.
        returning: whether points come back that a batch has left out: they are kept then, and
            dropped otherwise.

    Attributes:
        updated: whether the strategy has seen residuals.
    """

    def __init__(
        self, strategy: PointStrategy, terms: list[int], condition: bool, returning: bool
    ) -> None:
        self.strategy, self.terms = strategy, terms
        self.condition, self.returning = condition, returning
        self.updated = False
        self._state: PointState | None = None
        self._keys: Tensor | None = None  # of all points in the table, None: told by position
        self._sorted: tuple[Tensor, Tensor] | None = None
        self._rows: Tensor | None = None  # of the present points, None: all, in their order
        self._count = 0
        self._times: Tensor | None = None
        self._last: Tensor | None = None

    @property
    def count(self) -> int:
        """How many points the table holds."""
        return self._count

    @property
    def has_keys(self) -> bool | None:
        """Whether points are told apart by keys, not by position; None before the first batch."""
        return None if self._state is None else self._keys is not None

    @property
    def present_state(self) -> PointState:
        """State of the points of the batch."""
        return self._take(self._rows)

    @property
    def last_factors(self) -> Tensor | None:
        """What `factors` returned last, `[n, m]`."""
        return self._last

    def load_batch(
        self, like: Tensor, points: Tensor | None, span: tuple[float, float] | None
    ) -> None:
        """Take up the points of a batch, which are told apart by their coordinates.

        Args:
            like: the residuals `[n, m]`.
            points: coordinates `[n, d]`, the last one time if there is a span; None if unknown.
            span: first and last time of the problem.

        Raises:
            ValueError: if points that cannot be told apart have become more or fewer.
        """
        keyed = points is not None and self.strategy.keyed
        times = None if points is None else points[:, -1]
        self.load_keys(like, keys_of(points) if keyed else None, times, span)  # type: ignore[arg-type]

    def load_keys(
        self,
        like: Tensor,
        keys: Tensor | None,
        times: Tensor | None,
        span: tuple[float, float] | None,
    ) -> None:
        """Take up the points of a batch.

        Args:
            like: the residuals `[n, m]`.
            keys: whole numbers `[n]` that name the points, None: they are told by position.
            times: of the points `[n]`, for strategies that read them.
            span: first and last time of the problem.

        Raises:
            ValueError: if points that cannot be told apart have become more or fewer.
        """
        n, m = like.shape
        self._times = times
        block = PointBlock(like, self.condition, span, self._count)
        if self._state is None or not self.strategy.keyed:
            if self._state is None:
                self._state = self.strategy.init(n, m, block)
            self._count, self._keys = n, keys
            return
        self._move_to(like.device)
        if keys is None or self._keys is None:
            if n != self._count:
                raise ValueError(
                    f"Point weights must have as many points as before ({self._count}), got {n}."
                )
            self._keys = keys
            return
        rows = self._find(keys)
        missing = rows < 0
        joining = int(missing.sum())
        if joining:
            rows[missing] = torch.arange(self._count, self._count + joining, device=rows.device)
            self._join(joining, keys[missing], m, block)
        if self.returning:
            self._rows = rows
        else:
            self._state, self._keys, self._sorted = self._take(rows), keys, None
            self._count = n

    def _join(self, joining: int, keys: Tensor, m: int, block: PointBlock) -> None:
        """Give a state to points `[joining]` that the table does not hold."""
        state: PointState = self._state or {}
        if self.returning:  # they come for the first time, as all others once did
            new = self.strategy.init(joining, m, block)
        else:
            new = self.strategy.newcomers(joining, state)
        self._state = {
            key: torch.cat((value, new[key])) if isinstance(value, Tensor) else value
            for key, value in state.items()
        }
        self._keys, self._sorted = torch.cat((self._keys, keys)), None  # type: ignore[arg-type]
        self._count += joining

    def factors(
        self,
        abs_residual: Tensor,
        moves: bool,
        usable: Tensor | None = None,
        later: PointState | None = None,
    ) -> Tensor | None:
        """Return what the present residuals are multiplied by, and update if that is due.

        Args:
            abs_residual: absolute residuals `[n, m]`.
            moves: whether this is the first evaluation of a step that may move the weights.
            usable: one bool on the device, whether they move indeed; None for yes. Only for
                strategies with `state_on_device`.
            later: what the update makes of `present_state`, if it is known, see `moved_together`.

        Returns:
            Factors `[n, m]`, None where weights that never began to move are frozen.
        """
        if not (moves or self.updated):
            self._last = None
            return None
        state = self.present_state
        if moves:
            if later is None:
                later = self.strategy.update(abs_residual, state, self._times)
            if usable is not None:
                later = {k: torch.where(usable, new, state[k]) for k, new in later.items()}
            self._put(later)
            self.updated = True
            state = later if self.strategy.updates_first else state
        own = self.strategy.factors(state, self._times)
        self._last = own.to(abs_residual).expand_as(abs_residual)
        return self._last

    def factors_of(
        self, like: Tensor, keys: Tensor | None = None, times: Tensor | None = None
    ) -> Tensor | None:
        """Return the factors in force of any points, and change nothing.

        Args:
            like: their residuals `[n, m]`.
            keys: as in `load_keys`; unknown points count like newcomers.
            times: as in `load_keys`.

        Returns:
            Factors `[n, m]`, None where the weights never began to move.
        """
        if not self.updated or self._state is None:
            return None
        self._move_to(like.device)
        state = self._state
        if keys is not None and self._keys is not None:
            rows = self._find(keys)
            known, rows = rows >= 0, rows.clamp(min=0)
            new = self.strategy.newcomers(len(keys), state)
            state = {
                key: torch.where(of_rows(known, value), value[rows], new[key])
                if isinstance(value, Tensor)
                else value
                for key, value in state.items()
            }
        return self.strategy.factors(state, times).to(like).expand_as(like)

    def statistics(self) -> dict[int, tuple[float, float, float]]:
        """Return least, mean and largest of the factors used last, by term."""
        if self._last is None or not len(self._last):
            return {}
        rows = torch.stack((self._last.amin(0), self._last.mean(0), self._last.amax(0)), dim=1)
        return {term: tuple(row) for term, row in zip(self.terms, rows.tolist(), strict=True)}

    # ---- rows of the table --------------------------------------------------------------------

    def _find(self, keys: Tensor) -> Tensor:
        """Return the row of each key, -1 for a key that is not there."""
        if self._sorted is None:
            # Of equal keys the first row counts, always the same one.
            self._sorted = self._keys.sort(stable=True)  # type: ignore[union-attr]
        ordered, order = self._sorted
        place = torch.searchsorted(ordered, keys).clamp(max=len(ordered) - 1)
        return torch.where(ordered[place] == keys, order[place], -1)

    def _take(self, rows: Tensor | None) -> PointState:
        state: PointState = self._state or {}
        if rows is None:
            return state
        return {k: v[rows] if isinstance(v, Tensor) else v for k, v in state.items()}

    def _put(self, state: PointState) -> None:
        if self._rows is None or self._state is None:
            self._state = state
            return
        for key, value in state.items():
            if isinstance(value, Tensor):
                self._state[key][self._rows] = value
            else:
                self._state[key] = value

    def _move_to(self, device: torch.device) -> None:
        if self._keys is not None and self._keys.device != device:
            self._keys, self._sorted = self._keys.to(device), None
        self._state = {
            key: value.to(device) if isinstance(value, Tensor) else value
            for key, value in (self._state or {}).items()
        }

    # ---- saving -------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state as tensors and plain numbers."""
        return {
            "terms": list(self.terms),
            "state": None if self._state is None else _copied(self._state),
            "keys": self._keys,
            "count": self._count,
            "updated": self.updated,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._state = None if state["state"] is None else _copied(state["state"])
        self._keys, self._sorted, self._rows = state["keys"], None, None
        self._count, self.updated = state["count"], state["updated"]


def load_tables(tables: Sequence[PointTable], saved: Sequence[dict[str, Any]]) -> None:
    """Let tables continue from what their `state_dict` returned.

    Args:
        tables: of one training.
        saved: one state a table.

    Raises:
        ValueError: if the states are of other terms.
    """
    own, theirs = [table.terms for table in tables], [state["terms"] for state in saved]
    if own != theirs:
        raise ValueError(
            f"The saved state must have point weights of the terms {own}, got {theirs}."
        )
    for table, state in zip(tables, saved, strict=True):
        table.load_state_dict(state)


class Weighing(Protocol):
    """Point weights at work: those of a DeepXDE model, or of an aggregator's terms."""

    strategy: PointStrategy


def check_saved(points: Weighing | None, state: Mapping[str, Any] | None) -> None:
    """Refuse a saved state of other point weights than those at work.

    Args:
        points: at work, None for a strategy of terms.
        state: what its `state_dict` returned, None for a strategy of terms.

    Raises:
        ValueError: if one has point weights that the other has not.
    """
    own = "none" if points is None else repr(points.strategy.name)
    if state is not None and (not isinstance(state, Mapping) or "strategy" not in state):
        raise ValueError(f"The saved state must name the strategy of its points, got {state!r}.")
    saved = "none" if state is None else repr(state["strategy"])
    if own != saved:
        raise ValueError(f"The saved state must have point weights of strategy {own}, got {saved}.")
    if points is not None and state is not None:
        check_tables(points.strategy, state.get("tables"))


def _copied(state: PointState) -> PointState:
    """Return a state that no later step writes to."""
    return {k: v.clone() if isinstance(v, Tensor) else v for k, v in state.items()}
