"""Layer and batch normalisation against power series of 50 digits, and who is found to differ."""

import copy
import math
from decimal import Decimal, localcontext

import pytest
import torch
from torch import nn

import pinn_ext
from pinn_ext.networks.normalization import wrong_layers

ROWS, FEATURES, ORDER = 5, 4, 4


def dyadic(*shape, seed, scale=64):
    """Return random numbers that are short in binary, so that they are exact in any arithmetic."""
    generator = torch.Generator().manual_seed(seed)
    whole = torch.randint(-scale, scale + 1, shape, generator=generator)
    return whole.double() / 32


def exactly(number):
    return Decimal(float(number))


def times(one, other):
    return [sum(one[k] * other[n - k] for k in range(n + 1)) for n in range(ORDER + 1)]


def inverse_root(series):
    """Return `p^(-1/2)` of a power series p, by `n p_0 r_n = sum_k (-k/2 - n + k) p_k r_{n-k}`."""
    root = [1 / series[0].sqrt()]
    for n in range(1, ORDER + 1):
        parts = ((-Decimal(k) / 2 - (n - k)) * series[k] * root[n - k] for k in range(1, n + 1))
        root.append(sum(parts) / (n * series[0]))
    return root


def normalised(group, eps):
    """Return the normalised members of a group of power series."""
    count = len(group)
    mean = [sum(column) / count for column in zip(*group, strict=True)]
    centred = [[a - b for a, b in zip(own, mean, strict=True)] for own in group]
    squares = [times(own, own) for own in centred]
    variance = [sum(column) / count for column in zip(*squares, strict=True)]
    variance[0] += exactly(eps)
    root = inverse_root(variance)
    return [times(own, root) for own in centred]


def reference(x, d, c, weight, bias, eps, groups):
    """Return derivatives 0 to 4 of `sum c (weight N(x + s d) + bias)` in s at 0.

    Args:
        x, d, c: `[rows, features]`.
        weight, bias: of the features.
        eps: added to the variance.
        groups: lists of places `(i, j)` that share mean and variance.
    """
    with localcontext() as context:
        context.prec = 50
        zeros = [Decimal(0)] * (ORDER - 1)
        total = [Decimal(0)] * (ORDER + 1)
        for places in groups:
            series = [[exactly(x[at]), exactly(d[at]), *zeros] for at in places]
            for (i, j), own in zip(places, normalised(series, eps), strict=True):
                factor = exactly(c[i, j]) * exactly(weight[j])
                total = [a + factor * b for a, b in zip(total, own, strict=True)]
                total[0] += exactly(c[i, j]) * exactly(bias[j])
        return [float(t * math.factorial(n)) for n, t in enumerate(total)]


def by_torch(layer, x, d, c):
    """Return the same derivatives by repeated differentiation of a layer."""
    s = torch.zeros((), dtype=torch.float64, requires_grad=True)
    values = [(c * layer(x + s * d)).sum()]
    for _ in range(ORDER):
        values += torch.autograd.grad(values[-1], s, create_graph=True)
    return [value.item() for value in values]


def case(kind, seed=0):
    """Return inputs, direction, factors, a layer's parameters, and the groups of its statistics."""
    x, d, c = (dyadic(ROWS, FEATURES, seed=7 * seed + i) for i in range(3))
    weight, bias = dyadic(FEATURES, seed=seed + 50), dyadic(FEATURES, seed=seed + 60)
    places = [[(i, j) for j in range(FEATURES)] for i in range(ROWS)]
    groups = places if kind == "layer" else [list(column) for column in zip(*places, strict=True)]
    return (x, d, c), (weight, bias), groups


def filled(layer, weight, bias):
    layer = layer.double()
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer


LAYERS = {
    "layer": (pinn_ext.LayerNorm, nn.LayerNorm),
    "batch": (pinn_ext.BatchNorm, nn.BatchNorm1d),
}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("eps", [1e-5, 0.25])
@pytest.mark.parametrize("seed", range(3))
def test_derivatives_are_those_of_the_power_series(kind, eps, seed):
    at, parameters, groups = case(kind, seed)
    layer = filled(LAYERS[kind][0](FEATURES, eps=eps), *parameters)
    wanted = reference(*at, *parameters, eps, groups)
    assert by_torch(layer, *at) == pytest.approx(wanted, rel=1e-11)


@pytest.mark.parametrize("kind", LAYERS)
def test_those_of_torch_are_found_where_they_differ(kind):
    at, parameters, groups = case(kind)
    layer = filled(LAYERS[kind][1](FEATURES), *parameters)
    wanted = reference(*at, *parameters, layer.eps, groups)
    found = by_torch(layer, *at)
    assert found[:3] == pytest.approx(wanted[:3], rel=1e-11)
    right = found[3] == pytest.approx(wanted[3], rel=1e-9)
    assert (wrong_layers(layer) == []) == right


