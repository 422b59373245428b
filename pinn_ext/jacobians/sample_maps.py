"""Which samples of a network's calls belong to which residual rows, found by differentiating."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ext.jacobians.linear_layers import LinearTape, Use

_FEW = 16  # samples a group up to which each gets its own slice or index


@dataclass(frozen=True)
class CallMap:
    """The samples of one call, by group of rows.

    Attributes:
        index: sample numbers `[G, s]`; the number of samples itself stands for "none".
        starts: where the groups of samples begin, if each of the `s` columns counts up by one.
        absent: numbers of the samples that no row depends on.
        padded: whether some group has fewer samples than another.
    """

    index: Tensor
    starts: tuple[int, ...] | None
    absent: Tensor
    padded: bool

    def gather(self, values: Tensor, first: int, last: int) -> list[Tensor]:
        """Return values of samples `[S, width]` by group, as tensors `[last - first, ., width]`."""
        if self.starts is not None:
            return [values[start + first : start + last, None] for start in self.starts]
        index = self.index[first:last]
        if not self.padded:
            return [values[index]]
        none = index == len(values)
        return [values[index.masked_fill(none, 0)].masked_fill(none[..., None], 0.0)]

    def touches_absent(self, delta: Tensor) -> Tensor:
        """Return whether a sample matters that did not when the map was made, as a tensor `[]`."""
        return delta[self.absent].any()


@dataclass(frozen=True)
class TermMap:
    """The groups of one term: rows `g R, …, g R + R - 1` depend on the samples of group g only.

    Attributes:
        groups: their number G.
        calls: by number of the call.
    """

    groups: int
    calls: dict[int, CallMap]


def find_map(tape: LinearTape, residual: Tensor, blocks: int) -> TermMap | None:
    """Find which samples a term's rows depend on.

    Rows are multiplied with numbers that differ from group to group; the factor by which the
    gradient of a sample then grows says the group. First each row is tried as a group, then
    each of `blocks` equal blocks of rows, which are believed.

    Args:
        tape: holds the calls that `residual` was computed from.
        residual: `[n]`.
        blocks: how many blocks of rows share no sample, as the caller says.

    Returns:
        The map with as many groups as possible, None if rows of different blocks share a sample.
    """
    plain = tape.backward(residual, torch.ones_like(residual))
    for groups in dict.fromkeys((len(residual), blocks, 1)):
        if len(residual) % groups == 0:
            owners = _owners(tape, residual, plain, groups)
            if owners is not None:
                return TermMap(groups, {c: _call_map(o, groups) for c, o in owners.items()})
    return None


def _owners(
    tape: LinearTape, residual: Tensor, plain: list[Use], groups: int
) -> dict[int, Tensor] | None:
    """Return the group of each sample `[S]`, -1 for none, by call; None if samples are shared."""
    size = len(residual) // groups
    numbers, digits = _digits(groups, residual)
    owners: dict[int, Tensor] = {}
    for place, digit in enumerate(digits):
        seeded = tape.backward(residual, numbers[digit].repeat_interleave(size))
        for call, (one, other) in _pairs(plain, seeded).items():
            value = _positions(one, other, numbers)
            if value is None:
                return None
            part = value * len(numbers) ** place
            owners[call] = part if place == 0 else owners[call] + part
            owners[call][value < 0] = -1
    if any(bool((owner >= groups).any()) for owner in owners.values()):
        return None
    return owners


def _digits(groups: int, like: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return multipliers, increasing, and the digits `[G]` of each group's number.

    There are as many multipliers as rounding lets us tell apart, and as many digits as it takes.
    """
    base = min(groups, 20_000 if like.dtype == torch.float64 else 50)
    generator = torch.Generator("cpu").manual_seed(0)
    jitter = torch.rand(base, generator=generator, dtype=torch.float64, device="cpu")
    steps = torch.arange(base, dtype=torch.float64, device="cpu") + 0.5 * jitter
    numbers = (1.0 + steps / base).to(like.device, like.dtype)
    group = torch.arange(groups, device=like.device)
    digits = [group % base]
    while bool((group >= base).any()):
        group = group // base
        digits.append(group % base)
    return numbers, digits


def _pairs(plain: list[Use], seeded: list[Use]) -> dict[int, tuple[Tensor, Tensor]]:
    """Return what both passes left behind at each call's samples, `[S, width]` each."""
    columns: dict[int, tuple[list[Tensor], list[Tensor]]] = {}
    for one, other in zip(plain, seeded, strict=True):
        first, second = columns.setdefault(one.call, ([], []))
        first.append(one.seeded)
        second.append(other.seeded)
    return {
        call: (torch.cat(first, dim=1), torch.cat(second, dim=1))
        for call, (first, second) in columns.items()
    }


def _positions(one: Tensor, other: Tensor, numbers: Tensor) -> Tensor | None:
    """Return where in `numbers` the factor from `one` to `other` stands `[S]`, -1 for zero samples.

    None if some sample has no such factor: then several groups depend on it.
    """
    live = one.any(dim=1) | other.any(dim=1)
    ratio = (one * other).sum(dim=1) / (one * one).sum(dim=1)
    tolerance = min(0.1 / len(numbers), 1e-7 if one.dtype == torch.float64 else 2e-3)
    right = torch.searchsorted(numbers, ratio).clamp(0, len(numbers) - 1)
    left = (right - 1).clamp(min=0)
    nearer = (numbers[left] - ratio).abs() < (numbers[right] - ratio).abs()
    position = torch.where(nearer, left, right)
    proportional = (other - ratio[:, None] * one).norm(dim=1) <= tolerance * other.norm(dim=1)
    fits = ((numbers[position] - ratio).abs() <= tolerance) & proportional
    if not bool((fits | ~live).all()):
        return None
    return torch.where(live, position, -1)


def _call_map(owner: Tensor, groups: int) -> CallMap:
    """Return the map of a call whose samples `[S]` belong to the groups in `owner`, -1 to none."""
    live = owner >= 0
    order = torch.argsort(owner, stable=True)[len(owner) - int(live.sum()) :]
    sorted_owner = owner[order]
    counts = torch.bincount(sorted_owner, minlength=groups)
    width = int(counts.max())
    first = torch.cumsum(counts, 0) - counts
    place = torch.arange(len(order), device=owner.device) - first[sorted_owner]
    index = owner.new_full((groups, width), len(owner))
    index[sorted_owner, place] = order
    padded = bool((counts < width).any())
    starts = None
    if not padded and width <= _FEW and bool((index.diff(dim=0) == 1).all()):
        starts = tuple(index[0].tolist())
    return CallMap(index, starts, torch.nonzero(~live)[:, 0], padded)
