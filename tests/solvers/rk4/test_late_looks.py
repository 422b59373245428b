"""States that are looked at in blocks, as on an accelerator, are refused at the very sub-step."""

import math

import pytest
import torch

from solvers import devices
from solvers.operators import GraphOperators, grid_graph
from solvers.rk4 import (
    NonFiniteStateError,
    SemiDiscrete,
    UnstableStepError,
    integrate,
    mismatch,
    mismatch_rows,
    step_checks,
)

ONES = torch.ones(9, 2, dtype=torch.float64)


@pytest.fixture
def late(monkeypatch):
    """Return a function after which CPU tensors are looked at as those of an accelerator."""

    def begin():
        for module in (devices, step_checks):
            monkeypatch.setattr(module, "is_waited_for", lambda tensor: True)

    return begin


def breaks_at(time, node):
    """Rates of a state that is NaN at a node from a time on."""

    def rates(t, state):
        nodes = torch.arange(len(state))[:, None]
        return torch.where((nodes == node) & (t >= time), math.nan, 0.0 * state)

    return rates


def refusal(kind, *args, **options):
    with pytest.raises(kind) as error:
        integrate(*args, progress=False, **options)
    return str(error.value)


@pytest.mark.parametrize("step", [1, 2, 31, 32, 33, 64, 97, 100])
def test_the_step_and_the_node_are_named(late, step):
    args = breaks_at(step - 0.5, node=step % 9), ONES, 0.0, 100.0, 1.0
    at_once = refusal(NonFiniteStateError, *args, limit=0.5)
    assert f"after step {step} of 100, time {step - 0.5:g}, at node {step % 9}" in at_once
    late()
    assert refusal(NonFiniteStateError, *args, limit=0.5) == at_once
    assert refusal(NonFiniteStateError, *args, limit=0.5, checkpoint_every=7) == at_once


def test_overflow_of_a_norm_alone_is_none(late):
    late()
    huge = 1e200 * ONES
    assert torch.equal(integrate(lambda t, s: 0 * s, huge, 0.0, 40.0, 1.0, limit=1.0), huge)


def test_growth_of_steps_is_told_from_that_of_the_equation(late):
    def stiff(t, state):
        return torch.where(t > 50, -50.0, -0.01) * state

    def growing(t, state):
        return 0.3 * state

    args = (lambda t, s: stiff(torch.tensor(t), s)), ONES, 0.0, 100.0, 1.0
    at_once = refusal(UnstableStepError, *args, limit=1.0)
    wanted = integrate(growing, ONES, 0.0, 100.0, 1.0, limit=1.0)
    late()
    assert refusal(UnstableStepError, *args, limit=1.0) == at_once
    assert torch.equal(integrate(growing, ONES, 0.0, 100.0, 1.0, limit=1.0), wanted)


@pytest.mark.parametrize("every", [None, 1, 7, 100])
def test_gradients_are_the_same(late, every):
    operators = GraphOperators.from_graph(grid_graph([12], [0.0], [1.0]))
    system = SemiDiscrete(lambda u, v, d: (d.laplacian(u) + u * v, -u * v), operators)

    def gradient():
        state = torch.linspace(0.1, 1.0, 24, dtype=torch.float64).view(12, 2).requires_grad_()
        end = integrate(system, state, 0.0, 0.1, 1e-3, limit=1e-3, checkpoint_every=every)
        return torch.autograd.grad(end.square().sum(), state)[0]

    wanted = gradient()
    late()
    assert torch.equal(gradient(), wanted)


def test_readings_are_one_in_32_sub_steps(late, monkeypatch):
    late()
    made = []
    monkeypatch.setattr(
        step_checks, "read", lambda *numbers: made.append(len(numbers)) or devices.read(*numbers)
    )
    integrate(lambda t, s: -s, ONES, 0.0, 5.0, 0.1, limit=0.05)  # 100 sub-steps
    assert made == [64, 64, 64, 8]


def test_numbers_of_nodes_serve_as_a_mask():
    operators = GraphOperators.from_graph(grid_graph([9], [0.0], [1.0], boundary="dirichlet"))
    assert operators.boundary_nodes.tolist() == [0, 8]
    assert operators.free_nodes.tolist() == list(range(1, 8))
    assert operators.free_nodes is operators.free_nodes, "made once"
    other = torch.rand(9, 2, dtype=torch.float64)
    rows = mismatch_rows(ONES, other, 0.5, mask=operators.free_nodes)
    assert torch.equal(rows, mismatch_rows(ONES, other, 0.5, mask=~operators.boundary_mask))
    assert mismatch(ONES, other, 0.5, mask=torch.tensor([3])).tolist() == pytest.approx(
        (2 * (1 - other[3])).square().tolist()
    )


@pytest.mark.parametrize("mask", [torch.ones(9), torch.ones(8, dtype=torch.bool), [1, 2],
                                  torch.zeros(2, 2, dtype=torch.int64)])  # fmt: skip
def test_other_masks_are_refused(mask):
    with pytest.raises(ValueError, match=r"bool of shape \[9\] or node numbers, int64 of one axis"):
        mismatch_rows(ONES, ONES, 1.0, mask=mask)
    with pytest.raises(ValueError, match="at least one node"):
        mismatch_rows(ONES, ONES, 1.0, mask=torch.zeros(0, dtype=torch.int64))