def test_derivatives_in_forward_mode():
    (x, d, _), parameters, _ = case("layer")
    own = filled(pinn_ext.LayerNorm(FEATURES), *parameters)
    twice = torch.func.jvp(lambda z: torch.func.jvp(own, (z,), (d,))[1], (x,), (d,))[1]
    s = torch.zeros((), dtype=torch.float64, requires_grad=True)
    back = []
    for value in own(x + s * d).reshape(-1):
        (first,) = torch.autograd.grad(value, s, create_graph=True)
        back += torch.autograd.grad(first, s, retain_graph=True)
    assert torch.allclose(twice.reshape(-1), torch.stack(back), rtol=1e-10)


def test_group_normalisation_is_the_cure_of_instance_normalisation():
    """A row is a channel, its features are the places over which it is normalised."""
    (x, d, c), _, groups = case("layer")
    ones = torch.ones(FEATURES)
    wanted = reference(x, d, c, ones, 0 * ones, 1e-5, groups)
    cure = nn.GroupNorm(ROWS, ROWS).double()
    instances = nn.InstanceNorm1d(ROWS).double()
    assert torch.allclose(cure(x[None]), instances(x[None]))
    assert by_torch(lambda z: cure(z[None])[0], x, d, c) == pytest.approx(wanted, rel=1e-9)


# ---- in the place of torch's own -----------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4,), (3, 4)])
@pytest.mark.parametrize(
    "options", [{}, {"bias": False}, {"elementwise_affine": False}, {"eps": 1e-3}]
)
def test_layer_norm_has_the_values_of_torch(shape, options):
    own, other = pinn_ext.LayerNorm(shape, **options), nn.LayerNorm(shape, **options)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.normal_()
    own.load_state_dict(other.state_dict())
    x = torch.randn(6, 3, 4)
    assert torch.allclose(own(x), other(x), atol=1e-6)
    other.load_state_dict(own.state_dict())
    assert str(own) == str(other) and isinstance(own, nn.LayerNorm)


@pytest.mark.parametrize("inputs", [(6, 3), (6, 3, 2), (6, 3, 2, 4), (2, 3, 2, 1, 2)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": None},
        {"momentum": 0.4, "affine": False},
        {"track_running_stats": False},
        {"bias": False, "eps": 1e-2},
    ],
)
def test_batch_norm_has_values_and_statistics_of_torch(inputs, options):
    kinds = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
    other, own = kinds[len(inputs)](3, **options), pinn_ext.BatchNorm(3, **options)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.normal_()
    own.load_state_dict(other.state_dict())
    for _ in range(3):
        x = 2 + 3 * torch.randn(*inputs)
        assert torch.allclose(own(x), other(x), atol=1e-5)
    for name, value in other.state_dict().items():
        assert torch.allclose(own.state_dict()[name], value, rtol=1e-5), name
    own.eval(), other.eval()
    before = copy.deepcopy(own.state_dict())
    assert torch.allclose(own(x), other(x), atol=1e-5)
    assert all(torch.equal(before[name], value) for name, value in own.state_dict().items())
    other.load_state_dict(own.state_dict())


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"last axes must be \[3, 4\], got \[3, 5\]"):
        pinn_ext.LayerNorm((3, 4))(torch.zeros(3, 5))
    with pytest.raises(ValueError, match=r"last axes must be \[3, 4\], got \[4\]"):
        pinn_ext.LayerNorm((3, 4))(torch.zeros(4))
    for shape in ([3], [2, 4], [2, 4, 3]):
        with pytest.raises(ValueError, match=r"must be \[N, 3, ...\], got"):
            pinn_ext.BatchNorm(3)(torch.zeros(shape))
    with pytest.raises(ValueError, match=r"more than one value a channel, got \[1, 3\]"):
        pinn_ext.BatchNorm(3)(torch.zeros(1, 3))
    assert pinn_ext.BatchNorm(3).eval()(torch.zeros(1, 3)).shape == (1, 3)


# ---- who is found --------------------------------------------------------------------------------


class Own(nn.LayerNorm):
    def forward(self, input):
        return input - input.mean(-1, keepdim=True)


@pytest.mark.skipif(not wrong_layers(nn.LayerNorm(2)), reason="this torch has them right")
def test_layers_are_found_by_their_path():
    network = nn.Sequential(
        nn.Linear(2, 4),
        nn.LayerNorm(4),
        nn.Sequential(pinn_ext.LayerNorm(4), nn.BatchNorm1d(4), pinn_ext.BatchNorm(4), Own(4)),
        nn.GroupNorm(2, 4),
        nn.RMSNorm(4),
        nn.InstanceNorm1d(4, affine=True),
        nn.BatchNorm2d(4),
    )
    assert wrong_layers(network) == [
        ("1", "LayerNorm", "pinn_ext.LayerNorm"),
        ("2.1", "BatchNorm1d", "pinn_ext.BatchNorm"),
        ("5", "InstanceNorm1d", "torch.nn.GroupNorm(4, 4, affine=True)"),
        ("6", "BatchNorm2d", "pinn_ext.BatchNorm"),
    ]
    assert wrong_layers(nn.LayerNorm(3))[0].path == ""
    frozen = nn.Sequential(nn.BatchNorm1d(4).eval(), nn.BatchNorm1d(4))
    assert [one.path for one in wrong_layers(frozen)] == ["1"]
    assert [one.path for one in wrong_layers(frozen.eval())] == ["0", "1"]  # trained again later
