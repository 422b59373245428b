"""The end of a trained network as the start of the next slab."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator

import torch
from torch import Tensor

from pinn_ext.networks import FieldNetwork
from pinn_ext.slabs.kept_start import KeptStart, Levels

_ORDER = 2  # of the derivatives that a constrained expression is differentiated by
_MOST_SETS = 12  # of positions: nodes, points, and those of errors, in both float types
_BEYOND = (
    "The start of a slab has second derivatives at most while it is trained, and a higher one was "
    "asked for."
)


class SlabStart:
    """The fields of a trained network at the end of its slab, as a function of position.

    A copy of the network is evaluated in float64 on the CPU, whatever the training is in: a start
    with second derivatives out of float32 would be rough. Its own start is made of the networks of
    all slabs before, which are evaluated one after the other. Where values are kept, that is done
    once for each set of positions, with first and second derivatives, so that a step of training
    costs the same in each slab.

    Args:
        network: of the slab that has ended; it stays as it is.
        former: the start of that slab, None for the first one.
        keep: whether values are kept, for a training; without, derivatives of any order are there.
    """

    def __init__(
        self, network: FieldNetwork, former: SlabStart | None = None, *, keep: bool = False
    ) -> None:
        self._network = copy.deepcopy(network).cpu().double().eval().requires_grad_(False)
        self._before: list[SlabStart] = [] if former is None else [*former._before, former]
        self.kept = KeptStart(self._end, _ORDER, _BEYOND, _MOST_SETS) if keep else None
        self._given: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Return u and v `[N, 2]` at positions `[N, dimension]`, in their float type and place."""
        exact = x.cpu().double()
        if self.kept is None:
            fields = self._followed(exact) if self._given is None else self._given
        else:
            order = _ORDER if torch.is_grad_enabled() and exact.requires_grad else 0
            with self._former_known(exact, order):
                fields = self.kept(exact)
        return fields.to(x.dtype).to(x.device)

    def close(self) -> None:
        """Keep the values that there are, and no further ones: the slab is trained."""
        if self.kept is not None:
            self.kept.close()

    def forget(self) -> None:
        """Give back the memory of kept values."""
        if self.kept is not None:
            self.kept.forget()

    def _end(self, x: Tensor) -> Tensor:
        """Return the fields `[N, 2]` at the end of the slab, at positions `[N, dimension]`."""
        time = x.new_full((len(x), 1), self._network.system.final_time)
        return self._network(torch.cat((x, time), dim=1))

    def _followed(self, x: Tensor) -> Tensor:
        """Return the fields `[N, 2]` through all networks; a loop, as calls cannot nest so deep."""
        fields = x.new_empty(0)
        for former, start in zip([None, *self._before], [*self._before, self], strict=True):
            with contextlib.nullcontext() if former is None else former._answering(fields):
                fields = start._end(x)
        return fields

    @contextlib.contextmanager
    def _answering(self, fields: Tensor) -> Iterator[None]:
        """Have the answer to the next call, at positions that are known to whoever makes it."""
        self._given = fields
        try:
            yield
        finally:
            self._given = None

    @contextlib.contextmanager
    def _former_known(self, x: Tensor, order: int) -> Iterator[None]:
        """Give the start of the slab before its values at some positions, if they are needed."""
        known = self._kept()
        if known.has(x, order) or not self._before:
            yield
            return
        starts = [start._kept() for start in self._before]
        held = [number for number, start in enumerate(starts) if start.has(x, order)]
        levels: Levels = ()
        for number in range(held[-1] if held else 0, len(starts)):
            given = starts[number - 1].given(x, levels) if levels else contextlib.nullcontext()
            with given:
                levels = starts[number].levels(x, order)
        with starts[-1].given(x, levels):
            yield

    def _kept(self) -> KeptStart:
        if self.kept is None:
            raise RuntimeError(
                "Each start of a training must keep its values, got one that does not."
            )
        return self.kept
