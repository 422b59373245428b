"""A copy of what a training step changes, so that a bad step can be undone."""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

_SAMPLE = 66
"""How many numbers are looked at after every step; Python adds them up in a few microseconds."""


class Snapshot:
    """Parameters, external variables, optimiser and learning rate of a model at one moment.

    It is taken after every step, so it is made to be cheap: the tensors are found once, and
    those in main memory are copied as plain memory, which costs half of what a `_foreach_copy_`
    does after a step has emptied the processor's caches. The moments of torch's own optimisers are
    laid side by side in one piece of memory, so that a single copy takes them all. Optimisers
    that keep more than tensors, or are none of torch's own, are searched again each time.

    Args:
        model: a compiled DeepXDE model.
        parameters: the tensors that training moves, external variables included.

    Attributes:
        device: where the copied parameters lie, None where they are not in one piece.
    """

    def __init__(self, model: Any, parameters: Sequence[Tensor]) -> None:
        self.model = model
        self.parameters = list(parameters)
        self.device = parameters[0].device if _is_one_piece(parameters) else None
        self.taken = False
        self._stale = True
        self._state: Any = None
        self._entries = -1
        self._views: list[tuple[memoryview, memoryview]] = []
        self._groups: list[tuple[list[Tensor], list[Tensor]]] = []
        self._kept: list[Tensor] = []
        self._flat: Tensor | None = None
        self._sample: memoryview | None = None
        self._addresses: list[int] = []
        self._shallow: list[tuple[Any, dict[str, Any], dict[str, Any]]] = []
        self._attributes: dict[str, Any] = {}
        self._schedule: dict[str, Any] = {}
        self._rates: list[Any] = []

    def look_around(self) -> None:
        """Search again at the next `take` if someone has given a parameter other memory."""
        if self._addresses != [parameter.data_ptr() for parameter in self.parameters]:
            self._stale = True

    def take(self) -> None:
        """Copy the present values."""
        state = self.model.opt.state
        if self._stale or state is not self._state or len(state) != self._entries:
            self._search(state)
        for kept_view, live_view in self._views:
            kept_view[:] = live_view
        if self._groups:
            with torch.no_grad():
                for kept, live in self._groups:
                    torch._foreach_copy_(kept, live)
        scheduler = self.model.lr_scheduler
        if scheduler is not None:
            self._schedule = dict(vars(scheduler))
            self._rates = [group["lr"] for group in self.model.opt.param_groups]
        self.taken = True

    def looks_finite(self) -> bool:
        """Return whether the copied parameters look finite, by a sample of them if that is cheap.

        The sample holds the smallest tensors: biases and external variables. A number that is
        not finite spreads to those through the backward pass of any network of layers.
        """
        if self._sample is not None and math.isfinite(sum(self._sample)):
            return True
        return self.is_finite()

    def finite(self) -> Tensor:
        """Return whether the sum of the copied parameters is finite, one bool that is not read."""
        assert self._flat is not None  # `device` has said so
        return self._flat.sum().isfinite()

    def is_finite(self) -> bool:
        """Return whether all copied parameters are finite numbers."""
        if self._flat is not None and bool(self.finite()):
            return True
        # A sum of finite numbers may overflow.
        return all(bool(kept.isfinite().all()) for kept in self._kept)

    def restore(self) -> None:
        """Put everything back as it was when the copy was taken."""
        optimizer = self.model.opt
        known = {id(key) for key, _, _ in self._shallow}
        for key in [key for key in optimizer.state if id(key) not in known]:
            del optimizer.state[key]  # made by the undone step
        for key, entry, values in self._shallow:
            entry.clear()
            entry.update(values)
            optimizer.state[key] = entry
        for name, value in self._attributes.items():
            setattr(optimizer, name, value.clone() if isinstance(value, Tensor) else value)
        for kept_view, live_view in self._views:
            live_view[:] = kept_view
        with torch.no_grad():
            for kept, live in self._groups:
                torch._foreach_copy_(live, kept)
            for parameter, copied in zip(self.parameters, self._kept, strict=True):
                parameter.copy_(copied)  # its memory may have been replaced since
        if self.model.lr_scheduler is not None:
            vars(self.model.lr_scheduler).update(self._schedule)
            for group, rate in zip(optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate

    def _search(self, state: Any) -> None:
        """Find what is to be copied; optimisers make their state in their first step."""
        optimizer = self.model.opt
        own = type(optimizer).__module__.startswith("torch.optim")
        values = [value for entry in state.values() for value in entry.values()]
        tensors = [value for value in values if isinstance(value, Tensor)]
        self._attributes = {} if own else _attributes(optimizer)
        self._stale = not own or len(tensors) < len(values)
        self._state, self._entries = state, len(state)

        if not self._stale and tensors:
            tensors = _side_by_side(state)
        self._shallow = [
            (key, entry, {name: _held(value, own) for name, value in entry.items()})
            for key, entry in state.items()
        ]

        self._flat, self._kept = _flat_copy(self.parameters)
        self._sample = None if self._flat is None else _sample(self._flat, self.parameters)
        self._addresses = [parameter.data_ptr() for parameter in self.parameters]
        live = [*self.parameters, *tensors]
        kept = [*self._kept, *_flat_copy(tensors)[1]]
        self._views = []
        groups: defaultdict[Any, tuple[list[Tensor], list[Tensor]]]
        groups = defaultdict(lambda: ([], []))
        for copied, tensor in zip(kept, live, strict=True):
            pair = _memory(copied), _memory(tensor)
            if pair[0] is not None and pair[1] is not None:
                self._views.append(pair)  # type: ignore[arg-type]
            else:
                group = groups[tensor.device, tensor.dtype]
                group[0].append(copied)
                group[1].append(tensor)
        self._groups = list(groups.values())


def _side_by_side(state: Any) -> list[Tensor]:
    """Move all tensors of an optimiser's state into one piece of memory for each type.

    Args:
        state: maps parameters to entries that hold nothing but tensors, which change in place.

    Returns:
        The pieces, one vector each; tensors outside of the main memory as they are.
    """
    groups: defaultdict[torch.dtype, list[tuple[dict[str, Any], str]]] = defaultdict(list)
    others = []
    for entry in state.values():
        for name, value in entry.items():
            if value.is_cpu and value.layout == torch.strided and value.is_contiguous():
                groups[value.dtype].append((entry, name))
            else:
                others.append(value)
    return [*map(_one_piece, groups.values()), *others]


def _one_piece(places: Sequence[tuple[dict[str, Any], str]]) -> Tensor:
    """Return one vector that the tensors at all places are parts of, moving them if need be."""
    tensors = [entry[name] for entry, name in places]
    storage = tensors[0].untyped_storage()
    if all(tensor.untyped_storage().data_ptr() == storage.data_ptr() for tensor in tensors):
        # Another snapshot's doing.
        return torch.empty(0, dtype=tensors[0].dtype, device="cpu").set_(storage)
    # Each begins on a boundary of 64 bytes, as a tensor alone would: sums stay bit for bit.
    unit = max(1, 64 // tensors[0].element_size())
    sizes = [-(-tensor.numel() // unit) * unit for tensor in tensors]
    whole = torch.zeros(sum(sizes), dtype=tensors[0].dtype, device="cpu")
    for (entry, name), tensor, part in zip(places, tensors, whole.split(sizes), strict=True):
        entry[name] = part[: tensor.numel()].view(tensor.shape).copy_(tensor)
    return whole


def _is_one_piece(tensors: Sequence[Tensor]) -> bool:
    """Return whether copies of the tensors make one vector: they are of one kind, on one device."""
    return len({(tensor.dtype, tensor.device) for tensor in tensors}) == 1


def _flat_copy(tensors: Sequence[Tensor]) -> tuple[Tensor | None, list[Tensor]]:
    """Return room for a copy of each tensor, as parts of one vector where that is possible.

    The smallest tensors come first in it.
    """
    if not _is_one_piece(tensors):
        return None, [torch.empty_like(tensor.detach()) for tensor in tensors]
    sizes = [tensor.numel() for tensor in tensors]
    flat = torch.empty(sum(sizes), dtype=tensors[0].dtype, device=tensors[0].device)
    order = sorted(range(len(sizes)), key=sizes.__getitem__)
    parts = dict(zip(order, flat.split([sizes[i] for i in order]), strict=True))
    return flat, [parts[i].view(tensor.shape) for i, tensor in enumerate(tensors)]


def _sample(flat: Tensor, tensors: Sequence[Tensor]) -> memoryview | None:
    """Return the numbers of the smallest half of the tensors, None where they cannot be read."""
    sizes = sorted(tensor.numel() for tensor in tensors)
    count = min(sum(sizes[: (len(sizes) + 1) // 2]), _SAMPLE)
    if not flat.is_cpu or flat.dtype not in (torch.float32, torch.float64):
        return None
    data: Any = flat[:count].numpy()
    return memoryview(data)


def _memory(tensor: Tensor) -> memoryview | None:
    """Return the bytes of a tensor in main memory, None where they are not in one piece."""
    tensor = tensor.detach()
    if not tensor.is_cpu or not tensor.is_contiguous() or tensor.layout != torch.strided:
        return None
    if tensor.numel() == 0:
        return None
    data: Any = tensor.view(-1).view(torch.uint8).numpy()
    return memoryview(data)


def _held(value: Any, own: bool) -> Any:
    """Return an entry of an optimiser's state in a form that later steps do not change."""
    if isinstance(value, Tensor):
        return value  # its numbers are copied apart
    if own and isinstance(value, list):  # L-BFGS changes its lists, not what they hold
        return list(value)
    return copy.deepcopy(value)


def _attributes(optimizer: Any) -> dict[str, Any]:
    """Return numbers and tensors that an optimiser such as NNCG keeps beside its state."""
    kinds = (Tensor, int, float, type(None))
    return {
        name: value.detach().clone() if isinstance(value, Tensor) else value
        for name, value in vars(optimizer).items()
        if isinstance(value, kinds)
    }
