"""Sines, Fourier features, a first layer that is not trained: how they start, what they carry."""

import itertools
import math

import pytest
import torch
from torch import nn

from pinn_ext import systems
from pinn_ext.datasets.collocation import collocation_points
from pinn_ext.derivatives.autograd import fields_and_derivatives
from pinn_ext.derivatives.layers import FixedLinear
from pinn_ext.derivatives.taylor import attach, jet_of
from pinn_ext.jacobians.residual_jacobian import RowJacobian
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.networks import FieldNetwork, Sine, init_sine
from tests.pairs import pairwise

KINDS = [
    {"activation": "sine", "w0": 4.0},
    {"activation": "sine", "w0": 2.0, "features": "fourier", "fourier_frequencies": 3},
    {"features": "fourier", "fourier_frequencies": 5, "fourier_scale": 1.5},
    {"activation": "gelu", "first_layer": "random"},
    {"activation": "sine", "first_layer": "random"},
    {"activation": "silu", "features": "fourier", "first_layer": "random"},
    {"sees_data": True},
    {"activation": "sine", "features": "fourier", "sees_data": True},
]


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)


def network_of(name="brusselator", hidden=(7, 6), **options):
    return FieldNetwork(systems.create(name), hidden, seed=3, **options)


def conditions_of(options, wanted):
    return "hard" if options.get("sees_data") else wanted


def chain(*widths, w0):
    layers = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [nn.Linear(n_in, n_out), Sine(w0)]
    return nn.Sequential(*layers[:-1])


# ---- how they start -------------------------------------------------------------------------


@pytest.mark.parametrize("w0", [4.0, 30.0])
def test_what_enters_each_sine_but_the_first_is_normal(w0):
    """Its variance is 1 minus exp(-2 s), s that of the layer before: 0.80 in deep layers."""
    network = init_sine(chain(3, *[400] * 5, 100, w0=w0), w0, seed=1).requires_grad_(False)
    generator = torch.Generator().manual_seed(2)
    x = 2.0 * torch.rand(500, 3, generator=generator) - 1.0
    squares = []
    for number, layer in enumerate(network):
        angle = w0 * x
        x = layer(x)
        if isinstance(layer, Sine):
            squares.append(x.square().mean().item())
            if number > 1:
                assert abs(angle.mean()) < 0.15
                assert 0.75 < angle.var() < 1.15
                assert angle.var().item() == pytest.approx(2.0 * squares[-2], rel=0.1)
                # a normal distribution has a kurtosis of 3, the uniform one of 1.8
                assert 2.6 < (angle / angle.std()).pow(4).mean() < 3.4
    assert 2.0 * squares[-1] == pytest.approx(0.797, rel=0.05)  # where 1 - exp(-2 s) = s
    assert x.std() == pytest.approx(0.893 / w0, rel=0.15)  # the last layer is of the same kind


def test_the_bounds_are_those_of_the_paper():
    network = init_sine(chain(2, 300, 200, 2, w0=5.0), 5.0, seed=0).requires_grad_(False)
    first, second, last = (layer for layer in network if isinstance(layer, nn.Linear))
    for tensor, bound in (
        (first.weight, 1 / 2),
        (first.bias, 1 / math.sqrt(2)),
        (second.weight, math.sqrt(6 / 300) / 5),
        (last.weight, math.sqrt(6 / 200) / 5),
    ):
        assert 0.95 * bound < tensor.abs().max() <= bound
        assert tensor.std() == pytest.approx(bound / math.sqrt(3), rel=0.1)
    assert not second.bias.any() and not last.bias.any()


