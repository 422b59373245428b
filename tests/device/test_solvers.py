"""Operators, time steps and their limits on a device, with graphs large enough for each path."""

import numpy as np
import pytest
import torch

from solvers.operators import (
    GraphOperators,
    cloud_graph,
    finite_element_graph,
    grid_graph,
    reorder,
    triangulation_graph,
)
from solvers.rk4 import SemiDiscrete, integrate, rk4_step, runge_kutta_step, stable_step
from tests.device import pretend
from tests.solvers.node_sets import mesh, nodes


def cloud(spacing, **options):
    points, count = nodes("disk", spacing, seed=0)
    rim = np.arange(len(points)) < count
    return cloud_graph(points, dirichlet=rim, **options)


BUILT = {
    "grid": lambda: grid_graph([12, 11], [0.0, 0.0], [1.0, 1.0], boundary="neumann", order=4),
    "long grid": lambda: grid_graph([5000], [0.0], [1.0]),
    "cloud": lambda: cloud(0.2),
    "cloud of 5000": lambda: cloud(0.0249),
    "reordered cloud": lambda: reorder(cloud(0.2)),
    "triangulation": lambda: triangulation_graph(*mesh("annulus", 0.2, seed=0)),
    "finite elements": lambda: finite_element_graph(*mesh("square", 0.3, seed=0)),
}


def brusselator(u, v, d):
    reaction = u * u * v
    return 0.1 * d.laplacian(u) + reaction - 2 * u + 1, 0.1 * d.laplacian(v) + u - reaction


def fields_of(pos):
    wave = torch.sin(3 * pos[:, 0])
    return torch.stack([1 + 0.1 * wave, 1 - 0.1 * wave], 1)


@pytest.mark.parametrize("name", BUILT)
def test_graphs_are_built_the_same_whatever_the_default_device_is(on_both, name):
    here, there = on_both(BUILT[name])
    assert name != "cloud of 5000" or here.num_nodes >= 4900
    assert here.keys() == there.keys()
    for key in there.keys():  # noqa: SIM118 - PyG's graphs iterate over pairs
        if isinstance(there[key], torch.Tensor):
            assert here[key].device.type == "cpu" and torch.equal(here[key], there[key]), key
        else:
            assert here[key] == there[key]


@pytest.mark.parametrize("name", BUILT)
def test_operators_are_those_of_the_cpu(device, name):
    """Values and derivatives; also where the device is the default and the graph is not on it."""
    graph = BUILT[name]()
    results = []
    for place in ("cpu", device):
        torch.set_default_device(None if place == "cpu" else place)
        d = GraphOperators.from_graph(graph.clone().to(place))
        field = fields_of(d.pos)[:, 0].requires_grad_()
        laplacian, gradient = d.laplacian(field), torch.stack(d.gradient(field))
        (slope,) = torch.autograd.grad(laplacian.square().sum() + gradient.square().sum(), field)
        results.append([laplacian, gradient, slope])
    for there, here in zip(*results, strict=True):
        assert here.device == device
        torch.testing.assert_close(here.cpu(), there, rtol=1e-8, atol=1e-9)
    torch.set_default_device(device)
    moved = GraphOperators.from_graph(graph)
    assert moved.laplacian(fields_of(moved.pos)[:, 0]).device.type == "cpu"


def system_on(place, graph):
    d = GraphOperators.from_graph(graph.clone().to(place))
    return SemiDiscrete(brusselator, d), fields_of(d.pos)


@pytest.mark.parametrize("name", ["grid", "cloud", "triangulation"])
def test_time_steps(device, name):
    graph, results = BUILT[name](), []
    for place in ("cpu", device):
        system, state = system_on(place, graph)
        limit = stable_step(system, state)
        step = 0.5 * limit
        ends = integrate(system, state, 0.0, 8 * step, step, save_at=[4 * step, 8 * step])
        one = rk4_step(system, state, 0.0, step)
        heun = runge_kutta_step(system, state, 0.0, step, method="heun")
        results.append([torch.tensor(float(limit)), ends, one, heun])
    for there, here in zip(*results, strict=True):
        torch.testing.assert_close(here.cpu(), there, rtol=1e-8, atol=1e-10)
    assert all(value.device == device for value in results[1][1:])


def test_derivatives_through_steps(device):
    results = []
    for place in ("cpu", device):
        system, state = system_on(place, BUILT["cloud"]())
        state.requires_grad_()
        end = integrate(system, state, 0.0, 1e-3, 1e-4, checkpoint_every=3)
        (slope,) = torch.autograd.grad(end.square().sum(), state)
        results.append(slope)
    assert results[1].device == device
    torch.testing.assert_close(results[1].cpu(), results[0], rtol=1e-10, atol=1e-12)


def test_a_step_asks_the_host_for_nothing(device):
    system, state = system_on(device, BUILT["cloud"]())
    rk4_step(system, state, 0.0, 1e-4)  # what is prepared once
    with pretend.count_waits(places=True) as waits:
        for _ in range(3):
            state = rk4_step(system, state, 0.0, 1e-4)
    assert not waits, str(waits)


def test_states_on_another_device_than_the_graph_are_refused(device):
    system, state = system_on(device, BUILT["grid"]())
    with pytest.raises(
        ValueError, match="`state` must be on pretend:0 like the operators, got cpu"
    ):
        rk4_step(system, state.cpu(), 0.0, 1e-4)
