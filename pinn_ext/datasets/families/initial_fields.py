"""Random smooth fields: periodic sums of waves on a box, and Gaussian random fields anywhere.

Both are sums of cosines of random phase, so they are functions of position: the same field can be
taken on any nodes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinn_ext.checks import check_choice, check_number
from pinn_ext.choices import INITIAL_FIELDS

_GAUSSIAN_WAVES = 96  # so many that the sum is normally distributed, as the central limit has it


@dataclass(frozen=True)
class Spectrum:
    """How smooth a random field is; each has mean 0 and variance 1 over its random numbers.

    `"fourier"`: wave numbers `m` in whole periods of the box, `0 <= |m| <= waves`, each with a
    normal amplitude of variance proportional to `exp(-|m|^2 / waves)` (m = 0, a constant, among
    them), so the field repeats with the box. `"gaussian"`: the Gaussian field of covariance
    `exp(-|x - y|^2 / (2 l^2))`, `l = side / (2 pi) * sqrt(2 / waves)`, by as many random waves of
    normally distributed wave vectors (Rahimi and Recht 2007); a fourier field of as many waves is
    as rough.

    Attributes:
        kind: `"fourier"` or `"gaussian"`.
        waves: the largest number of periods along the box.

    Example:
        >>> Spectrum().text()
        'Fourier fields of up to 3 periods, variances ~ exp(-|m|^2 / 3)'
        >>> Spectrum("gaussian", waves=5).text()
        'Gaussian fields of correlation length side / (2 pi) sqrt(2 / 5)'
    """

    kind: str = "fourier"
    waves: int = 3

    def __post_init__(self) -> None:
        """Refuse what is no spectrum."""
        check_choice("fields", self.kind, INITIAL_FIELDS)
        check_number("waves", self.waves, 1, integer=True)

    def text(self) -> str:
        """Return it in a few words."""
        if self.kind == "fourier":
            law = f"exp(-|m|^2 / {self.waves})"
            return f"Fourier fields of up to {self.waves} periods, variances ~ {law}"
        return f"Gaussian fields of correlation length side / (2 pi) sqrt(2 / {self.waves})"


def random_fields(
    x: Tensor,
    lower: Sequence[float],
    upper: Sequence[float],
    spectrum: Spectrum,
    generator: torch.Generator,
) -> Tensor:
    """Return two random fields at some points.

    Args:
        x: positions `[n, dimension]`, float64 on the CPU.
        lower: lower end of the box along each axis.
        upper: upper end of the box along each axis.
        spectrum: of both.
        generator: gives the random numbers, as many whatever the points are.

    Returns:
        `[n, 2]`, mean 0 and variance 1 over the random numbers.

    >>> x = torch.tensor([[0.0], [2.0]], dtype=torch.float64)  # the ends of a period
    >>> fields = random_fields(x, [0.0], [2.0], Spectrum(), torch.Generator().manual_seed(0))
    >>> bool(torch.allclose(fields[0], fields[1]))
    True
    """
    low = torch.tensor(list(lower), dtype=torch.float64, device="cpu")
    sides = torch.tensor(list(upper), dtype=torch.float64, device="cpu") - low
    if spectrum.kind == "fourier":
        fields = [_periodic(x - low, sides, spectrum.waves, generator) for _ in range(2)]
    else:
        fields = [_gaussian(x - low, sides, spectrum.waves, generator) for _ in range(2)]
    return torch.stack(fields, dim=1)


def _periodic(x: Tensor, sides: Tensor, waves: int, generator: torch.Generator) -> Tensor:
    every = itertools.product(range(-waves, waves + 1), repeat=len(sides))
    # One of m and -m: they are the same wave.
    half = [m for m in every if m >= (0,) * len(sides) and sum(k * k for k in m) <= waves * waves]
    m = torch.tensor(half, dtype=torch.float64, device="cpu")
    variances = torch.exp(-m.square().sum(dim=1) / waves)
    amplitudes = (variances / variances.sum()).sqrt()
    cosines, sines = _normal((2, len(m)), generator) * amplitudes
    phases = 2.0 * math.pi * (x / sides) @ m.T
    # The constant has no sine: its cosine has the whole of its variance already.
    return phases.cos() @ cosines + phases.sin() @ sines


def _gaussian(x: Tensor, sides: Tensor, waves: int, generator: torch.Generator) -> Tensor:
    length = float(sides.min()) / (2.0 * math.pi) * math.sqrt(2.0 / waves)
    vectors = _normal((_GAUSSIAN_WAVES, len(sides)), generator) / length
    cosines, sines = _normal((2, _GAUSSIAN_WAVES), generator) / math.sqrt(_GAUSSIAN_WAVES)
    phases = x @ vectors.T
    return phases.cos() @ cosines + phases.sin() @ sines


def _normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu")
