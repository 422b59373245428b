"""The Jacobian of residual rows against one backward pass a row."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from pinn_ext.jacobians.linear_layers import LinearTape
from pinn_ext.jacobians.residual_jacobian import RowJacobian
from pinn_ext.jacobians.sample_maps import find_map

NUM_POINTS = 12


def slow_jacobian(terms, leaves, scales):
    rows = []
    for scale, vector in zip(scales, terms(), strict=True):
        for entry in vector.reshape(-1):
            parts = [torch.zeros(leaf.numel()) for leaf in leaves]
            if entry.requires_grad:
                gradients = torch.autograd.grad(
                    scale * entry, leaves, retain_graph=True, allow_unused=True
                )
                parts = [
                    part if gradient is None else gradient.reshape(-1)
                    for part, gradient in zip(parts, gradients, strict=True)
                ]
            rows.append(torch.cat(parts))
    return torch.stack(rows)


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3, 7), nn.Tanh(), nn.Linear(7, 5), nn.SiLU(), nn.Linear(5, 2)
        )

    def forward(self, x):
        return self.layers(x)


class Shared(nn.Module):
    """One layer used twice, an adaptive slope, no last bias, a layer without use."""

    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.ones(3))
        self.first, self.middle = nn.Linear(3, 6), nn.Linear(6, 6)
        self.last, self.unused = nn.Linear(6, 2, bias=False), nn.Linear(4, 4)

    def forward(self, x):
        h = torch.tanh(self.slope[0] * self.first(x))
        h = torch.tanh(self.middle(h) + h)
        return self.last(torch.tanh(self.middle(h)))


class Stacked(nn.Module):
    """Samples of rank three: two copies of each point through the same layer."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 6), nn.Linear(6, 2)

    def forward(self, x):
        both = torch.tanh(self.first(torch.stack((x, x.flip(1)))))
        return self.last(both).sum(dim=0)


class Convolution(nn.Module):
    """Not made of linear layers."""

    def __init__(self):
        super().__init__()
        self.filter, self.last = nn.Conv1d(1, 12, 2), nn.Linear(24, 2)

    def forward(self, x):
        return self.last(torch.tanh(self.filter(x[:, None])).flatten(1))


def normed():
    network = Plain()
    parametrizations.weight_norm(network.layers[0])
    parametrizations.weight_norm(network.layers[2])
    return network


NETWORKS = {
    "plain": Plain,
    "shared": Shared,
    "stacked": Stacked,
    "convolution": Convolution,
    "weight norm": normed,
}


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)


def derivative(y, x):
    return torch.autograd.grad(y.sum(), x, create_graph=True, materialize_grads=True)[0]


