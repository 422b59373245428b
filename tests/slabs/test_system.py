"""A system on a slab is the whole one at other times."""

import copy

import pytest
import torch

from pinn_ext import systems
from pinn_ext.derivatives.autograd import AutogradDerivatives
from pinn_ext.slabs import slab_of, until
from pinn_ext.systems.system import System
from solvers.rk4.semidiscrete import takes_place
from tests.slabs.small import network_on, positions

NAMES = [name for name in systems.names() if systems.create(name).has_exact]


@pytest.mark.parametrize("name", NAMES)
def test_the_exact_solution_has_no_residual_on_a_slab(name):
    whole = systems.create(name)
    slab = slab_of(whole, 3, 4)
    assert takes_place(slab.rhs) == takes_place(whole.rhs)
    x = positions(whole)
    t = torch.linspace(0.0, slab.final_time, len(x), dtype=torch.float64)
    inputs = torch.cat((x, t[:, None]), dim=1).requires_grad_()
    fields = slab.exact(inputs[:, :-1], inputs[:, -1])
    assert torch.equal(fields, whole.exact(x, t + 0.5 * whole.final_time))
    d = AutogradDerivatives(inputs)
    rates = slab.rates(*fields.unbind(1), d, inputs[:, :-1], inputs[:, -1])
    for field, rate in zip(fields.unbind(1), rates, strict=True):
        size = 1.0 + rate.abs().max()
        assert (d.time(field) - rate).abs().max() < 1e-7 * size


@pytest.mark.parametrize("name", ["brusselator", "gray_scott", "ginzburg_landau"])
def test_it_answers_all_that_a_system_is_asked(name):
    """What is not stated in a slab would be that of the abstract class, unnoticed."""
    whole = systems.create(name)
    slab = slab_of(whole, 2, 2)
    x, t = positions(whole), torch.zeros(7, dtype=torch.float64)
    for public in [key for key in vars(System) if not key.startswith("_")]:
        value = getattr(whole, public)
        if not callable(value) and public not in ("final_time", "geometry"):
            assert getattr(slab, public) == value, public
    assert slab.geometry.name == whole.geometry.name and slab.on_box
    assert slab.field_scales() == whole.field_scales()
    assert torch.equal(slab.gives_values(x), whole.gives_values(x))
    assert torch.equal(slab.data(x, t), whole.data(x, t + slab.begin))
    assert torch.equal(slab.solution(x, t), whole.solution(x, t + slab.begin))


def test_a_first_slab_starts_as_the_whole_system_does():
    whole = systems.create("brusselator")
    x = positions(whole)
    slab = slab_of(whole, 1, 3)
    assert torch.equal(slab.at_start(x), whole.at_start(x)) and not slab.starts_anew
    assert torch.equal(whole.at_start(x), whole.data(x, torch.zeros(7, dtype=torch.float64)))
    later = slab_of(whole, 2, 3, lambda x: torch.full_like(x, 5.0))
    assert later.starts_anew and torch.equal(later.at_start(x), torch.full_like(x, 5.0))


def test_copies_of_a_network_share_its_slab():
    slab = slab_of(systems.create("coupled_burgers"), 1, 2)
    network = network_on(slab)
    assert copy.deepcopy(network).system is slab and copy.copy(slab) is slab


def test_until_the_last_slab_is_the_whole_system():
    whole = systems.create("coupled_burgers")
    assert until(whole, 4, 4) is whole
    part = until(whole, 1, 4)
    assert part.final_time == 0.25 * whole.final_time and part.begin == 0.0