def test_init_sine_draws_from_torch_or_from_a_seed():
    torch.manual_seed(4)
    one, other = init_sine(chain(2, 5, 1, w0=3.0)), init_sine(chain(2, 5, 1, w0=3.0))
    assert not torch.equal(one[0].weight, other[0].weight)
    before = torch.get_rng_state()
    made = chain(2, 5, 1, w0=3.0)
    torch.set_rng_state(before)
    same = [init_sine(made, seed=8)[0].weight.clone() for _ in range(2)]
    assert torch.equal(*same) and torch.equal(torch.get_rng_state(), before)
    assert init_sine(nn.Sequential(nn.Linear(2, 3, bias=False)), seed=1)[0].bias is None


def test_a_sine_network_starts_like_init_sine():
    network = network_of(activation="sine", w0=4.0)
    twin = chain(3, 7, 6, 2, w0=4.0)
    init_sine(twin, 4.0, seed=3)
    x = torch.rand(5, 3)
    assert torch.equal(network.layers(x), twin(x))


def test_the_default_network_keeps_its_bits():
    """Glorot normal weights and zero biases in the order of the layers, from one generator."""
    network = network_of()
    generator = torch.Generator().manual_seed(3)
    for layer in (own for own in network.layers if isinstance(own, nn.Linear)):
        n_out, n_in = layer.weight.shape
        draw = torch.randn(n_out, n_in, generator=generator) * (2.0 / (n_in + n_out)) ** 0.5
        assert torch.equal(layer.weight, draw) and not layer.bias.any()
    assert [type(layer) for layer in network.layers] == [nn.Linear, nn.Tanh] * 2 + [nn.Linear]


def test_fourier_features_are_cosines_and_sines_of_random_waves():
    network = network_of(features="fourier", fourier_frequencies=500, fourier_scale=2.5)
    waves, wave = network.layers[:2], network.layers[0].weight[:500].detach()
    x = 2.0 * torch.rand(9, 3) - 1.0
    wanted = torch.cat((torch.cos(x @ wave.T), torch.sin(x @ wave.T)), dim=1)
    torch.testing.assert_close(waves(x).detach(), wanted, rtol=0, atol=1e-12)
    assert wave.std() == pytest.approx(2.5, rel=0.05)
    assert network.layers[0].weight.requires_grad and network.layers[2].in_features == 1000


@pytest.mark.parametrize("options", KINDS[3:6])
def test_a_random_first_layer_is_saved_but_not_trained(options):
    network, other = network_of(**options), network_of(**options | {"activation": "tanh"})
    assert type(network.layers[0]) is FixedLinear and network.layers[0].bias.any()
    assert not any(name.startswith("layers.0") for name, _ in network.named_parameters())
    assert {"layers.0.weight", "layers.0.bias"} <= set(network.state_dict())
    before = network.layers[0].weight.clone()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network(torch.rand(4, 3)).square().sum().backward()
    network.requires_grad_(False).requires_grad_(True)  # as DeepXDE's tests do
    optimizer.step()
    assert torch.equal(network.layers[0].weight, before)
    other.load_state_dict(network.state_dict())
    assert torch.equal(other.layers[0].weight, before)


# ---- what they carry ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "name", "conditions"),
    pairwise(
        itertools.product(KINDS, ["brusselator", "coupled_burgers", "gray_scott"], ["hard", "soft"])
    ),
)
def test_derivatives_are_those_of_autograd(options, name, conditions):
    conditions = conditions_of(options, conditions)
    network = network_of(name, conditions=conditions, **options)
    assert network.has_jet
    inputs = collocation_points(network.system, 30, "soft").inputs.requires_grad_()
    found = []
    for answer in (network(inputs), attach(network.jet(inputs))):
        u, v, d = fields_and_derivatives(answer, inputs)
        parts = [p for f in (u, v) for p in (f, *d.gradient(f), d.time(f), d.laplacian(f))]
        every = torch.stack(parts)
        found.append([every, *torch.autograd.grad(every.square().sum(), network.parameters())])
    for mine, theirs in zip(*found, strict=True):
        size = theirs.abs().max().item() or 1.0
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-11 * size)


