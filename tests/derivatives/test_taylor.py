"""Derivatives carried forward: those of nested reverse passes, for values and for parameters."""

import gc
import itertools
import weakref

import pytest
import torch
from torch import nn

from pinn_ext import systems
from pinn_ext.datasets.collocation import collocation_points
from pinn_ext.derivatives.activations import activate, curve_of
from pinn_ext.derivatives.autograd import (
    AutogradDerivatives,
    differentiates_fields_only,
    fields_and_derivatives,
)
from pinn_ext.derivatives.precomputed import differentiate
from pinn_ext.derivatives.taylor import (
    Jet,
    JetDerivatives,
    OtherFieldError,
    attach,
    can_carry,
    jet_of,
)
from pinn_ext.jacobians.residual_jacobian import RowJacobian
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.networks import ACTIVATIONS, CONDITIONS, SCALINGS, FieldNetwork
from pinn_ext.networks.hard_conditions import HardConditions, periodic_features, periodic_slopes
from tests.pairs import pairwise

PROBLEMS = [
    (name, boundary) for name in systems.names() for boundary in systems.create(name).boundaries
]
every = pytest.mark.parametrize(("name", "boundary"), PROBLEMS)


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)


def network_of(system, conditions="hard", **options):
    return FieldNetwork(system, (9, 8), conditions=conditions, seed=4, **options)


def inputs_of(system, count=40):
    return collocation_points(system, count, "soft").inputs


def assert_close(mine, theirs, rel=1e-12):
    for one, other in zip(mine, theirs, strict=True):
        size = other.abs().max().item() or 1.0
        torch.testing.assert_close(one, other, rtol=0, atol=rel * size)


def derivatives(d, fields):
    return torch.stack(
        [part for f in fields for part in (f, *d.gradient(f), d.time(f), d.laplacian(f))]
    )


@pytest.mark.parametrize(
    ("problem", "activation", "conditions", "scaling"),
    pairwise(itertools.product(PROBLEMS, sorted(ACTIVATIONS), CONDITIONS, SCALINGS)),
)
def test_all_derivatives_and_their_gradients(problem, activation, conditions, scaling):
    """Also the gradient of a gradient, which the backward pass computes in another way."""
    name, boundary = problem
    system = systems.create(name, boundary=boundary)
    network = network_of(system, conditions, activation=activation, scaling=scaling)
    parameters = list(network.parameters())
    inputs = inputs_of(system).requires_grad_()
    known = None
    if conditions == "hard":
        known = differentiate(network.hard.data_part, inputs)
    answers = [network(inputs), attach(network.jet(inputs)), attach(network.jet(inputs, known))]
    found = []
    for answer in answers:
        u, v, d = fields_and_derivatives(answer, inputs)
        every_derivative = derivatives(d, (u, v))
        gradient = torch.autograd.grad(
            every_derivative.square().sum(), parameters, create_graph=True
        )
        second = torch.autograd.grad(sum((g * g).sum() for g in gradient), parameters)
        found.append([every_derivative, *gradient, *second])
    for mine in found[1:]:
        assert_close(mine, found[0])


@pytest.mark.parametrize("conditions", CONDITIONS)
@every
def test_the_loss_terms_and_their_gradients(name, boundary, conditions, monkeypatch):
    system = systems.create(name, boundary=boundary)
    network = network_of(system, conditions)
    points = collocation_points(system, 60, conditions)
    points.inputs.requires_grad_()
    loss = PhysicsLoss(system, conditions=conditions, use_rk4=False, scales=system.field_scales())
    found = []
    for has_jet in (True, False):
        monkeypatch.setattr(FieldNetwork, "has_jet", has_jet)
        outputs = loss.outputs(network, points)
        assert (jet_of(outputs) is not None) == has_jet
        rows = loss.residuals(network, points, outputs)
        gradient = torch.autograd.grad(
            sum(vector.square().mean() for vector in rows), list(network.parameters())
        )
        found.append([*rows, *gradient])
        assert loss.values(network, points) == pytest.approx(
            [vector.square().mean().item() for vector in rows], rel=1e-12
        )
    assert_close(*found, rel=1e-11)


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_activations_are_differentiated_right(activation, dimension):
    curve = curve_of(ACTIVATIONS[activation]())
    z, slopes = torch.randn(3, 2), torch.randn((dimension + 2) * 3, 2)
    inputs = (z.requires_grad_(), slopes.requires_grad_())

    def function(z, slopes):
        return activate(curve, z, slopes, dimension)

    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)
    for part in range(2):  # only one of the two answers matters
        assert torch.autograd.gradcheck(lambda *x, part=part: function(*x)[part], inputs)
    f, first, bend = curve.two(z)
    zero, one = torch.zeros_like(z), torch.ones_like(z)
    third = curve.back(z, f, first, bend, zero, zero, one)
    chain = [f, first, curve.factor * bend, third]
    for below, above in itertools.pairwise(chain):
        (true,) = torch.autograd.grad(below.sum(), z, retain_graph=True)
        torch.testing.assert_close(above, true)
    torch.testing.assert_close(f, ACTIVATIONS[activation]()(z), rtol=1e-14, atol=1e-15)


