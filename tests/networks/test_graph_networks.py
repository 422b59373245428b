"""Networks that step (`pinn_ext.networks.graph_networks`): symmetries, and what always holds."""

import pytest
import torch
from torch_geometric.data import Batch

from pinn_ext.choices import GRAPH_NETWORKS
from pinn_ext.datasets.families import FamilyBatch
from pinn_ext.networks.graph_networks import create
from solvers.operators import reorder
from tests.datasets.families.small import family, graphs

every = pytest.mark.parametrize("name", GRAPH_NETWORKS)
pytestmark = pytest.mark.usefixtures("double")
TIMES = torch.tensor([0.1, 0.2], dtype=torch.float64)


def network(name, own, **changes):
    settings = {"parameters": len(own.varied), "width": 8, "layers": 2, "seed": 3, **changes}
    made = create(name, 2, own.mean, own.deviations, own.horizon, **settings)
    with torch.no_grad():  # an output that does not hide behind its small start
        made.decoder.lins[-1].weight.mul_(30.0)
    return made


def batch_of(own, graph=None, times=TIMES):
    data = graphs(own, count=2)
    return FamilyBatch.from_graphs([data[0], data[1]] if graph is None else graph, own, times, 0.01)


def stepped(model, batch):
    return model(batch, batch.inputs[:, 0]).detach()


@every
def test_the_start_and_its_rate_of_change_hold(name):
    own = family()
    batch = batch_of(own)
    model = network(name, own)
    tau = torch.zeros(len(batch.x), dtype=torch.float64)
    state, slope = torch.func.jvp(model.later(batch), (tau,), (torch.ones_like(tau),))
    assert torch.equal(state, batch.x)
    torch.testing.assert_close(slope, batch.rates, rtol=1e-12, atol=1e-12)
    assert (stepped(model, batch) - batch.x).abs().min() > 0


@every
def test_the_slope_is_that_of_forward_mode(name):
    own = family("dirichlet", "cloud", per_side=8)
    batch = batch_of(own)
    later, tau = network(name, own).later(batch), batch.inputs[:, 0]
    state, slope = later.with_slope(tau)
    wanted, steep = torch.func.jvp(later, (tau,), (torch.ones_like(tau),))
    assert torch.equal(state, wanted)
    torch.testing.assert_close(slope, steep, rtol=1e-12, atol=1e-12)


@every
def test_dirichlet_nodes_stay(name):
    own = family("dirichlet", "cloud", per_side=8)
    batch = batch_of(own)
    found = stepped(network(name, own), batch)
    held = batch.boundary_mask
    assert held.any() and torch.equal(found[held], batch.x[held])
    assert (found[~held] - batch.x[~held]).abs().min() > 0


@every
def test_another_numbering_changes_nothing(name):
    own = family("neumann", "cloud", per_side=8)
    graph = graphs(own, count=1)[0]
    place = reorder(graph)
    order = place.node_order
    assert not torch.equal(order, torch.arange(len(order)))
    # The edges are renumbered with the nodes, and sorted anew: their own attributes are made again.
    del place.node_order, place.edge_attr
    model, times = network(name, own), TIMES[:1]
    before = stepped(model, batch_of(own, graph, times))
    after = stepped(model, batch_of(own, place, times))
    torch.testing.assert_close(after, before[order], rtol=1e-11, atol=1e-11)


@every
def test_a_translation_changes_nothing(name):
    """Fields that are rolled along a periodic grid give the same, rolled."""
    own = family(per_side=6)
    graph = graphs(own, count=1)[0]
    model, times = network(name, own), TIMES[:1]
    before = stepped(model, batch_of(own, graph, times))

    def rolled(field):
        return field.view(6, 6, 2).roll((2, 5), dims=(0, 1)).reshape(36, 2)

    graph.x = rolled(graph.x)
    after = stepped(model, batch_of(own, graph, times))
    torch.testing.assert_close(after, rolled(before), rtol=1e-11, atol=1e-11)


@every
def test_a_batch_is_its_graphs_alone(name):
    own = family()
    data = graphs(own, count=2)
    model = network(name, own)
    together = stepped(model, batch_of(own))
    alone = [stepped(model, batch_of(own, data[i], TIMES[i])) for i in range(2)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-12, atol=1e-12)
    assert Batch.from_data_list([data[0], data[1]]).x.shape == together.shape


@every
def test_constants_that_vary_are_read(name):
    own = family()
    batch = batch_of(own)
    model = network(name, own)
    other = FamilyBatch(**{**vars(batch), "parameters": batch.parameters + 0.5})
    assert (stepped(model, batch) - stepped(model, other)).abs().max() > 1e-6


@every
def test_the_seed_makes_the_parameters_and_nothing_else(name):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = network(name, family()), network(name, family())
    assert torch.equal(torch.get_rng_state(), before)
    other = network(name, family(), seed=4)
    pairs = zip(first.parameters(), second.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(
        not torch.equal(a, c) for a, c in zip(first.parameters(), other.parameters(), strict=True)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gcn", 2, (1, 1), (1, 1), 1.0), "`network` must be one of gnn, mesh_graph_net"),
        (("gnn", 2, (1,), (1, 1), 1.0), r"`centre` must hold one number for u and one for v"),
        (("gnn", 2, (1, 1), (1, 0), 1.0), r"`scales` must be a finite number > 0, got 0"),
        (("gnn", 2, (1, 1), (1, 1), 0.0), r"`horizon` must be a finite number > 0, got 0.0"),
    ],
)
def test_what_is_no_network(arguments, message):
    with pytest.raises(ValueError, match=message):
        create(*arguments)
    with pytest.raises(ValueError, match="`layers` must be a whole number >= 1, got 0"):
        create("gnn", 2, (1, 1), (1, 1), 1.0, layers=0)
