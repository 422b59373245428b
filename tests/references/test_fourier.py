"""Grids and modes: evaluated at any point, moved between grids, differentiated."""

import numpy as np
import pytest

from pinn_ext.references.fourier import FourierGrid, SpectralDerivatives


def polynomial(x, real):
    """Return a trigonometric polynomial [2, N] of degree 5 with the periods 3 and 2."""
    a, b = 2 * np.pi * (x[:, 0] - 1.0) / 3, np.pi * x[:, -1]
    u = 0.3 + np.cos(5 * a) - 2 * np.sin(3 * a + 4 * b)
    v = np.sin(a) * np.cos(5 * b)
    return np.stack([u, v]) if real else np.stack([u + 1j * v, np.exp(4j * a)])


def grid(nodes, real=True):
    return FourierGrid([1.0, -1.0], [4.0, 1.0], nodes, real)


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("nodes", [12, 15])
def test_modes_give_the_polynomial_anywhere(real, nodes):
    g = grid(nodes, real)
    spectrum = g.spectrum(polynomial(g.points, real).reshape(2, nodes, nodes))
    x = np.random.default_rng(1).uniform([1, -1], [4, 1], (50, 2))
    assert g.at(spectrum, x) == pytest.approx(polynomial(x, real), abs=1e-13)
    assert g.at(spectrum, x + [3, -2]) == pytest.approx(polynomial(x, real), abs=1e-13)


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("to", [12, 13, 24, 31])
def test_grids_exchange_modes(real, to):
    g, other = grid(14, real), grid(to, real)
    spectrum = g.spectrum(polynomial(g.points, real).reshape(2, 14, 14))
    values = other.values(g.on(other, spectrum)).reshape(2, -1)
    assert values == pytest.approx(polynomial(other.points, real), abs=1e-13)


def test_modes_that_the_smaller_grid_lacks_are_dropped():
    g, other = FourierGrid([0], [1], 32, True), FourierGrid([0], [1], 8, True)
    spectrum = g.spectrum(np.cos(2 * np.pi * np.outer([3, 4, 5], g.axes[0])))
    kept = np.abs(g.on(other, spectrum)).max(axis=1)
    assert kept == pytest.approx([0.5, 0, 0], abs=1e-15)


def test_many_points_are_taken_in_blocks(monkeypatch):
    from pinn_ext.references import fourier

    g = grid(12)
    spectrum = g.spectrum(polynomial(g.points, True).reshape(2, 12, 12))
    x = np.random.default_rng(2).uniform([1, -1], [4, 1], (33, 2))
    whole = g.at(spectrum, x)
    monkeypatch.setattr(fourier, "_CHUNK", 10 * spectrum.size // 2)
    assert g.at(spectrum, x) == pytest.approx(whole, abs=1e-14)


def test_gradients_are_those_of_the_polynomial():
    g = grid(16)
    spectrum = g.spectrum(polynomial(g.points, True).reshape(2, 16, 16))
    x_part, y_part = SpectralDerivatives(g, spectrum).gradient(1)
    a, b = 2 * np.pi * (g.points[:, 0] - 1) / 3, np.pi * g.points[:, 1]
    assert x_part.ravel() == pytest.approx(2 * np.pi / 3 * np.cos(a) * np.cos(5 * b), abs=1e-12)
    assert y_part.ravel() == pytest.approx(-5 * np.pi * np.sin(a) * np.sin(5 * b), abs=1e-12)


def test_fields_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="same kind"):
        grid(8, True).on(grid(8, False), np.zeros((1, 8, 5)))
