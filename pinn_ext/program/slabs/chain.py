"""The slabs of a run: what the one at work is built of, and what the ended ones have left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from pinn_ext.checks import ArgumentError, check_list, check_mapping, check_number
from pinn_ext.losses.from_config import field_network, physics_loss
from pinn_ext.losses.known_solution import KnownSolution, between
from pinn_ext.losses.solution_error import Evaluator
from pinn_ext.networks import FieldNetwork
from pinn_ext.program.build import Checked
from pinn_ext.program.checkpoints.parts import damaged
from pinn_ext.schema import Config
from pinn_ext.slabs import (
    SlabNetworks,
    SlabStart,
    SlabSystem,
    build_networks,
    slab_of,
    stacked,
    unstacked,
    until,
    with_state,
)
from pinn_ext.systems import System
from solvers.devices import on_cpu

SLAB, FORMER, ROWS = "slab", "former_networks", "slab_rows"
"""Keys of a checkpoint: number of the slab at work, networks of those before it, their rows."""


class Slabs:
    """The chain of slabs that a run goes through; one slab is all of its time interval.

    Args:
        checked: the configuration, over all times.

    Attributes:
        count: how many there are.
        number: of the slab at work, from 1.
        rows: what the report has of the ended ones.
    """

    def __init__(self, checked: Checked) -> None:
        self._checked, self.count, self.number = checked, checked.cfg.training.slabs, 1
        self.rows: list[dict[str, Any]] = []
        self._states: list[Mapping[str, Tensor]] = []
        self._starts: list[SlabStart] = []
        self._stacked: dict[str, Tensor] = {}

    @property
    def divided(self) -> bool:
        """Whether there is more than one."""
        return self.count > 1

    @property
    def number_if_divided(self) -> int | None:
        """Number of the slab at work; None where there is one."""
        return self.number if self.divided else None

    @property
    def is_last(self) -> bool:
        """Whether the one at work is the last."""
        return self.number == self.count

    @property
    def name(self) -> str:
        """The one at work in words, such as `slab 2 of 4`; empty where there is one."""
        return f"slab {self.number} of {self.count}" if self.divided else ""

    @property
    def times(self) -> tuple[float, float]:
        """Start and end of the slab at work."""
        length = self._whole.final_time / self.count
        return (self.number - 1) * length, self.number * length

    @property
    def reached(self) -> System:
        """The system from its start to the end of the slab at work."""
        return until(self._whole, self.number, self.count)

    @property
    def _whole(self) -> System:
        return self._checked.loss.system

    def checked(self) -> Checked:
        """Return what the slab at work is to be built of."""
        if not self.divided:
            return self._checked
        slab = slab_of(self._whole, self.number, self.count, self._start())
        loss = physics_loss(self._checked.cfg, system=slab)
        return replace(
            self._checked,
            loss=loss,
            against=self._between(*self.times),
            slab=(self.number, self.count),
        )

    def warm(self, network: FieldNetwork) -> None:
        """Give a network the parameters that the former slab has ended with, if there is one."""
        if self._states:
            network.load_state_dict(dict(self._states[-1]))

    def end(self, network: FieldNetwork, row: Mapping[str, Any]) -> None:
        """Go on to the next slab, which starts where a network ends.

        Args:
            network: of the slab at work, trained.
            row: what the report has of it.
        """
        if self._starts:  # the next start asks for values of this one at the points it has kept
            self._starts[-1].close()
        if len(self._starts) > 1:
            self._starts[-2].forget()
        self._starts.append(SlabStart(network, self._start(), keep=True))
        self._add(network.state_dict(), row)

    def _add(self, state: Mapping[str, Tensor], row: Mapping[str, Any]) -> None:
        self._states.append({key: value.detach().cpu().clone() for key, value in state.items()})
        self._stacked = stacked(self._states)
        self.rows.append(dict(row))
        self.number += 1

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds of the slabs, nothing where there is one."""
        return {**self.networks_dict(), ROWS: list(self.rows)} if self.divided else {}

    def networks_dict(self) -> dict[str, Any]:
        """Return what a file with a network of the slab at work holds of the others."""
        return {SLAB: self.number, FORMER: self._stacked} if self.divided else {}

    def take_up(self, saved: Mapping[str, Any], file: Path) -> None:
        """Go on where a checkpoint is.

        Args:
            saved: its content.
            file: that it was read from.

        Raises:
            RunError: if what it has of slabs cannot be right.
        """
        if not self.divided:
            return
        with damaged(file):
            states, rows = former_states(saved, self.count), ended_rows(saved)
            self.number, self.rows, self._states, self._starts = 1, [], [], []
            with on_cpu():
                for state, row in zip(states, rows, strict=True):
                    slab = slab_of(self._whole, self.number, self.count, self._start())
                    network = with_state(network_of(self._checked.cfg, slab), state)
                    self._starts.append(SlabStart(network, self._start(), keep=True))
                    self._add(state, row)

    def over_all_times(self, network: FieldNetwork) -> FieldNetwork | SlabNetworks:
        """Return the networks of all slabs so far as one.

        Args:
            network: of the slab at work.

        Returns:
            The network itself where there is one slab.
        """
        if not self.divided:
            return network
        states, cfg = [*self._states, network.state_dict()], self._checked.cfg
        with on_cpu():
            found = build_networks(
                self._whole, self.count, states, lambda slab: network_of(cfg, slab)
            )
        return found.to(network.centre.device)

    def evaluator(self, network: FieldNetwork, *, alone: bool = False) -> Evaluator:
        """Return what measures errors in the float type of a network, and where it lies.

        Args:
            network: gives both.
            alone: whether on the slab at work alone, instead of from the first time on.
        """
        system, begin = self.reached, 0.0
        if alone:
            system, begin = slab_of(self._whole, self.number, self.count), self.times[0]
        like = network.centre
        against = self._between(begin, self.times[1])
        return Evaluator(system, like.device, like.dtype, against=against)

    def against(self) -> KnownSolution | None:
        """Return what fields are compared with up to the end of the slab at work, if anything."""
        if not self.divided:
            return self._checked.against
        known = self._between(0.0, self.times[1])
        return known if known is not None and len(known.inputs) else None

    def _between(self, begin: float, end: float) -> KnownSolution | None:
        known = self._checked.against
        return None if known is None else between(known, begin, end)

    def _start(self) -> SlabStart | None:
        return self._starts[-1] if self._starts else None


