"""The networks of all slabs as one: who answers when, in which float type."""

import torch

from pinn_ext.derivatives.autograd import fields_and_derivatives
from pinn_ext.slabs import build_networks, stacked, unstacked
from tests.slabs.small import network_on, positions, states_of


def inputs_at(whole, time, count=7):
    x = positions(whole, count)
    return torch.cat((x, torch.full((count, 1), time, dtype=torch.float64)), dim=1)


def own_output(found, number, inputs):
    local = inputs.clone()
    local[:, -1] -= number * found.networks[0].system.final_time
    return found.networks[number](local)


def test_each_time_is_answered_by_its_slab():
    whole, states = states_of("brusselator", 4)
    found = build_networks(whole, 4, states, network_on)
    for time, number in ((-0.1, 0), (0.0, 0), (0.25, 0), (0.26, 1), (0.75, 2), (1.0, 3), (1.1, 3)):
        inputs = inputs_at(whole, time * whole.final_time)
        assert torch.equal(found(inputs), own_output(found, number, inputs)), time
    mixed = torch.cat([inputs_at(whole, time) for time in (0.9, 0.1, 0.6)])
    alone = torch.cat([found(inputs_at(whole, time)) for time in (0.9, 0.1, 0.6)])
    assert torch.allclose(found(mixed), alone, rtol=1e-14)
    assert found.system is whole and not found.networks.training


def test_derivatives_are_those_of_the_slab():
    whole, states = states_of("ginzburg_landau", 2)
    found = build_networks(whole, 2, states, network_on)
    inputs = inputs_at(whole, 0.8 * whole.final_time).requires_grad_()
    u, _, d = fields_and_derivatives(found(inputs), inputs)
    local = inputs.detach().clone()
    local[:, -1] -= 0.5 * whole.final_time
    local.requires_grad_()
    own_u, _, own = fields_and_derivatives(found.networks[1](local), local)
    assert torch.allclose(d.laplacian(u), own.laplacian(own_u), rtol=1e-9)
    assert torch.allclose(d.time(u), own.time(own_u), rtol=1e-9)


def test_fewer_networks_than_slabs_reach_less_far():
    whole, states = states_of("brusselator", 4)
    found = build_networks(whole, 4, states[:3], network_on)
    assert found.system.final_time == 0.75 * whole.final_time


def test_all_are_in_the_float_type_of_the_last():
    """A slab that was interrupted before Gauss-Newton is in float32, the others in float64."""
    whole, states = states_of("coupled_burgers", 2)
    single = {key: value.float() for key, value in states[1].items()}
    mixed = build_networks(whole, 2, [states[0], single], network_on)
    exact = build_networks(whole, 2, states, network_on)
    assert mixed.centre.dtype == torch.float32
    for time in (0.2, 0.9):
        inputs = inputs_at(whole, time * whole.final_time)
        close = {"rtol": 1e-4, "atol": 1e-5}
        assert torch.allclose(mixed(inputs.float()).double(), exact(inputs), **close)


def test_states_come_out_of_a_stack_as_they_went_in():
    _, states = states_of("coupled_burgers", 3)
    for own, other in zip(states, unstacked(stacked(states)), strict=True):
        assert own.keys() == other.keys()
        assert all(torch.equal(own[key], other[key]) for key in own)
