"""The coordinate network: scaling, hard and periodic conditions, seeds, refusals."""

import math

import pytest
import torch

from pinn_ext import systems
from pinn_ext.derivatives.autograd import AutogradDerivatives
from pinn_ext.networks import FieldNetwork, term_scales
from pinn_ext.networks.hard_conditions import periodic_features

torch.set_num_threads(1)
F64 = torch.float64


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(F64)
    yield
    torch.set_default_dtype(torch.float32)


def inputs(system, count=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    unit = torch.rand(count, system.dimension + 1, generator=generator, dtype=F64)
    low = torch.tensor([*system.lower, 0.0], dtype=F64)
    return low + unit * (torch.tensor([*system.upper, system.final_time], dtype=F64) - low)


def answer_ones(network):
    """Make the last layer answer 1 and 1 whatever comes."""
    with torch.no_grad():
        network.layers[-1].weight.zero_()
        network.layers[-1].bias.fill_(1.0)
    return network


def seen_by_first_layer(network, points):
    seen = []
    hook = network.layers[0].register_forward_hook(lambda _, args, __: seen.append(args[0]))
    network(points)
    hook.remove()
    return seen[0]


# scaling: are inputs on [-1, 1], does the network answer in units of the fields?
SCALINGS = [("fields", True, True), ("inputs", True, False), ("none", False, False)]


@pytest.mark.parametrize(("scaling", "inputs_scaled", "fields_scaled"), SCALINGS)
def test_scaling(scaling, inputs_scaled, fields_scaled):
    system = systems.create("brusselator")
    network = answer_ones(FieldNetwork(system, (4,), conditions="soft", scaling=scaling))
    corners = torch.tensor([[0.0, 0.0, 0.0], [2.0, 2.0, 1.0], [1.0, 1.0, 0.5]])
    wanted = torch.tensor([[-1.0] * 3, [1.0] * 3, [0.0] * 3]) if inputs_scaled else corners
    torch.testing.assert_close(seen_by_first_layer(network, corners), wanted)
    units = system.field_scales() if fields_scaled else (1.0, 1.0)
    torch.testing.assert_close(network(corners), torch.tensor(units).expand(3, 2))


def test_given_scales_are_taken():
    system = systems.create("brusselator")
    network = answer_ones(FieldNetwork(system, (4,), conditions="soft", scales=(2.0, 30.0)))
    assert network(inputs(system, 1)).tolist() == [[2.0, 30.0]]
    assert term_scales(system, "fields", (2.0, 30.0)) == (2.0, 30.0)
    assert term_scales(system, "inputs") == (1.0, 1.0)


def test_a_field_without_data_needs_a_given_scale(monkeypatch):
    system = systems.create("coupled_burgers")
    monkeypatch.setattr(system, "field_scales", lambda: (0.7, 0.0))
    with pytest.raises(ValueError, match=r"`scales` must be given for coupled_burgers.*0\.7 and 0"):
        FieldNetwork(system)
    assert FieldNetwork(system, scales=(0.7, 0.1)).scales.tolist() == [0.7, 0.1]
    assert FieldNetwork(system, scaling="inputs").scales.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("name", systems.names())
def test_hard_conditions_wrap_the_scaled_answer(name):
    system = systems.create(name)
    network = answer_ones(FieldNetwork(system, (4,)))
    points = inputs(system)
    wanted = network.hard(points, torch.tensor(system.field_scales()).expand(len(points), 2))
    torch.testing.assert_close(network(points), wanted)
    points[:, -1] = 0.0
    torch.testing.assert_close(network(points), system.exact(points[:, :-1], points[:, -1]))


def test_periodic_features_repeat_with_the_box():
    system = systems.create("coupled_burgers")
    points = inputs(system)
    moved = points.clone()
    moved[:, 0] += 2 * math.pi
    features = periodic_features(system, points)
    assert features.shape == (50, 3)
    torch.testing.assert_close(periodic_features(system, moved), features)
    assert torch.equal(features[:, -1], points[:, -1])
    half = points.clone()
    half[:, 0] += math.pi
    assert not torch.allclose(periodic_features(system, half), features)


@pytest.mark.parametrize("name", ["coupled_burgers", "linear_reaction_diffusion"])
def test_a_hard_periodic_network_is_smooth_across_the_seam(name):
    system = systems.create(name)
    network = FieldNetwork(system, (8, 8), seed=3)
    sides = []
    for end in (system.lower[0], system.upper[0]):
        points = inputs(system)
        points[:, 0] = end
        points.requires_grad_()
        d = AutogradDerivatives(points)
        fields = network(points).unbind(dim=1)
        sides.append([*fields, *(d.gradient(f)[0] for f in fields), *map(d.laplacian, fields)])
    for low, high in zip(*sides, strict=True):
        torch.testing.assert_close(low, high, rtol=0, atol=1e-10)


def test_a_soft_network_gets_plain_coordinates():
    network = FieldNetwork(systems.create("coupled_burgers"), (8,), conditions="soft")
    assert network.layers[0].in_features == 2 and network.hard is None
    assert FieldNetwork(systems.create("coupled_burgers"), (8,)).layers[0].in_features == 3


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_default_dtype_is_the_network_s(dtype):
    torch.set_default_dtype(dtype)
    network = FieldNetwork(systems.create("brusselator"), (8,))
    assert {tensor.dtype for tensor in network.state_dict().values()} == {dtype}
    assert network(torch.rand(5, 3)).dtype == dtype


def test_seeds():
    system = systems.create("brusselator")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    points, one, same, other = (
        inputs(system), *(FieldNetwork(system, (8,), seed=seed) for seed in (1, 1, 2))
    )  # fmt: skip
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one(points), same(points))
    assert not torch.allclose(one(points), other(points))