def test_gradients_in_batches_of_rows():
    """As a Jacobian of rows that fit no pattern asks for them."""
    system = systems.create("coupled_burgers")
    network = network_of(system)
    parameters = list(network.parameters())
    u = network.jet(inputs_of(system, 5)).laplacian[:, 0]
    together = torch.autograd.grad(
        u, parameters, torch.eye(5), is_grads_batched=True, retain_graph=True
    )
    for row in range(5):
        alone = torch.autograd.grad(u[row], parameters, retain_graph=True)
        assert_close([part[row] for part in together], alone)


@pytest.mark.parametrize("conditions", CONDITIONS)
@every
def test_calls_of_linear_layers_can_be_watched(name, boundary, conditions):
    """Every use of a weight is a product with one sample a point, so no pass a row is needed."""
    system = systems.create(name, boundary=boundary)
    network = network_of(system, conditions)
    points = collocation_points(system, 60, conditions)
    points.inputs.requires_grad_()
    loss = PhysicsLoss(system, conditions=conditions, use_rk4=False)

    def rows():
        return loss.residuals(network, points, loss.outputs(network, points))

    parameters = list(network.parameters())
    jacobian = RowJacobian(rows, parameters)
    sizes = [len(vector) for vector in rows()]
    out = torch.empty(sum(sizes), jacobian.num_parameters)
    vectors = jacobian([1.0] * len(sizes), out)
    assert jacobian.fallback is None
    gradient = torch.autograd.grad(sum(vector.sum() for vector in rows()), parameters)
    assert_close([out.sum(dim=0)], [torch.cat([part.flatten() for part in gradient])])
    assert_close(vectors, [vector.detach() for vector in rows()])


# ---- the parts ------------------------------------------------------------------------------


def polynomial(x):
    return torch.stack((x[:, 0] ** 2 * x[:, 2] + x[:, 1], x[:, 1] ** 3 * x[:, 2] ** 2), dim=1)


def wave(x):
    return torch.stack((torch.sin(x[:, 0] * x[:, 1]), torch.exp(x[:, 2] - x[:, 0])), dim=1)


def test_sums_products_and_units():
    x = torch.rand(20, 3)
    one, other = (differentiate(f, x).jet() for f in (polynomial, wave))
    units = torch.tensor([3.0, -0.5])
    cases = [
        (one + other, lambda x: polynomial(x) + wave(x)),
        (one * other, lambda x: polynomial(x) * wave(x)),
        (one.times(units), lambda x: units * polynomial(x)),
    ]
    for mine, function in cases:
        true = differentiate(function, x).jet()
        assert_close(
            (mine.value, mine.first, mine.laplacian), (true.value, true.first, true.laplacian)
        )


@every
def test_bubble_and_periodic_features(name, boundary):
    system = systems.create(name, boundary=boundary)
    x = inputs_of(system)
    hard = HardConditions(system)
    bubble = differentiate(lambda x: hard.bubble(x)[:, None].expand(-1, 2), x).jet()
    mine = hard.bubble_jet(x)
    assert_close(
        (mine.value, mine.first, mine.laplacian),
        (bubble.value[:, :1], bubble.first[..., :1], bubble.laplacian[:, :1]),
    )
    features = differentiate(lambda x: periodic_features(system, x)[:, :-1], x).jet()
    slopes = periodic_slopes(system, periodic_features(system, x))[..., :-1]
    assert_close((slopes[:-1], slopes[-1]), (features.first, features.laplacian))


# ---- when they are taken --------------------------------------------------------------------


