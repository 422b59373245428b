"""The start of a slab: exact with its derivatives, and not computed again in a step."""

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from pinn_ext.derivatives.precomputed import HigherDerivativeError
from tests.dde.slabs import small


def derivatives(u, x, order):
    """Return a function of x `[N, 1]` and its derivatives."""
    found = [u]
    for _ in range(order):
        found.append(torch.autograd.grad(found[-1].sum(), x, create_graph=True)[0])
    return [one.detach() for one in found]


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("order", [2, 4])
def test_it_has_the_derivatives_of_the_chain_of_networks(number, order):
    solution = small.untrained(order=order)
    x = torch.rand(30, 1, dtype=torch.float64)
    inputs = torch.cat((x, torch.rand_like(x)), dim=1).requires_grad_()
    start = solution.slabs[number].start(inputs)
    mine = [start]
    for _ in range(order):
        (slope,) = torch.autograd.grad(mine[-1].sum(), inputs, create_graph=True)
        assert (slope[:, 1] == 0).all(), "it does not depend on time"
        mine.append(slope[:, :1])
    x.requires_grad_()
    true = derivatives(small.by_hand(solution, x, number), x, order)
    for one, other in zip(mine, true, strict=True):
        torch.testing.assert_close(one.detach(), other, rtol=1e-11, atol=1e-11)


def test_it_is_the_same_inside_of_an_equation():
    """By DeepXDE's own derivatives, and in a product."""
    solution = small.untrained()
    x = torch.rand(20, 2, dtype=torch.float64, requires_grad=True)
    place = x[:, :1].detach().requires_grad_()
    kept, plain = solution.slabs[2].start(x), small.by_hand(solution, place, 2)
    mine = dde.grad.hessian(kept * torch.sin(kept), x, i=0, j=0)
    true = derivatives(plain * torch.sin(plain), place, 2)[2]
    dde.gradients.clear()
    torch.testing.assert_close(mine.detach(), true, rtol=1e-11, atol=1e-11)


def test_a_higher_derivative_is_an_error_and_no_zero():
    transport = lambda x, u: dde.grad.jacobian(u, x, 0, 1) + dde.grad.jacobian(u, x, 0, 0)  # noqa: E731
    solution = small.untrained(small.builder(transport), order=1)
    x = torch.rand(5, 2, dtype=torch.float64, requires_grad=True)
    start = solution.slabs[1].start(x)
    (slope,) = torch.autograd.grad(start.sum(), x, create_graph=True)
    slope.sum().backward(retain_graph=True)  # of a loss: nobody reads the gradient of the points
    with pytest.raises(HigherDerivativeError, match=r"order=1 only.*`order` of pinn_ext\.march"):
        torch.autograd.grad(slope.sum(), x, create_graph=True)


class Calls:
    """Counts the evaluations of networks."""

    def __init__(self):
        self.counts = {}

    def watch(self, number, net):
        self.counts[number] = 0
        net.register_forward_hook(lambda *_: self._add(number))

    def _add(self, number):
        self.counts[number] += 1


def training(calls, **options):
    """Return a training function that notes how often former networks are called in it."""
    seen = []

    def train(model, slab):
        before = dict(calls.counts)
        model.train(iterations=5, display_every=2, verbose=0, **options)
        seen.append(sum(calls.counts[k] - before[k] for k in before))
        calls.watch(slab.number, model.net)

    return train, seen


def test_no_step_evaluates_a_former_network():
    train, seen = training(Calls())
    solution = small.march(train=train)
    assert seen == [0, 0, 0]
    assert [row["start_sets"] for row in solution.rows] == [1, 1, 1]


def test_second_order_steps_evaluate_none_either():
    calls, seen = Calls(), []

    def train(model, slab):
        before = dict(calls.counts)
        pinn_ext.train_gauss_newton(model, 3, verbose=0)
        seen.append(sum(calls.counts[k] - before[k] for k in before))
        calls.watch(slab.number, model.net)

    with pytest.warns(RuntimeWarning, match="residual rows"):
        small.march(train=train)
    assert seen == [0, 0, 0]


def test_the_same_positions_are_taken_over_from_slab_to_slab():
    """Of the networks before, only the last is evaluated when a slab begins: constant cost."""
    calls, begun = Calls(), []

    def train(model, slab):
        begun.append(dict(calls.counts))
        calls.watch(slab.number, model.net)

    small.march(train=train)
    looks_back = 2  # the loss that a slab has ended with, and that of its start
    assert begun[2][0] == begun[1][0] == 1 + looks_back and begun[2][1] == 1 + looks_back


def test_new_points_get_values_of_their_own():
    def train(model, slab):
        new = dde.callbacks.PDEPointResampler(period=2)
        model.train(iterations=5, callbacks=[new], display_every=10**6, verbose=0)

    solution = small.march(small.builder(train_distribution="pseudo"), train=train)
    assert [row["start_sets"] for row in solution.rows] == [3, 3, 3]
    x = torch.as_tensor(solution.models[2].train_state.X_train)
    kept = solution.slabs[2].kept
    mine = kept._sets[kept._find(x[:, :1])][1]
    torch.testing.assert_close(mine[0], small.by_hand(solution, x[:, :1], 2).detach())


def test_an_array_that_is_written_to_is_seen():
    solution = small.untrained()
    kept = solution.slabs[1].kept
    kept._open = True
    x = torch.rand(5, 1, dtype=torch.float64)
    first = kept(x)
    x += 0.01
    assert not torch.equal(kept(x), first)
    torch.testing.assert_close(kept(x), small.by_hand(solution, x, 1).detach())


def test_few_sets_are_kept():
    kept = small.untrained().slabs[1].kept
    kept._open = True
    for _ in range(9):
        kept(torch.rand(3, 1, dtype=torch.float64))
    assert len(kept._sets) == 4
    kept.forget()
    assert kept._sets == []


def wave(x, u):
    return dde.grad.hessian(u, x, i=1, j=1) - dde.grad.hessian(u, x, i=0, j=0)


def second_order(slab):
    """Return an ansatz that begins with the former slab's value and rate."""

    def transform(x, y):
        passed = x[:, 1:] - slab.lower
        return slab.start(x) + passed * slab.start_rate(x) + slab.ramp(x) ** 2 * y

    return transform


def test_value_and_rate_of_a_wave_go_on():
    build = small.builder(wave, hard=second_order)
    solution = small.untrained(build, initial_rate=lambda x: x[:, :1] ** 2)
    x = np.random.default_rng(0).random((20, 1))
    for edge, (before, after) in zip(small.EDGES[1:3], [(0, 1), (1, 2)], strict=True):
        points = np.hstack((x, np.full_like(x, edge)))
        for operator in (lambda x, u: u, *RATES):
            ends = []
            for number in (before, after):
                inputs = torch.tensor(points, requires_grad=True)
                ends.append(operator(inputs, solution.models[number].net(inputs)).detach())
                dde.gradients.clear()
            torch.testing.assert_close(*ends, rtol=1e-10, atol=1e-10)


RATES = [
    lambda x, u: dde.grad.jacobian(u, x, i=0, j=1),
    lambda x, u: dde.grad.hessian(u, x, i=0, j=0),
    lambda x, u: dde.grad.hessian(u, x, i=0, j=1),
]


def test_rates_need_a_start():
    with pytest.raises(ValueError, match=r"`initial_rate` must be a function of x where a builder"):
        small.untrained(small.builder(wave, hard=second_order))
