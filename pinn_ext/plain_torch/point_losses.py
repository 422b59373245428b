"""The points of an aggregator's loss terms, for strategies that weigh points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pinn_ext.checks import (
    ArgumentError,
    check_choice,
    check_list,
    check_names,
    check_number,
    check_switch,
)
from pinn_ext.point_weights.joint_update import moved_together
from pinn_ext.point_weights.keys import keys_of
from pinn_ext.point_weights.rows import absolute
from pinn_ext.point_weights.table import PointTable, load_tables
from pinn_ext.strategies import Method, PointBlock, PointStrategy


class Place(NamedTuple):
    """Which points the rows of a term belong to.

    Attributes:
        keys: whole numbers `[n]`, None where points are told by position.
        times: `[n]`, None where the strategy does not read them.
    """

    keys: Tensor | None
    times: Tensor | None


class PointLosses:
    """Gives the residuals of each term the factors of their points; each term is a block by itself.

    Unlike in the callback, which knows the points of a DeepXDE model, equations at the same points
    are not one block: `causal` makes a chain of times of each.

    Args:
        strategy: that moves the factors.
        names: of the terms.
        conditions: names of those that are conditions.
        span: first and last time of the problem, None where it has no time.
        returning: whether points come back that a call has left out.

    Attributes:
        strategy: as given.
        span: as given.

    Raises:
        ValueError: if the strategy weighs none of the terms.
    """

    def __init__(
        self,
        strategy: PointStrategy,
        names: Sequence[str],
        conditions: Sequence[str],
        span: tuple[float, float] | None,
        returning: bool,
    ) -> None:
        self.strategy, self._names, self.span = strategy, list(names), span
        self._known, held = set(names), set(conditions)
        self._tables = []
        for i, name in enumerate(names):
            condition = name in held
            if strategy.weighs(PointBlock(torch.empty(0, 1, device="cpu"), condition, span)):
                self._tables.append(PointTable(strategy, [i], condition, returning))
        if not self._tables:
            raise ValueError(
                f"`conditions` must leave a term to strategy {strategy.name!r}, which weighs no "
                f"points of conditions, got {list(conditions)}."
            )

    # ---- what a call is given -------------------------------------------------------------------

    def rows(self, losses: Any) -> list[Tensor]:
        """Return the residuals of each term `[n, ...]`, in the order of the names.

        Args:
            losses: what the user gave in place of loss terms.

        Raises:
            ValueError: if it does not map each name to residuals.
        """
        if not isinstance(losses, Mapping):
            kind = type(losses).__name__
            raise ValueError(f"`losses` must map each name to a tensor, got a {kind}.")
        check_names("`losses`", self._names, losses)
        for name in self._names:
            rows = losses[name]
            if isinstance(rows, Tensor) and rows.ndim and rows.numel():
                continue
            found = f"a {type(rows).__name__}"
            if isinstance(rows, Tensor):
                found = f"the empty shape {list(rows.shape)}" if rows.ndim else "one number"
            raise ValueError(
                f"`losses[{name!r}]` must be its residuals [N] for strategy "
                f"{self.strategy.name!r}, which weighs points, got {found}."
            )
        return [losses[name] for name in self._names]

    def places(self, rows: Sequence[Tensor], keys: Any, times: Any) -> list[Place]:
        """Return which points the weighed rows belong to; changes nothing.

        Args:
            rows: of each term `[n, ...]`.
            keys: by name, whole numbers `[n]` or coordinates `[n, d]`; None, or without a name, for
                points told by position.
            times: by name, `[n]`.

        Returns:
            One place for each term that is weighed.

        Raises:
            ValueError: if they do not fit the rows, or the points cannot be followed.
        """
        keys, times = self._named("keys", keys), self._named("times", times)
        places = []
        for table in self._tables:
            name, own = self._names[table.terms[0]], rows[table.terms[0]]
            key = time = None
            if self.strategy.keyed:
                key = _keys(name, keys.get(name), own)
                self._check_followed(table, name, key, len(own))
            if self.strategy.needs_times:
                time = self._times(name, times.get(name), own)
            places.append(Place(key, time))
        return places

    def _named(self, what: str, given: Any) -> Mapping[str, Any]:
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            kind = type(given).__name__
            raise ValueError(f"`{what}` must map names to tensors, got a {kind}.")
        unknown = [name for name in given if name not in self._known]
        if unknown:
            check_choice(what, unknown[0], self._names)
        return given

    def _check_followed(self, table: PointTable, name: str, keys: Tensor | None, n: int) -> None:
        if table.has_keys is None:  # the first batch
            return
        if table.has_keys != (keys is not None):
            now = "none after calls with" if keys is None else "some after calls without"
            raise ValueError(
                f"`keys[{name!r}]` must be given in each call or in none, got {now} them."
            )
        if keys is None and n != table.count:
            raise ValueError(
                f"`losses[{name!r}]` must have the same points in each call ({table.count}) "
                f"unless `keys` tell them apart, got {n}."
            )

    def _times(self, name: str, given: Any, rows: Tensor) -> Tensor:
        if given is None:
            raise ValueError(
                f"`times` must hold the time of each point of {name!r} for strategy "
                f"{self.strategy.name!r}, got none: aggregator(..., times={{{name!r}: t}})."
            )
        if not isinstance(given, Tensor) or given.numel() != len(rows):
            raise ValueError(
                f"`times[{name!r}]` must be the times [{len(rows)}] of its points, got "
                f"{_shape(given)}."
            )
        return given.detach().reshape(-1).to(rows.device)

    # ---- factors --------------------------------------------------------------------------------

    @torch.inference_mode(False)  # what moves here is multiplied into losses that are trained
    @torch.no_grad()
    def factors(
        self,
        rows: Sequence[Tensor],
        places: Sequence[Place],
        moves: bool,
        usable: Tensor | None = None,
    ) -> list[Tensor | None]:
        """Return what the residuals of each term are multiplied by.

        Args:
            rows: of each term `[n, ...]`.
            places: what `places` returned for them.
            moves: whether the factors move; otherwise nothing changes.
            usable: as for `PointTable.factors`.

        Returns:
            Factors `[n]`, None for a term that is not weighed, or not before the first move.
        """
        found: list[Tensor | None] = [None] * len(rows)
        sizes = [absolute(rows[table.terms[0]])[:, None] for table in self._tables]
        blocks = list(zip(self._tables, sizes, places, strict=True))
        if moves:
            for table, residuals, place in blocks:
                table.load_keys(residuals, place.keys, place.times, self.span)
            later = moved_together(self._tables, sizes)
            used = [
                table.factors(residuals, True, usable, state)
                for table, residuals, state in zip(self._tables, sizes, later, strict=True)
            ]
        else:
            used = [t.factors_of(residuals, p.keys, p.times) for t, residuals, p in blocks]
        for table, own in zip(self._tables, used, strict=True):
            found[table.terms[0]] = None if own is None else own[:, 0]
        return found

    def last_factors(self) -> dict[str, Tensor]:
        """Return the factors `[n]` of the last counted step by name, in the order of its rows."""
        used = {self._names[table.terms[0]]: table.last_factors for table in self._tables}
        return {name: own[:, 0] for name, own in used.items() if own is not None}

    def statistics(self) -> dict[str, tuple[float, float, float]]:
        """Return least, mean and largest of `last_factors` by name."""
        found = {term: row for table in self._tables for term, row in table.statistics().items()}
        return {self._names[term]: row for term, row in found.items()}

    # ---- saving ---------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state as tensors, plain numbers and lists."""
        tables = [table.state_dict() for table in self._tables]
        return {"strategy": self.strategy.name, "tables": tables}

    @torch.inference_mode(False)
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        load_tables(self._tables, state["tables"])