def residuals(network, unknown, x):
    """Second derivatives, an unknown number, pairs of points, whole outputs, sums, constants."""
    y = network(x)
    u, v = y.unbind(dim=1)
    u_x = derivative(u, x)
    u_xx = derivative(u_x[:, 0], x)[:, 0]
    v_yy = derivative(derivative(v, x)[:, 1], x)[:, 1]
    half = len(x) // 2
    return [
        u_x[:, 2] - unknown[0] * u_xx + u * v,
        u_x[half:, 1:2] * v_yy[half:, None],
        (u[:half] - v[half:]),
        y - unknown,
        y[3:7, :1],
        torch.stack((u.sum(), (u * v).mean())),
        torch.ones(3),
        unknown[1] * torch.linspace(0.0, 1.0, 4),
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_jacobian_equals_one_backward_pass_a_row(name):
    network = NETWORKS[name]()
    unknown = torch.tensor([0.7, -0.3], requires_grad=True)
    x = torch.rand(NUM_POINTS, 3, requires_grad=True)
    leaves = [*network.parameters(), unknown]

    def terms():
        return residuals(network, unknown, x)

    scales = [0.5 + i for i in range(len(terms()))]
    jacobian = RowJacobian(terms, leaves[:-1], leaves[-1:])
    out = torch.full((sum(t.numel() for t in terms()), jacobian.num_parameters), math.nan)
    vectors = jacobian(scales, out)
    wanted = slow_jacobian(terms, leaves, scales)
    assert (out - wanted).abs().max() < 1e-12 * wanted.abs().max()
    for vector, term in zip(vectors, terms(), strict=True):
        assert torch.equal(vector, term.detach().reshape(-1))
    general = name in ("convolution", "weight norm")
    assert (jacobian.fallback is not None) == general

    with torch.no_grad():  # other parameters, and other points
        for leaf in leaves:
            leaf.add_(0.1)
        x += 0.1
    jacobian.forget()
    jacobian(scales, out)
    assert (out - slow_jacobian(terms, leaves, scales)).abs().max() < 1e-12 * wanted.abs().max()


def test_float32_finds_the_same_rows():
    torch.set_default_dtype(torch.float32)
    network, x = Plain(), torch.rand(3000, 3)
    order = torch.randperm(3000)

    def terms():
        return [network(x)[order, 0] ** 2]

    jacobian = RowJacobian(terms, list(network.parameters()))
    out = torch.empty(3000, jacobian.num_parameters)
    jacobian([1.0], out)
    assert jacobian.fallback is None
    row = torch.autograd.grad(terms()[0][123], list(network.parameters()))
    assert torch.allclose(out[123], torch.cat([g.reshape(-1) for g in row]), atol=1e-5)


def test_rows_of_independent_blocks_share_a_pass():
    network, x = Plain(), torch.rand(4 * 5, 3)
    mix = torch.rand(5, 5)

    def terms():
        return [(mix @ network(x)[:, 0].view(4, 5, 1)).reshape(-1)]

    leaves = list(network.parameters())
    tape = LinearTape(leaves)
    with tape:
        (residual,) = terms()
    assert find_map(tape, residual, 4).groups == 4
    assert find_map(tape, residual, 1).groups == 1
    assert find_map(tape, residual, 2).groups == 2
    for blocks in (1, 2, 4):
        jacobian = RowJacobian(terms, leaves, blocks=blocks)
        out = torch.empty(20, jacobian.num_parameters)
        jacobian([2.0], out)
        assert torch.allclose(out, slow_jacobian(terms, leaves, [2.0]), atol=1e-13)


def test_wrong_blocks_are_found_out():
    network, x = Plain(), torch.rand(8, 3)
    mix = torch.rand(8, 8)

    def terms():
        return [mix @ network(x)[:, 0]]

    leaves = list(network.parameters())
    out = torch.empty(8, sum(leaf.numel() for leaf in leaves))
    RowJacobian(terms, leaves, blocks=4)([1.0], out)
    assert torch.allclose(out, slow_jacobian(terms, leaves, [1.0]), atol=1e-13)


def test_a_sample_that_starts_to_matter_is_found():
    network, x = Plain(), torch.rand(NUM_POINTS, 3)
    mask = torch.ones(NUM_POINTS)
    mask[5:] = 0.0

    def terms():
        return [mask * network(x)[:, 0]]

    leaves = list(network.parameters())
    jacobian = RowJacobian(terms, leaves)
    out = torch.empty(NUM_POINTS, jacobian.num_parameters)
    jacobian([1.0], out)
    assert out[5:].abs().max() == 0.0
    mask[:] = 1.0
    jacobian([1.0], out)
    assert torch.allclose(out, slow_jacobian(terms, leaves, [1.0]), atol=1e-13)


def test_an_error_of_the_user_is_raised_as_it_is():
    network = Plain()

    def terms():
        raise RuntimeError("my own")

    with pytest.raises(RuntimeError, match="my own"):
        RowJacobian(terms, list(network.parameters()))([1.0], torch.empty(1, 1))


class Full(torch.autograd.Function):
    """An operation whose device has no room for its derivative."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        raise torch.OutOfMemoryError("CUDA out of memory.")


def test_memory_that_runs_out_is_not_taken_for_a_network_that_cannot_be_followed():
    torch.manual_seed(0)
    layer, calls = nn.Linear(2, 3), []

    def terms():
        calls.append(1)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return [layer(torch.ones(4, 2))]

    jacobian = RowJacobian(terms, list(layer.parameters()))
    with pytest.raises(torch.OutOfMemoryError):
        jacobian([1.0], torch.empty(12, 9))
    assert len(calls) == 1 and jacobian.fallback is None


def test_memory_that_runs_out_is_not_taken_for_an_operation_without_a_batched_form():
    weight, chunks = nn.Parameter(torch.ones(6)), []

    def terms():
        return [Full.apply(weight) * torch.arange(1.0, 7.0)]

    weight.register_hook(chunks.append)
    jacobian = RowJacobian(terms, [weight])
    jacobian.fallback = "rows one by one"
    with pytest.raises(torch.OutOfMemoryError):
        jacobian([1.0], torch.empty(6, 6))
    assert not chunks
