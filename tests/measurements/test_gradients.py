"""Gradients and tangent kernels of loss terms, against plain automatic differentiation."""

import math

import numpy as np
import pytest
import torch

from pinn_ext.adaptive_weights.groups import units_of
from pinn_ext.measurements.gradients import (
    chosen_parameters,
    cosines,
    measure_gradients,
    unit_losses,
)
from pinn_ext.measurements.tangent_kernel import trace_of_kernel

NAMES = ["pde", "wall", "start"]


@pytest.fixture(autouse=True)
def seeds():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def network(dtype=torch.float64):
    return torch.nn.Sequential(
        torch.nn.Linear(2, 5, dtype=dtype), torch.nn.Tanh(), torch.nn.Linear(5, 1, dtype=dtype)
    )


def residuals(net):
    """Return residuals of three terms: with second derivatives, of values, of two columns."""
    parameter = next(net.parameters())
    generator = torch.Generator().manual_seed(1)

    def points(n):
        drawn = torch.rand(n, 2, generator=generator, dtype=torch.float64)
        return drawn.to(parameter).requires_grad_()

    x = points(7)
    (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(slope[:, 0].sum(), x, create_graph=True)
    wall, start = points(3), points(4)
    value = net(start)
    return [second[:, :1] - slope[:, 1:], net(wall) - 1, torch.cat((value, 3 * value**2), 1)]


def losses(net):
    return [r.square().mean() for r in residuals(net)]


def by_backward(net, index):
    """Return the gradient of one loss, by a separate evaluation and `backward`."""
    net.zero_grad()
    losses(net)[index].backward()
    parts = [p.grad if p.grad is not None else torch.zeros_like(p) for p in net.parameters()]
    return [part.detach().clone().numpy() for part in parts]


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
def test_sums_and_vectors(dtype, close):
    net = network(dtype)
    found = measure_gradients(losses(net), NAMES, list(net.parameters()), vectors=True)
    assert found.sizes == [10, 5, 5, 1] and found.matrices == [True, False, True, False]
    assert found.vectors.shape == (3, 21) and found.vectors.dtype == torch.float64
    for i in range(3):
        parts = [part.astype(np.float64) for part in by_backward(net, i)]
        whole = np.concatenate([part.ravel() for part in parts])

        def near(value):
            return pytest.approx(value, rel=close, abs=close)

        assert found.vectors[i].numpy() == near(whole)
        assert found.totals[i] == near([part.sum() for part in parts])
        assert found.absolute[i] == near([np.abs(part).sum() for part in parts])
        assert found.squares[i] == near([(part**2).sum() for part in parts])
        assert found.largest[i] == near([np.abs(part).max() for part in parts])
        assert found.norms[i] == near(np.linalg.norm(whole))
        assert found.means[i] == near(np.abs(whole).mean())
        assert found.maxima[i] == near(np.abs(whole).max())
        assert found.deviations[i] == near(whole.std())
        matrices = [parts[0], parts[2]]
        assert found.means_of_matrices()[i] == near(np.mean([abs(m).mean() for m in matrices]))
        assert found.maxima_of_matrices()[i] == near(max(abs(m).max() for m in matrices))
    both = found.vectors[:2].sum(0)
    assert found.largest_of_sum([0, 1]) == pytest.approx(both.abs().max().item())
    in_matrices = both[[*range(10), *range(15, 20)]]
    assert found.largest_of_sum([1, 0], matrices=True) == pytest.approx(
        in_matrices.abs().max().item()
    )
    assert found.largest_of_sum([2]) == found.maxima[2]


def test_the_graph_is_left_for_the_step():
    net = network()
    own = losses(net)
    measure_gradients(own, NAMES, list(net.parameters()))
    sum(own).backward()
    single = [by_backward(network_like(net), i) for i in range(3)]
    total = [sum(parts) for parts in zip(*single, strict=True)]
    for parameter, wanted in zip(net.parameters(), total, strict=True):
        assert parameter.grad.numpy() == pytest.approx(wanted, rel=1e-12, abs=1e-14)


def network_like(net):
    copy = network()
    copy.load_state_dict(net.state_dict())
    return copy


def test_unused_parameters_and_zero_gradients():
    net = network()
    idle = torch.nn.Parameter(torch.ones(3, 2, dtype=torch.float64))
    own = losses(net)
    found = measure_gradients(
        [own[0], 0 * own[1]], NAMES[:2], [*net.parameters(), idle], vectors=True
    )
    assert found.sizes[-1] == 6
    assert found.squares[0][-1] == 0.0 < found.norms[0]
    assert found.norms[1] == found.deviations[1] == found.maxima[1] == 0.0
    assert cosines(found) == [[pytest.approx(1.0), 0.0], [0.0, 0.0]]


def test_frozen_parameters_are_left_out():
    net = network()
    whole = measure_gradients(losses(net), NAMES, list(net.parameters()))
    net[0].weight.requires_grad_(False)
    parameters = list(net.parameters())
    chosen = chosen_parameters(parameters, "all")
    assert chosen == [1, 2, 3]
    found = measure_gradients(losses(net), NAMES, [parameters[i] for i in chosen])
    assert found.squares == [pytest.approx(row[1:]) for row in whole.squares]


def test_one_term():
    net = network()
    found = measure_gradients(losses(net)[:1], NAMES[:1], list(net.parameters()), vectors=True)
    assert len(found.norms) == 1 and cosines(found) == [[pytest.approx(1.0)]]
    assert found.largest_of_sum([0]) == found.maxima[0]


def test_a_loss_without_gradient_is_refused():
    net = network()
    own = [*losses(net)[:2], torch.tensor(1.0)]
    with pytest.raises(ValueError, match=r"depend on the network.*got 'start' without a gradient"):
        measure_gradients(own, NAMES, list(net.parameters()))
    signs = torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match=r"tangent kernel, got 'pde' without a gradient"):
        trace_of_kernel(
            [torch.ones(3)], NAMES[:1], list(net.parameters()), probes=1, generator=signs
        )


