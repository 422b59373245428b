"""The end of a network as a start: its values, its derivatives, and what they cost."""

import pytest
import torch

from pinn_ext import systems
from pinn_ext.derivatives.precomputed import HigherDerivativeError, levels_of
from pinn_ext.networks import FieldNetwork
from pinn_ext.slabs import SlabStart, build_networks, slab_of, with_state
from tests.slabs.small import network_on, positions, states_of


def chain(name, count, keep, conditions="hard"):
    """Return the starts of the slabs after the first ones, each with its network."""
    whole, states = states_of(name, count, conditions)
    start = None
    for number, state in enumerate(states, start=1):
        slab = slab_of(whole, number, count, start)
        network = with_state(network_on(slab, conditions=conditions), state)
        start = SlabStart(network, start, keep=keep)
    return network, start


def at_end(network, x):
    time = torch.full((len(x), 1), network.system.final_time, dtype=torch.float64)
    return network(torch.cat((x, time), dim=1))


@pytest.mark.parametrize("conditions", ["hard", "soft"])
@pytest.mark.parametrize("name", ["brusselator", "ginzburg_landau"])
def test_kept_values_and_derivatives_are_those_of_all_networks(name, conditions):
    """Dirichlet and periodic; three networks, followed by automatic differentiation."""
    network, kept = chain(name, 3, keep=True, conditions=conditions)
    _, followed = chain(name, 3, keep=False, conditions=conditions)
    x = positions(network.system)
    for own, other in zip(levels_of(kept, x, 2), levels_of(followed, x, 2), strict=True):
        assert torch.allclose(own, other, rtol=1e-10, atol=1e-12)
    assert torch.allclose(followed(x), at_end(network, x), rtol=1e-13)
    own = levels_of(lambda x: at_end(network, x), x, 2)[2]
    assert torch.allclose(own, levels_of(followed, x, 2)[2], rtol=1e-9, atol=1e-11)
    assert levels_of(followed, x, 3)[3].abs().max() > 1e-6
    with pytest.raises(HigherDerivativeError, match="second derivatives at most"):
        levels_of(kept, x, 4)


def test_a_set_of_positions_costs_one_network_in_each_slab(monkeypatch):
    """What the former slab has kept is taken over: a tenth slab costs what the second one did."""
    whole, states = states_of("brusselator", 10)
    x, calls, start = positions(whole), [0], None
    forward = FieldNetwork.forward

    def counting(self, *arguments, **more):
        calls[0] += 1
        return forward(self, *arguments, **more)

    monkeypatch.setattr(FieldNetwork, "forward", counting)
    for number, state in enumerate(states, start=1):
        network = with_state(network_on(slab_of(whole, number, 10, start)), state)
        if start is not None:
            start.close()
        start = SlabStart(network, start, keep=True)
        calls[0] = 0
        levels_of(start, x, 2)
        start(x)
        assert calls[0] == 1, number
    calls[0] = 0
    start(x + 1e-3)  # other positions: all networks, once each
    start(x + 1e-3)
    assert calls[0] == 10


@pytest.mark.parametrize("keep", [True, False])
def test_more_slabs_than_calls_can_nest(keep):
    whole, start = systems.create("coupled_burgers"), None
    for number in range(1, 101):
        start = SlabStart(network_on(slab_of(whole, number, 100, start)), start, keep=keep)
    assert levels_of(start, positions(whole), 2)[2].isfinite().all()


def test_it_answers_in_the_float_type_it_is_asked_in():
    network, start = chain("coupled_burgers", 2, keep=True)
    x = positions(network.system)
    assert start(x.float()).dtype == torch.float32
    assert torch.equal(start(x.float().double()).float(), start(x.float()))
    before = start(x)
    with torch.no_grad():
        next(network.parameters()).add_(1.0)
    network.float()
    assert torch.equal(start(x), before)  # of a copy that nobody trains


def test_networks_meet_without_a_jump():
    """At the seam both give the same fields, and the same derivatives in space."""
    for name in ("brusselator", "ginzburg_landau"):
        whole, states = states_of(name, 3)
        found = build_networks(whole, 3, states, network_on)
        x = positions(whole)
        first, second = found.networks[:2]
        ends = levels_of(lambda x, net=first: at_end(net, x), x, 2)
        zero = torch.zeros(len(x), 1, dtype=torch.float64)
        starts = levels_of(lambda x, net=second, z=zero: net(torch.cat((x, z), dim=1)), x, 2)
        for end, start in zip(ends, starts, strict=True):
            assert torch.allclose(end, start, rtol=1e-9, atol=1e-10)