@pytest.mark.parametrize("options", KINDS)
def test_rows_of_the_jacobian_take_one_pass_a_term(options):
    system, conditions = systems.create("coupled_burgers"), conditions_of(options, "soft")
    network = network_of("coupled_burgers", conditions=conditions, **options)
    points = collocation_points(system, 40, conditions)
    points.inputs.requires_grad_()
    loss = PhysicsLoss(system, conditions=conditions, use_rk4=False)

    def rows():
        outputs = loss.outputs(network, points)
        assert jet_of(outputs) is not None
        return loss.residuals(network, points, outputs)

    parameters = list(network.parameters())
    jacobian = RowJacobian(rows, parameters)
    vectors = rows()
    out = torch.empty(sum(len(vector) for vector in vectors), jacobian.num_parameters)
    jacobian([1.0] * len(vectors), out)
    assert jacobian.fallback is None
    every = torch.cat([vector.reshape(-1) for vector in vectors])
    for row in range(0, len(every), 7):
        single = torch.autograd.grad(
            every[row], parameters, retain_graph=True, materialize_grads=True, allow_unused=True
        )
        wanted = torch.cat([part.reshape(-1) for part in single])
        torch.testing.assert_close(out[row], wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["brusselator", "gray_scott"])
def test_the_data_part_is_two_more_inputs(name):
    """Zero layers behind them: what is left are the data part and, times the bubble, its units."""
    network = network_of(name, hidden=[2], activation="tanh", sees_data=True)
    hard, points = network.hard, collocation_points(network.system, 12, "hard")
    data = hard.data_part(points.inputs).detach()
    first, last = (layer for layer in network.layers if isinstance(layer, nn.Linear))
    with torch.no_grad():
        first.weight.zero_()[:, -2:] = 1e-4 * torch.eye(2)  # where tanh is a straight line
        last.weight.copy_(1e4 * torch.eye(2))
    wanted = data + hard.bubble(points.inputs)[:, None] * data
    values = hard.values(points.inputs)
    for precomputed in (None, points.precomputed, values):
        found = network(points.inputs, precomputed).detach()
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-8)
    jets = [network.jet(points.inputs, precomputed) for precomputed in (None, points.precomputed)]
    for part in ("value", "first", "laplacian"):
        torch.testing.assert_close(*(getattr(jet, part) for jet in jets), rtol=1e-9, atol=1e-9)


# ---- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "sine", "w0": 0.0}, r"`w0` must be a finite number in \(0, 1000\], got 0"),
        ({"activation": "sine", "w0": 1e4}, r"`w0` must be a finite number in \(0, 1000\]"),
        ({"w0": 2.0}, "`w0` must be None unless activation='sine', as it has no effect, got 2"),
        ({"features": "waves"}, "`features` must be one of fourier, none, got 'waves'"),
        ({"fourier_scale": 2.0}, "`fourier_scale` must be None unless features='fourier'"),
        ({"fourier_frequencies": 2}, "`fourier_frequencies` must be None unless features='fourier"),
        ({"features": "fourier", "fourier_frequencies": 0}, "must be a whole number >= 1, got 0"),
        ({"features": "fourier", "fourier_scale": -1.0}, "`fourier_scale` must be a finite number"),
        (
            {"sees_data": True, "conditions": "soft"},
            "`sees_data` must be False without hard conditions, got True",
        ),
        ({"first_layer": "frozen"}, "`first_layer` must be one of random, trained, got 'frozen'"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        network_of(**options)


def test_bad_arguments_of_the_parts():
    with pytest.raises(ValueError, match=r"`w0` must be a finite number in \(0, 1000\], got -1"):
        Sine(-1)
    with pytest.raises(ValueError, match="`network` must have linear layers, got a Tanh"):
        init_sine(nn.Tanh())
    with pytest.raises(ValueError, match="`seed` must be a whole number"):
        init_sine(nn.Linear(1, 1), seed=0.5)
    assert "w0=2" in repr(Sine(2.0)) and "out_features=3" in repr(FixedLinear(2, 3))