def test_where_gradients_are_measured():
    net = torch.nn.Sequential(*(torch.nn.Linear(3, 3) for _ in range(4)))
    parameters = list(net.parameters())
    assert chosen_parameters(parameters, "all") == list(range(8))
    assert chosen_parameters(parameters, "last_layer") == [6, 7]
    half = chosen_parameters(parameters, 0.5)
    assert len(half) == 4 and half == sorted(half) == chosen_parameters(parameters, 0.5)
    assert half != chosen_parameters(parameters, 0.5, seed=1)
    assert len(chosen_parameters(parameters, 0.01)) == 1
    draws = [chosen_parameters(parameters, 0.25, seed=seed) for seed in range(400)]
    counts = np.bincount(np.ravel(draws), minlength=8)
    assert counts.min() > 70 and counts.max() < 130  # 100 each, but for chance
    net[3].weight.requires_grad_(False)
    assert chosen_parameters(parameters, "last_layer") == [4, 5, 7]
    biases = [torch.zeros(2, requires_grad=True) for _ in range(2)]
    assert chosen_parameters(biases, "last_layer") == [1]


@pytest.mark.parametrize("where", ["first", 0.0, 1.0, -1, True, None])
def test_unknown_places_are_refused(where):
    parameters = list(network().parameters())
    with pytest.raises(ValueError, match=r"`gradients_of` must be"):
        chosen_parameters(parameters, where)


def test_a_frozen_network_is_refused():
    net = network().requires_grad_(False)
    with pytest.raises(ValueError, match="got only frozen ones"):
        chosen_parameters(list(net.parameters()), "all")


def test_groups():
    net = network()
    units = units_of(NAMES, [1.0, 1.0, 3.0], {"data": ["wall", "start"]})
    own = losses(net)
    grouped = unit_losses(own, units)
    assert grouped[0] is own[0]
    assert grouped[1].item() == pytest.approx(0.5 * own[1].item() + 1.5 * own[2].item())
    found = measure_gradients(grouped, ["pde", "data"], list(net.parameters()), vectors=True)
    single = measure_gradients(losses(net), NAMES, list(net.parameters()), vectors=True).vectors
    wanted = torch.stack((single[0], 0.5 * single[1] + 1.5 * single[2]))
    assert torch.allclose(found.vectors, wanted, rtol=1e-12)


def test_cosines():
    net = network()
    found = measure_gradients(losses(net), NAMES, list(net.parameters()), vectors=True)
    table = np.array(cosines(found))
    own = [np.concatenate([p.ravel() for p in by_backward(net, i)]) for i in range(3)]
    for i in range(3):
        for j in range(3):
            wanted = own[i] @ own[j] / (np.linalg.norm(own[i]) * np.linalg.norm(own[j]))
            assert table[i, j] == pytest.approx(wanted, abs=1e-12)
    opposite = measure_gradients(
        [losses(net)[0], -losses(net)[0]], NAMES[:2], list(net.parameters()), vectors=True
    )
    assert cosines(opposite)[0][1] == pytest.approx(-1.0)


def jacobian(net, residual):
    """Return d r / d theta `[N, P]`, row by row."""
    rows = [
        torch.autograd.grad(
            number,
            list(net.parameters()),
            retain_graph=True,
            materialize_grads=True,
            allow_unused=True,
        )
        for number in residual.reshape(-1)
    ]
    return torch.stack([torch.cat([part.reshape(-1) for part in row]) for row in rows])


@pytest.mark.slow
def test_trace_of_the_kernel_is_unbiased_within_its_stated_error():
    net = network()
    own = residuals(net)
    generator = torch.Generator().manual_seed(3)
    draws = np.array(
        [
            trace_of_kernel(own, NAMES, list(net.parameters()), probes=1, generator=generator)
            for _ in range(2000)
        ]
    )
    for i, residual in enumerate(own):
        rows = jacobian(net, residual)
        kernel = (rows @ rows.T).numpy()
        trace = np.trace(kernel) / len(kernel)
        spread = math.sqrt(2 * ((kernel**2).sum() - (np.diag(kernel) ** 2).sum())) / len(kernel)
        bound = math.sqrt(2) * np.linalg.norm(kernel) / len(kernel)
        assert spread <= bound <= math.sqrt(2) * trace
        assert abs(draws[:, i].mean() - trace) < 4 * spread / math.sqrt(len(draws))
        assert draws[:, i].std() == pytest.approx(spread, rel=0.1)
        assert draws[:, i].std() > 0.05 * trace  # an estimate, not the trace


def test_more_probes_are_the_mean_of_single_ones():
    net = network()
    own, parameters = residuals(net), list(net.parameters())
    generator = torch.Generator().manual_seed(5)
    (several,) = trace_of_kernel(own[:1], NAMES[:1], parameters, probes=4, generator=generator)
    generator.manual_seed(5)
    single = [
        trace_of_kernel(own[:1], NAMES[:1], parameters, probes=1, generator=generator)[0]
        for _ in range(4)
    ]
    assert several == pytest.approx(np.mean(single), rel=1e-12)


def test_trace_of_one_point_is_exact():
    net = network()
    residual = net(torch.ones(1, 2, dtype=torch.float64))
    wanted = jacobian(net, residual).square().sum().item()
    generator = torch.Generator().manual_seed(0)
    found = trace_of_kernel(
        [residual], ["a"], list(net.parameters()), probes=1, generator=generator
    )
    assert found == [pytest.approx(wanted, rel=1e-12)]