class ProductForm(systems.System):
    """An equation that differentiates a product of the fields, if it is told to."""

    name, boundaries, default_nodes = "product_form", ("periodic",), 8
    boundary, lower, upper = "periodic", (0.0,), (1.0,)
    asks = True

    def rhs(self, u, v, d):
        (slope,) = (
            d.gradient(u * v) if self.asks else (u * d.gradient(v)[0] + v * d.gradient(u)[0],)
        )
        return d.laplacian(u) - slope, d.laplacian(v) + slope

    def exact(self, x, t):
        wave = torch.sin(2 * torch.pi * x[:, 0]) * torch.exp(-t)
        return torch.stack((wave, 2 * wave), dim=1)


def test_an_equation_that_differentiates_other_fields():
    """It takes reverse passes, and is as right as its expanded form."""
    expanded = ProductForm()
    expanded.asks = False
    assert not differentiates_fields_only(ProductForm())
    assert differentiates_fields_only(expanded)
    found = []
    for system in (ProductForm(), expanded):
        network, points = network_of(system), collocation_points(system, 30)
        points.inputs.requires_grad_()
        loss = PhysicsLoss(system, use_rk4=False)
        outputs = loss.outputs(network, points)
        assert (jet_of(outputs) is None) == system.asks
        rows = loss.residuals(network, points, outputs)
        total = sum(vector.square().mean() for vector in rows)
        found.append([*rows, *torch.autograd.grad(total, list(network.parameters()))])
    assert_close(*found)


def test_an_equation_that_shows_late_what_it_differentiates():
    system = ProductForm()
    system.asks = False
    network, points = network_of(system), collocation_points(system, 30)
    points.inputs.requires_grad_()
    loss = PhysicsLoss(system, use_rk4=False)
    before = loss.values(network, points)
    system.asks = True
    outputs = loss.outputs(network, points)
    assert jet_of(outputs) is not None
    rows = loss.residuals(network, points, outputs)
    assert [r.square().mean().item() for r in rows] == pytest.approx(before, rel=1e-12)
    assert loss.values(network, points) == pytest.approx(before, rel=1e-12)


def test_networks_that_have_been_changed_are_asked_themselves():
    system = systems.create("coupled_burgers")

    class Doubled(FieldNetwork):
        def forward(self, inputs, known=None):
            return 2.0 * super().forward(inputs, known)

    hooked, replaced, wrapped = network_of(system), network_of(system), network_of(system)
    hooked.layers[0].register_forward_hook(lambda *_: None)
    replaced.layers[1] = nn.Softplus()
    wrapped.forward = lambda inputs, known=None: FieldNetwork.forward(wrapped, inputs) + 1.0
    others = [Doubled(system, (4,)), hooked, replaced, wrapped]
    points = collocation_points(system, 10)
    points.inputs.requires_grad_()
    loss = PhysicsLoss(system, use_rk4=False)
    assert network_of(system).has_jet
    for network in others:
        assert not network.has_jet
        outputs = loss.outputs(network, points)
        torch.testing.assert_close(outputs, network(points.inputs))
        loss.residuals(network, points, outputs)
    plain = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))
    assert jet_of(loss.outputs(plain, points)) is None
    assert not can_carry(nn.Sequential(nn.GELU(approximate="tanh")))


def test_derivatives_of_other_fields_are_refused():
    jet = Jet(torch.rand(5, 2), torch.rand(2, 5, 2), torch.rand(5, 2))
    d = JetDerivatives(jet)
    u, v = d.fields
    assert torch.equal(d.time(v), jet.first[1, :, 1])
    for ask in (d.gradient, d.time, d.laplacian):
        with pytest.raises(OtherFieldError):
            ask(u + v)


def test_fields_that_do_not_lead_back_to_the_inputs_are_refused():
    """A tensor made from an answer has lost the derivatives: no zeros take their place."""
    system = systems.create("coupled_burgers")
    network, points = network_of(system), collocation_points(system, 10)
    points.inputs.requires_grad_()
    loss = PhysicsLoss(system, use_rk4=False)
    with pytest.raises(ValueError, match="`field` must be computed from the inputs"):
        loss(network, points, 1.0 * loss.outputs(network, points))
    # a field that is linear in the inputs has second derivatives, which are zero
    weight = torch.ones(2, requires_grad=True)
    field = points.inputs @ weight
    assert AutogradDerivatives(points.inputs).laplacian(field).tolist() == [0.0] * 10


def test_derivatives_go_with_the_values():
    jet = Jet(torch.rand(5, 2), torch.rand(2, 5, 2), torch.rand(5, 2))
    values, watch = attach(jet), weakref.ref(jet.first)
    assert jet_of(values).first is jet.first and jet_of(values.clone()) is None
    gc.disable()
    try:
        del jet, values
        assert watch() is None
    finally:
        gc.enable()
