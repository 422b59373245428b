"""The loss terms of a network that steps, against exact solutions and finite differences."""

import pytest
import torch
from torch import nn

from pinn_ext.datasets.families import FamilyBatch, FamilyBatches
from pinn_ext.datasets.families.trajectories import trajectory
from pinn_ext.losses.step_loss import StepLoss
from pinn_ext.networks.graph_networks import create
from tests.datasets.families.small import family, graphs

pytestmark = pytest.mark.usefixtures("double")
STEP = 0.02
DATA = {"constants": {"feed": 1.0, "decay": 2.5, "diffusion": 0.05}}


def batch_of(own, numbers=(0, 1), times=(0.05, 0.2), step=STEP):
    return FamilyBatches(graphs(own), step).batch(numbers, torch.tensor(times))


def network_of(own, **changes):
    settings = {"parameters": len(own.varied), "width": 8, "layers": 2, **changes}
    return create("gnn", 2, own.mean, own.deviations, own.horizon, **settings)


class Exact:
    """The solution of each problem at the times that are asked for, by scipy."""

    def __init__(self, own, data):
        self.own, self.data = own, data

    def __call__(self, batch, tau):
        parts = []
        for i, number in enumerate(batch.numbers.tolist()):
            graph, time = self.data[number], float(tau[batch.batch == i][0])
            equation = self.own.equation(self.data.operators(graph), graph.parameters)
            parts.append(trajectory(equation, graph.x, time, 1)[:, 1])
        return torch.cat(parts)


class Polynomial(nn.Module):
    """`U0 + tau A + tau^2 B` with a matrix of neighbours in it: its derivative is known."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.3))

    def forward(self, batch, tau):
        source, target = batch.edge_index
        received = torch.zeros_like(batch.x)
        received = received.index_add(0, target, batch.x[source] * tau[source, None] ** 2)
        return batch.x + tau[:, None] * batch.rates + self.factor * received

    def slope(self, batch, tau):
        source, target = batch.edge_index
        received = torch.zeros_like(batch.x)
        received = received.index_add(0, target, batch.x[source] * 2.0 * tau[source, None])
        return batch.rates + self.factor * received


def test_the_time_derivative_counts_the_times_of_neighbours():
    own = family(**DATA)
    batch, model = batch_of(own), Polynomial()
    loss = StepLoss(own, STEP, use_rk4=False)
    tau = batch.inputs[:, 0]
    with torch.no_grad():
        wanted = (model.slope(batch, tau) - batch.equation(tau, model(batch, tau))).square()
    found = torch.tensor(loss.values(model, batch))
    scales = torch.tensor(own.scales)
    torch.testing.assert_close(found, wanted.mean(dim=0) / scales**2, rtol=1e-12, atol=0)


def test_rk4_terms_of_the_solution_fall_with_the_fourth_power_of_the_step():
    """The mismatch over h is of order h^4, so its mean square falls by 256 when h halves."""
    own = family(**DATA)
    data = graphs(own)
    found = []
    for step in (0.04, 0.02):
        batch = batch_of(own, step=step)
        loss, model = StepLoss(own, step), Exact(own, data)
        now, later = (model(batch, batch.inputs[:, 0] + h) for h in (0.0, step))
        from pinn_ext.losses.step_loss import Moment

        now.pinn_ext_moment = Moment(torch.zeros_like(now), lambda _, s=later: s)
        found.append([float(v.square().mean().sqrt()) for v in loss.residuals(model, batch, now)])
    for coarse, fine in zip(*(terms[2:] for terms in found), strict=True):
        assert 12.0 < coarse / fine < 20.0 and fine < 1e-4


def test_pi_terms_of_the_solution_vanish():
    own = family(**DATA)
    data = graphs(own)
    batch, model = batch_of(own), Exact(own, data)
    gap = 1e-3
    now = model(batch, batch.inputs[:, 0])
    ends = [model(batch, batch.inputs[:, 0] + d * gap) for d in (-2, -1, 1, 2)]
    slope = (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * gap)
    rates = batch.equation(0.0, now)
    assert (slope - rates).norm() < 1e-6 * rates.norm()


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
def test_gradients_against_finite_differences(boundary):
    own = family(boundary, "grid" if boundary == "periodic" else "cloud", per_side=7)
    batch, model = batch_of(own), network_of(own)
    loss = StepLoss(own, STEP)

    def total():
        return torch.stack(loss(model, batch, loss.outputs(model, batch))).sum()

    parameter = model.encoder.lins[0].weight
    (gradient,) = torch.autograd.grad(total(), parameter)
    direction = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        gap, start = 1e-5, parameter.clone()
        values = []
        for sign in (1.0, -1.0):
            parameter.copy_(start + sign * gap * direction)
            values.append(float(total()))
        parameter.copy_(start)
    wanted = (values[0] - values[1]) / (2.0 * gap)
    assert float((gradient * direction).sum()) == pytest.approx(wanted, rel=1e-6)


def test_a_batch_is_the_mean_of_its_graphs():
    own = family()
    model, loss = network_of(own), StepLoss(own, STEP)
    together = torch.tensor(loss.values(model, batch_of(own)))
    alone = [loss.values(model, batch_of(own, (i,), (t,))) for i, t in ((0, 0.05), (1, 0.2))]
    torch.testing.assert_close(together, torch.tensor(alone).mean(dim=0), rtol=1e-12, atol=0)


def test_any_module_is_as_good_as_ours():
    """What passes its messages once gives the numbers of what is called for each time."""
    own = family()
    batch, model, loss = batch_of(own), network_of(own), StepLoss(own, STEP)

    class Wrapped(nn.Module):
        def forward(self, batch, tau):
            return model(batch, tau)

    assert loss.values(Wrapped(), batch) == pytest.approx(loss.values(model, batch), rel=1e-13)


def test_what_the_switches_do():
    own = family()
    batch, model = batch_of(own), network_of(own)
    whole = StepLoss(own, STEP).values(model, batch)
    bare = StepLoss(own, STEP, per_unit_time=False).values(model, batch)
    assert bare[2:] == pytest.approx([v * STEP**2 for v in whole[2:]]) and bare[:2] == whole[:2]
    assert StepLoss(own, STEP, use_rk4=False).values(model, batch) == whole[:2]
    detached = StepLoss(own, STEP, detach=True)
    assert detached.values(model, batch) == whole
    gradients = []
    for loss in (detached, StepLoss(own, STEP)):
        rows = loss.residuals(model, batch, loss.outputs(model, batch))
        weight = model.decoder.lins[-1].weight
        gradients.append(torch.autograd.grad(rows[2].square().mean(), weight)[0])
    assert not torch.allclose(*gradients)


def test_dirichlet_nodes_are_left_out():
    own = family("dirichlet", "cloud", per_side=7)
    batch, model, loss = batch_of(own), network_of(own), StepLoss(own, STEP)
    rows = loss.residuals(model, batch, loss.outputs(model, batch))
    assert [len(r) for r in rows] == [int((~batch.boundary_mask).sum())] * 4
    assert isinstance(batch, FamilyBatch)


def test_a_network_of_another_shape_is_refused():
    own = family()
    with pytest.raises(ValueError, match=r"must return the state \[72, 2\] for model\(batch, tau"):
        StepLoss(own, STEP).values(lambda batch, tau: tau, batch_of(own))