def network_of(cfg: Config, slab: SlabSystem) -> FieldNetwork:
    """Return the network of a slab that a configuration describes, its parameters as drawn."""
    return field_network(cfg, physics_loss(cfg, rk4=False, system=slab))


def ended_rows(saved: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the report that a checkpoint has of ended slabs.

    Args:
        saved: its content, with a sound number of the slab at work.

    Returns:
        One a slab before that.

    Raises:
        ArgumentError: if there are others, or one is damaged.
    """
    rows = check_list(ROWS, saved.get(ROWS), "be a list of rows")
    if len(rows) != saved[SLAB] - 1:
        raise ArgumentError(ROWS, f"hold {saved[SLAB] - 1} rows", len(rows))
    for row in rows:
        check_mapping(ROWS, row)
        for key in ("slab", "lower", "upper", "seconds"):
            check_number(f"{ROWS}.{key}", row.get(key), 0)
    return rows


def former_states(saved: Mapping[str, Any], count: int) -> Sequence[Mapping[str, Tensor]]:
    """Return the states of the networks of ended slabs.

    Args:
        saved: a checkpoint, or the file of a best network.
        count: how many slabs the run has.

    Returns:
        One a slab before the one at work.

    Raises:
        ArgumentError: if there are others than its number says.
    """
    check_number(SLAB, saved.get(SLAB), 1, count, integer=True)
    check_mapping(FORMER, saved.get(FORMER))
    former, wanted = saved[FORMER], saved[SLAB] - 1
    if not all(isinstance(v, Tensor) and v.ndim and len(v) == wanted for v in former.values()):
        raise ArgumentError(FORMER, f"hold tensors of {wanted} networks", "others")
    if bool(former) != bool(wanted):
        raise ArgumentError(FORMER, f"hold {wanted} networks", f"{len(former)} tensors")
    return unstacked(former) if former else []
