"""Growth that steps make is an error, growth that the equation makes is none."""

import itertools
import math

import pytest
import torch

from solvers.operators import GraphOperators, grid_graph
from solvers.rk4 import (
    NonFiniteStateError,
    SemiDiscrete,
    UnstableStepError,
    integrate,
    stable_step,
)
from tests.pairs import pairwise

torch.set_num_threads(1)
ONES = torch.ones(3, 2, dtype=torch.float64)


def moving(n=40, peclet=1.4):
    """Return advection of two fields on a circle, and a rough state that decays."""
    d = GraphOperators.from_graph(grid_graph([n], [0.0], [1.0]))

    def move(field, d):
        return 0.5 / n / peclet * d.laplacian(field) - d.gradient(field)[0]

    system = SemiDiscrete(lambda u, v, d: (move(u, d), move(v, d)), d)
    return system, torch.randn(n, 2, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("ratio", [1.02, 1.2, 3.0, 20.0])
def test_a_step_above_the_limit_is_found_out_whatever_its_size(ratio):
    system, state = moving()
    step = ratio * stable_step(system, state) / 0.98
    with pytest.raises(UnstableStepError, match=r"grown \S+ times .* give a smaller `limit`"):
        integrate(system, state, 0.0, 1000 * step, step, limit=math.inf)


def test_a_step_below_the_limit_is_not():
    system, state = moving()
    step = stable_step(system, state)
    end = integrate(system, state, 0.0, 1000 * step, step, limit=math.inf)
    assert float(end.norm()) < float(state.norm())


def test_a_limit_that_was_right_at_the_start_may_be_none_later():
    """Diffusion with a constant that grows in time: the first state says nothing of the last."""
    d = GraphOperators.from_graph(grid_graph([32], [0.0], [1.0]))
    system = SemiDiscrete(lambda u, v, d: (v * d.laplacian(u), 0 * v + 1.0), d)
    state = torch.stack([torch.rand(32), torch.ones(32)], 1).double()
    with pytest.raises(UnstableStepError, match=r"by step \d+ of 4000, time \d"):
        integrate(system, state, 0.0, 2.0, 0.0005)


@pytest.mark.parametrize(
    ("rates", "start"),
    [
        (lambda t, s: 3.0 * s, ONES),
        (lambda t, s: s @ torch.tensor([[-1.0, 500.0], [0.0, -1.0]]).double(), ONES),
        (lambda t, s: 50 * math.cos(9 * t) * s, ONES),
        (lambda t, s: 100 * math.sin(7 * t) * torch.ones_like(s), 0 * ONES),
        (lambda t, s: 1e3 - 100.0 * s, 1e-6 * ONES),
        (lambda t, s: 40 * s * (1 - s), 1e-9 * ONES),
    ],
    ids=["growth", "for a while", "now and then", "from zero", "forced", "logistic"],
)
def test_growth_of_the_equation_raises_no_alarm(rates, start):
    assert bool(integrate(rates, start, 0.0, 4.0, 0.02, limit=0.02).isfinite().all())


def test_blow_up_is_still_reported_as_such():
    with pytest.raises(NonFiniteStateError) as caught:
        integrate(lambda t, s: s**2, ONES, 0.0, 3.0, 0.01, limit=0.01)
    assert not isinstance(caught.value, UnstableStepError)


def test_gradients_pass_the_watch():
    state = ONES.clone().requires_grad_()
    end = integrate(lambda t, s: 3.0 * s, state, 0.0, 2.0, 0.02, limit=0.02)
    (slope,) = torch.autograd.grad(end.sum(), state)
    torch.testing.assert_close(slope, end.detach(), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("rate", "ratio", "grows"), pairwise(itertools.product([1.0, 5.0], [1.01, 1.05, 1.2], [0, 1]))
)
def test_a_field_that_grows_does_not_hide_the_steps_growth_of_the_other(rate, ratio, grows):
    still, state = moving()
    limit = stable_step(still, torch.zeros_like(state)) / 0.98

    def rhs(u, v, d):
        rates = list(still.rhs(u, v, d))
        rates[grows] = rates[grows] + rate * (u, v)[grows]
        return tuple(rates)

    system = SemiDiscrete(rhs, still.operators)
    with pytest.raises(UnstableStepError, match=r"has grown \S+ times over by step"):
        integrate(system, state, 0.0, 600 * ratio * limit, ratio * limit, limit=math.inf)
    integrate(system, state, 0.0, 600 * 0.9 * limit, 0.9 * limit, limit=math.inf)


def coupled(u_row, v_row, forced=lambda t: 0.0):
    """Return rates of u and v at each node, by a matrix and a forcing of v."""
    matrix = torch.tensor([u_row, v_row], dtype=torch.float64).T
    return lambda t, s: s @ matrix + torch.tensor([0.0, forced(t)], dtype=torch.float64)


def test_nor_where_the_system_is_a_function_of_the_state():
    with pytest.raises(UnstableStepError, match=r"Field v has grown \S+ times over by step"):
        integrate(coupled([12.0, 0.0], [0.0, -280.0]), ONES, 0.0, 8.0, 0.01, limit=math.inf)


@pytest.mark.parametrize(
    ("rates", "start"),
    [
        (coupled([0.0, 1.0], [-1e4, 0.0]), [1.0, 0.0]),
        (coupled([0.3, 100.0], [-100.0, 0.3]), [1.0, 0.0]),
        (coupled([2.0, 0.0], [100.0, -100.0]), [1.0, 0.0]),
        (coupled([-130.0, 0.0], [1.0, 5.0]), [1.0, 1e-12]),
        (coupled([5.0, 0.0], [0.0, -120.0], lambda t: 1e3 * math.exp(t)), [1.0, 1e-9]),
        (coupled([0.5, -9.0], [9.0, 0.5], lambda t: math.sin(90 * t)), [1.0, 0.0]),
    ],
    ids=["stiff spring", "growing circle", "slave", "handed over", "forced", "beats"],
)
@pytest.mark.parametrize("step", [0.004, 0.02])
def test_fields_of_unlike_size_raise_no_alarm(rates, start, step):
    state = torch.tensor([start], dtype=torch.float64)
    assert bool(integrate(rates, state, 0.0, 8.0, step, limit=step).isfinite().all())


@pytest.mark.parametrize("decay", [0.0, 1.0, 20.0])
def test_a_field_of_rounding_alone_raises_no_alarm(decay):
    def rates(t, s):
        u, v = s.unbind(1)
        return torch.stack([3.0 * u, (1.1 * u + 0.3 * u - 1.4 * u) * 1e3 - decay * v], 1)

    state = torch.rand(37, 2, generator=torch.Generator().manual_seed(0)).double()
    state[:, 1] = 0.0
    end = integrate(rates, state, 0.0, 8.0, 0.02, limit=math.inf)
    assert 0 < float(end[:, 1].norm()) < 1e-9 * float(end[:, 0].norm())