def test_initial_parameters_are_glorot_normal():
    network = FieldNetwork(systems.create("brusselator"), (400, 400), seed=1)
    middle = network.layers[2]
    assert middle.weight.std().item() == pytest.approx(math.sqrt(2 / 800), rel=0.02)
    assert all(not bool(layer.bias.any()) for layer in network.layers if hasattr(layer, "bias"))


@pytest.mark.parametrize("activation", ["tanh", "silu", "gelu", "sine"])
def test_activations_are_smooth_and_between_the_layers_only(activation):
    network = FieldNetwork(systems.create("brusselator"), (6, 6), activation=activation)
    kinds = [type(layer).__name__.lower() for layer in network.layers]
    assert kinds == ["linear", activation, "linear", activation, "linear"]


def test_a_saved_network_answers_the_same():
    system = systems.create("brusselator")
    one, two = FieldNetwork(system, (6,), seed=1), FieldNetwork(system, (6,), seed=2)
    two.load_state_dict(one.state_dict())
    assert torch.equal(one(inputs(system)), two(inputs(system)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": ()}, "`hidden` must hold at least one width"),
        ({"hidden": (8, 0)}, "`hidden` must be a whole number >= 1, got 0"),
        ({"hidden": (8.0,)}, "`hidden` must be a whole number"),
        ({"activation": "relu"}, "`activation` must be one of gelu, silu, sine, tanh, got 'relu'"),
        ({"conditions": "firm"}, "`conditions` must be one of hard, soft"),
        ({"scaling": "field"}, r"`scaling` must be one of .*did you mean 'fields'"),
        ({"scales": (1.0,)}, "`scales` must hold one number for u and one for v"),
        ({"scales": (1.0, 0.0)}, "`scales` must be a finite number > 0, got 0"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        FieldNetwork(systems.create("brusselator"), **options)


def test_derivatives_of_fields_that_do_not_depend_on_the_inputs():
    points = torch.rand(4, 2, requires_grad=True)
    d = AutogradDerivatives(points)
    constant = torch.ones(4)
    assert not d.laplacian(constant).any() and not d.time(constant).any()
    linear = (points * torch.tensor([2.0, 3.0], requires_grad=True)).sum(dim=1)
    assert d.gradient(linear)[0].tolist() == [2.0] * 4
    assert d.time(linear).tolist() == [3.0] * 4
    assert not d.laplacian(linear).any()


def test_derivatives_by_hand():
    points = torch.rand(6, 3, requires_grad=True)
    x, y, t = points.unbind(dim=1)
    field = x**2 * y + t * y**3
    d = AutogradDerivatives(points)
    torch.testing.assert_close(d.gradient(field), (2 * x * y, x**2 + 3 * t * y**2))
    torch.testing.assert_close(d.time(field), y**3)
    torch.testing.assert_close(d.laplacian(field), 2 * y + 6 * t * y)