def points_of(
    method: Method, names: Sequence[str], conditions: Sequence[str], time_span: Any, returning: Any
) -> PointLosses | None:
    """Return the points of the terms if a strategy weighs points, None if it weighs terms.

    Args:
        method: the strategy.
        names: of the terms.
        conditions: names of those that are conditions.
        time_span: argument of the aggregator, checked here.
        returning: its argument `points_return`, checked here.

    Raises:
        ValueError: if an argument is out of range, or missing for the strategy.
    """
    check_switch("points_return", returning)
    span = None if time_span is None else _span(time_span)
    if not isinstance(method, PointStrategy):
        return None
    if method.needs_times and span is None:
        raise ValueError(
            f"`time_span` must be the first and last time of the problem for strategy "
            f"{method.name!r}, got None."
        )
    return PointLosses(method, names, conditions, span, returning)


def _span(given: Any) -> tuple[float, float]:
    wanted = "be a first and a last time"
    span = check_list("time_span", given, wanted)
    if len(span) != 2:
        raise ArgumentError("time_span", wanted, repr(given))
    first = check_number("time_span[0]", span[0])
    return float(first), float(check_number("time_span[1]", span[1], first, open_low=True))


def _keys(name: str, given: Any, rows: Tensor) -> Tensor | None:
    """Return keys `[n]` on the device of the rows, None where the user gave none."""
    if given is None:
        return None
    if isinstance(given, Tensor) and len(given.shape) and len(given) == len(rows):
        given = given.detach().to(rows.device)
        if given.ndim == 2 and given.is_floating_point():
            exact = given.dtype in (torch.float32, torch.float64)
            return keys_of(given if exact else given.float())
        whole = not (given.is_floating_point() or given.is_complex() or given.dtype == torch.bool)
        if given.ndim == 1 and whole:
            return given.long()
    n = len(rows)
    raise ValueError(
        f"`keys[{name!r}]` must be whole numbers [{n}] or coordinates [{n}, d] of its points, got "
        f"{_shape(given)}."
    )


def _shape(given: Any) -> str:
    if not isinstance(given, Tensor):
        return f"a {type(given).__name__}"
    return f"{list(given.shape)} of {str(given.dtype).removeprefix('torch.')}"
