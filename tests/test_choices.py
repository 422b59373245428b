"""Names that are stated once are those that the packages know."""

from pinn_ext import choices
from pinn_ext.dde.gauss_newton.loop import WEIGHTS
from pinn_ext.networks import ACTIVATIONS, Sine
from pinn_ext.schema import Network
from pinn_ext.systems import domains
from solvers.gauss_newton import DAMPINGS
from solvers.operators import polynomial_fit, stencils


def test_the_solvers_have_them():
    assert set(choices.DAMPINGS) == set(DAMPINGS) - {"line_search"}
    assert choices.ORDERS["grid"] == stencils.ORDERS
    assert choices.ORDERS["cloud"] == choices.ORDERS["triangulation"] == polynomial_fit.ORDERS
    assert choices.ORDERS[choices.MESH] == polynomial_fit.ORDERS


def test_the_packages_have_them():
    assert set(choices.ACTIVATIONS) == set(ACTIVATIONS)
    assert sorted(choices.GEOMETRIES) == domains.names()
    assert set(choices.GN_WEIGHTS) < set(WEIGHTS)


def test_a_configuration_has_the_numbers_of_the_networks():
    network = Network()
    numbers = network.w0, network.fourier_frequencies, network.fourier_scale
    assert numbers == (Sine().w0, choices.FOURIER_FREQUENCIES, choices.FOURIER_SCALE)
    assert network.features in choices.FEATURES and network.first_layer in choices.FIRST_LAYERS
