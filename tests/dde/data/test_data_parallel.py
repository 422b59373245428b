"""Shares of a batch, its loss terms and gradients, in one process that is each rank in turn."""

import pytest
import torch

from pinn_ext.dde.data.data_parallel import add_up_gradients, global_means, share
from pinn_ext.dde.model.optimizers import clip_gradients
from pinn_ext.measurements import processes

pytestmark = pytest.mark.usefixtures("double")


@pytest.fixture
def be(monkeypatch):
    """Be one of several processes; what the others have to add is given: `be(0, 2, others)`."""

    def call(rank, count, others=lambda values: 0.0):
        monkeypatch.setattr(processes, "is_running", lambda: count > 1)
        monkeypatch.setattr(processes, "rank_and_count", lambda: (rank, count))
        monkeypatch.setattr(processes, "total", lambda values: values + others(values))

    return call


@pytest.mark.parametrize(("count", "ranks"), [(4, 1), (4, 2), (5, 2), (7, 3), (3, 3), (10, 4)])
def test_shares_are_all_of_a_batch_in_its_order(be, count, ranks):
    found, sizes = [], []
    for rank in range(ranks):
        be(rank, ranks)
        own = list(range(count))[share(count)]
        found, sizes = found + own, [*sizes, len(own)]
    assert found == list(range(count)) and max(sizes) - min(sizes) <= 1


def test_a_batch_too_small_is_refused(be):
    be(0, 3)
    with pytest.raises(ValueError, match="must have a graph for each of 3 processes, got 2"):
        share(2)


def rows_of(parameter):
    """Return the rows of two terms, of which the first process has three and the second two."""
    x = torch.linspace(0.5, 1.5, 5)
    return torch.sin(parameter * x), parameter * x**2 - 1.0


PARTS = (slice(0, 3), slice(3, 5))


def test_terms_are_those_of_all_rows_and_so_are_their_gradients(be):
    """With shares of another size, where a mean of means would be another number."""
    parameter = torch.tensor(0.7, requires_grad=True)
    whole = [rows.square().mean() for rows in rows_of(parameter)]
    wanted = [torch.autograd.grad(term, parameter)[0] for term in whole]
    sums = [torch.stack([rows[p].square().sum() for rows in rows_of(parameter)]) for p in PARTS]
    gradients = []
    for rank, part in enumerate(PARTS):
        other = sums[1 - rank].detach()
        count = torch.tensor([5.0 - (part.stop - part.start)])
        of_others = torch.cat((other, count))
        be(rank, 2, lambda values, more=of_others: more)
        own = [rows[part].square().mean() for rows in rows_of(parameter)]
        terms = global_means(own, part.stop - part.start)
        for term, expected, before in zip(terms, whole, own, strict=True):
            torch.testing.assert_close(term, expected, rtol=1e-14, atol=0.0)
            assert abs(before - expected) > 1e-2
        gradients.append([torch.autograd.grad(t, parameter, retain_graph=True)[0] for t in terms])
    for of_first, of_second, expected in zip(*gradients, wanted, strict=True):
        torch.testing.assert_close((of_first + of_second) / 2, expected, rtol=1e-14, atol=0.0)


def test_alone_and_of_residual_vectors_nothing_changes(be):
    terms = [torch.ones((), requires_grad=True)]
    assert global_means(terms, 3) is terms
    be(0, 2)
    vectors = [torch.ones(3)]
    assert global_means(vectors, 3) is vectors


def test_a_term_that_is_not_finite_here_is_not_finite_anywhere(be):
    be(0, 2, lambda values: torch.tensor([float("nan"), 1.0, 2.0]))
    nan, finite = global_means([torch.tensor(1.0), torch.tensor(2.0)], 2)
    assert nan.isnan() and finite == 1.25


def step(be, count, clip):
    parameters = [torch.nn.Parameter(torch.tensor([1.0, 2.0])) for _ in range(2)]
    unused = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([*parameters, unused], 1.0)
    be(0, count, lambda values: 3.0 * values)  # the other process has three times the gradient
    add_up_gradients(optimizer)
    if clip:
        clip_gradients(optimizer, 1e-3)

    def closure():
        optimizer.zero_grad()
        loss = sum((i + 1.0) * p.sum() for i, p in enumerate(parameters))
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    assert unused.grad is None
    return loss, [parameter.grad.tolist() for parameter in parameters]


def test_the_optimiser_sees_the_mean_of_the_gradients(be):
    assert step(be, 1, False) == (9.0, [[1.0, 1.0], [2.0, 2.0]])
    assert step(be, 2, False) == (9.0, [[2.0, 2.0], [4.0, 4.0]])


def test_gradients_are_clipped_once_they_are_added_up(be):
    _, gradients = step(be, 2, True)
    assert torch.tensor(gradients).norm() == pytest.approx(1e-3, rel=1e-3)


def test_all_of_them_travel_in_one_message(be, monkeypatch):
    sent = []
    be(0, 2)
    monkeypatch.setattr(processes, "total", lambda values: sent.append(values.shape) or values)
    found = processes.totals([torch.ones(2, 3), torch.ones(4)])
    assert sent == [(10,)] and [tuple(part.shape) for part in found] == [(2, 3), (4,)]
