"""Random smooth fields: what their spectrum says of them."""

import math

import pytest
import torch

from pinn_ext.datasets.families import Spectrum, random_fields

SIDES = [0.0, -1.0], [2.0, 3.0]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def points(n=40):
    x = torch.rand(n, 2, generator=generator(9), dtype=torch.float64)
    return torch.tensor(SIDES[0], dtype=torch.float64) + x * torch.tensor([2.0, 4.0])


@pytest.mark.parametrize("kind", ["fourier", "gaussian"])
def test_mean_and_variance_over_the_random_numbers(kind):
    draws = generator()
    values = torch.stack(
        [random_fields(points(2), *SIDES, Spectrum(kind, 2), draws) for _ in range(1500)]
    )
    assert values.mean(dim=0).abs().max() < 0.13  # five standard errors
    assert (values.var(dim=0) - 1.0).abs().max() < 0.2
    u, v = values[:, 0].T
    assert abs(float((u * v).mean())) < 0.13  # drawn apart


def test_a_fourier_field_repeats_with_the_box():
    x = points()
    moved = x + torch.tensor([2.0, -4.0])
    both = [random_fields(at, *SIDES, Spectrum(), generator(3)) for at in (x, moved)]
    torch.testing.assert_close(both[0], both[1], rtol=0, atol=1e-12)


def test_no_wave_is_shorter_than_asked_for():
    n = 16
    line = torch.stack((torch.arange(n) * 2.0 / n, torch.zeros(n)), dim=1).double()
    field = random_fields(line, *SIDES, Spectrum("fourier", 3), generator(1))
    size = torch.fft.rfft(field, dim=0).abs()
    assert size[4:].max() < 1e-10 < size[:4].min()


def test_the_covariance_of_a_gaussian_field():
    pair = torch.tensor([[0.5, 0.5], [0.8, 0.5]], dtype=torch.float64)
    draws = generator()
    values = torch.stack(
        [random_fields(pair, *SIDES, Spectrum("gaussian", 3), draws)[:, 0] for _ in range(1500)]
    )
    length = 2.0 / (2.0 * math.pi) * math.sqrt(2.0 / 3.0)
    wanted = math.exp(-(0.3**2) / (2.0 * length**2))
    assert float((values[:, 0] * values[:, 1]).mean()) == pytest.approx(wanted, abs=0.13)


def test_the_field_does_not_depend_on_the_other_points():
    x = points()
    for kind in ("fourier", "gaussian"):
        whole = random_fields(x, *SIDES, Spectrum(kind), generator(5))
        part = random_fields(x[7:9], *SIDES, Spectrum(kind), generator(5))
        torch.testing.assert_close(whole[7:9], part, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("white", 3), "`fields` must be one of fourier, gaussian, got 'white'"),
        (("fourier", 0), "`waves` must be a whole number >= 1, got 0"),
    ],
)
def test_what_is_no_spectrum(arguments, message):
    with pytest.raises(ValueError, match=message):
        Spectrum(*arguments)
