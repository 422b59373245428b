"""Loss terms on snapshot graphs and one training step: values, weights, gradients, refusals."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from pinn_ext import AdaptiveLossWeights, systems, train_physics
from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs, epoch_order, stratified_times
from pinn_ext.losses import rk4_mismatch
from pinn_ext.losses.from_config import WEIGHT_KEYS, physics_loss
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.networks import FieldNetwork
from pinn_ext.plain_torch.train_physics import weighted_total
from pinn_ext.schema import Config
from pinn_ext.systems import domains

torch.set_num_threads(1)
F64 = torch.float64
CASES = [
    (name, boundary) for name in systems.names() for boundary in systems.create(name).boundaries
]
every = pytest.mark.parametrize(("name", "boundary"), CASES)


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(F64)
    yield
    torch.set_default_dtype(torch.float32)


def config(name="brusselator", *, nodes=7, graphs=4, conditions="hard", **loss):
    cfg = Config()
    cfg.problem.name, cfg.problem.conditions = name, conditions
    cfg.dataset.nodes_per_side, cfg.dataset.num_graphs = nodes, graphs
    for key, value in loss.items():
        assert hasattr(cfg.training.loss, key)
        setattr(cfg.training.loss, key, value)
    return cfg


def parts(cfg, seed=0):
    """Return a batch of all graphs, a network and a fresh optimiser of a configuration."""
    problem, dataset = cfg.problem, cfg.dataset
    system = systems.create(problem.name, boundary=problem.boundary, **problem.parameters)
    graphs = SnapshotGraphs(
        system, dataset.num_graphs, step=dataset.step, nodes_per_side=dataset.nodes_per_side
    )
    network = FieldNetwork(
        system, (8, 8), conditions=problem.conditions, scaling=problem.scaling, seed=seed
    )
    batch = Batch.from_data_list(list(graphs))
    return batch, network, torch.optim.Adam(network.parameters(), lr=1e-2)


def step(cfg, made=None, **options):
    batch, network, optimizer = made or parts(cfg)
    return train_physics(batch, network, optimizer, "cpu", cfg, **options)


def snapshots(
    name, boundary=None, *, nodes=9, graphs=3, step=1e-2, kind="grid", order=2, **parameters
):
    system = systems.create(name, boundary=boundary, **parameters)
    data = SnapshotGraphs(
        system,
        graphs,
        name=kind,
        order=order,
        step=step,
        nodes_per_side=nodes,
        conditions="hard" if system.on_box else "soft",
    )
    batch = SnapshotBatch.from_graphs(list(data))
    batch.inputs.requires_grad_()
    return system, batch


def terms(loss, batch, network):
    with torch.enable_grad():
        values = loss(network, batch, network(batch.inputs))
    return dict(zip(loss.names, [value.item() for value in values], strict=True))


def exact_network(system):
    return lambda inputs: system.exact(inputs[:, :-1], inputs[:, -1])


# ---- train_physics --------------------------------------------------------------------------

PI = ["PI_loss1", "PI_loss2"]
RK4 = ["RK4_loss1", "RK4_loss2"]
SOFT = ["IC_loss1", "IC_loss2", "BC_loss1", "BC_loss2"]


@pytest.mark.parametrize(
    ("loss", "rk4", "conditions", "names"),
    [
        ({}, True, "hard", PI + RK4),
        ({}, False, "hard", PI),
        ({"use_rk4": False}, True, "hard", PI),
        ({}, True, "soft", PI + RK4 + SOFT),
        ({"use_rk4": False}, False, "soft", PI + SOFT),
    ],
)
def test_total_and_raw_losses(loss, rk4, conditions, names):
    cfg = config(conditions=conditions, w1_PI=2.0, w2_PI=0.5, w1_rk4=10.0, w2_BC=7.0, **loss)
    total, raw = step(cfg, rk4=rk4)
    assert isinstance(total, float) and list(raw) == names
    assert all(type(value) is float and value > 0 for value in raw.values())
    weights = {name: getattr(cfg.training.loss, WEIGHT_KEYS[name]) for name in names}
    assert total == pytest.approx(sum(weights[name] * raw[name] for name in names), rel=1e-12)


def test_weights_come_from_the_manager_which_is_only_read():
    class Watched(AdaptiveLossWeights):
        def update(self, epoch, loss_values):
            raise AssertionError("train_physics must not update the weights")

    start = dict(zip(PI + RK4, (1.0, 20.0, 0.5, 3.0), strict=True))
    manager = Watched(PI + RK4, start, "equal_init")
    before = manager.state_dict()
    total, raw = step(config(w1_PI=100.0), adaptive_weights=manager)
    assert total == pytest.approx(sum(start[name] * raw[name] for name in raw), rel=1e-12)
    assert manager.state_dict() == before
    total, raw = step(config(), rk4=False, adaptive_weights=manager)
    assert total == pytest.approx(raw["PI_loss1"] + 20.0 * raw["PI_loss2"], rel=1e-12)


def test_a_term_without_weight_is_refused_before_the_step():
    made = parts(config())
    before = copy.deepcopy(made[1].state_dict())
    manager = AdaptiveLossWeights(PI, dict.fromkeys(PI, 1.0))
    with pytest.raises(
        ValueError, match=r"`adaptive_weights` must name exactly .* missing \['RK4_loss1'"
    ):
        step(config(), made, adaptive_weights=manager)
    assert all(torch.equal(before[key], value) for key, value in made[1].state_dict().items())


def test_what_is_returned_belongs_to_the_parameters_before_the_step():
    cfg = config()
    batch, network, optimizer = parts(cfg)
    untouched = copy.deepcopy(network)
    total, raw = step(cfg, (batch, network, optimizer))
    assert any(
        not torch.equal(new, old)
        for new, old in zip(network.parameters(), untouched.parameters(), strict=True)
    )
    again, same = step(cfg, (batch, untouched, torch.optim.SGD(untouched.parameters(), lr=0.0)))
    assert (again, same) == (total, raw)


def test_training_lowers_the_loss():
    cfg = config()
    made = parts(cfg)
    first, _ = step(cfg, made)
    for _ in range(40):
        last, _ = step(cfg, made)
    assert last < 0.3 * first


def test_float32_and_leftover_gradients():
    cfg = config()
    batch, network, _ = parts(cfg)
    network.float()
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, 1e6)
    total, _ = step(cfg, (batch, network, torch.optim.SGD(network.parameters(), lr=0.0)))
    assert {p.grad.dtype for p in network.parameters()} == {torch.float32}
    assert max(p.grad.abs().max().item() for p in network.parameters()) < 1e5
    exact, _ = step(cfg)
    assert total == pytest.approx(exact, rel=1e-2)


def test_one_graph_a_list_and_a_loader_are_batches_too():
    cfg = config(graphs=1)
    batch, network, _ = parts(cfg)
    graph = batch.to_data_list()[0]
    forms = [batch, graph, [graph], next(iter(DataLoader([graph], batch_size=1)))]
    results = []
    for form in forms:
        frozen = torch.optim.SGD(network.parameters(), lr=0.0)
        results.append(step(cfg, (form, network, frozen)))
    assert all(result == results[0] for result in results)


def test_a_batch_scores_the_mean_of_its_graphs():
    cfg = config(graphs=3, conditions="soft")
    batch, network, _ = parts(cfg)

    def raw(graphs):
        return step(cfg, (graphs, network, torch.optim.SGD(network.parameters(), lr=0.0)))[1]

    together, alone = raw(batch), [raw(graph) for graph in batch.to_data_list()]
    for name, value in together.items():
        assert value == pytest.approx(np.mean([one[name] for one in alone]), rel=1e-10)


@pytest.mark.parametrize(
    "graphs",
    [Data(pos=torch.zeros(3, 2)), Batch.from_data_list([Data(pos=torch.zeros(3, 2))]), [Data()]],
)
def test_graphs_that_are_no_snapshots_are_refused(graphs):
    _, network, optimizer = parts(config())
    with pytest.raises(ValueError, match=r"`batch` must hold snapshot graphs, got .*'time'"):
        train_physics(graphs, network, optimizer, "cpu", config())


# ---- the RK4 terms --------------------------------------------------------------------------


def gradient(cfg):
    batch, network, optimizer = parts(cfg)
    _, raw = step(cfg, (batch, network, optimizer))
    return raw, torch.cat([p.grad.flatten() for p in network.parameters()])


def test_detaching_changes_the_gradient_but_not_the_value():
    (raw, attached), (same, detached) = (gradient(config(rk4_detach=d)) for d in (False, True))
    assert raw == same
    assert not torch.allclose(attached, detached, rtol=1e-2)


def test_per_unit_time_divides_by_the_square_of_the_step():
    rate, bare = (step(config(rk4_per_unit_time=rate))[1] for rate in (True, False))
    for name in RK4:
        assert bare[name] == pytest.approx(rate[name] * 1e-2**2, rel=1e-12)
    assert rate["PI_loss1"] == bare["PI_loss1"]


def test_the_mismatch_tends_to_the_equation_s_residual():
    """Per unit time and for h -> 0, both measure u_t - rhs, but for the graph's derivatives."""
    system, batch = snapshots("linear_reaction_diffusion", nodes=200)
    network = FieldNetwork(system, (8,), seed=2)
    loss = PhysicsLoss(system, step=1e-5)
    values = terms(loss, batch, network)
    assert values["RK4_loss1"] == pytest.approx(values["PI_loss1"], rel=1e-2)
    assert values["RK4_loss2"] == pytest.approx(values["PI_loss2"], rel=1e-2)


def test_a_step_beyond_stability_is_cut_up(monkeypatch):
    system, batch = snapshots("brusselator", nodes=25, step=0.1)
    assert batch.stable_step < 0.02
    calls = []
    rk4_step = rk4_mismatch.rk4_step

    def counted(rhs, state, time, h, **options):
        calls.append((h, float(time.min())))
        return rk4_step(rhs, state, time, h, **options)

    monkeypatch.setattr(rk4_mismatch, "rk4_step", counted)
    loss = PhysicsLoss(system, step=0.1)
    floor = loss.floor(batch)
    count = math.ceil(0.1 / batch.stable_step)
    assert len(calls) == count > 5
    assert all(h == pytest.approx(0.1 / count) for h, _ in calls)
    starts = [time - calls[0][1] for _, time in calls]
    assert starts == pytest.approx([i * 0.1 / count for i in range(count)])
    assert bool(torch.isfinite(floor).all()) and bool((floor < 0.1).all())


@every
def test_no_cut_where_the_step_is_stable(name, boundary, monkeypatch):
    system, batch = snapshots(name, boundary, step=1e-3)
    calls = []
    rk4_step = rk4_mismatch.rk4_step
    monkeypatch.setattr(
        rk4_mismatch, "rk4_step", lambda *args, **kw: calls.append(1) or rk4_step(*args, **kw)
    )
    PhysicsLoss(system, step=1e-3).floor(batch)
    assert len(calls) == 1


@every
def test_the_floor_is_small_and_falls_with_the_grid(name, boundary):
    """The operators have order two, their squared error has four."""
    nodes = (9, 13, 19) if systems.create(name).dimension == 2 else (24, 36, 54)
    if (name, boundary) == ("coupled_burgers", "dirichlet"):
        nodes = (60, 90, 135)  # the front must be resolved
    floors, spacings = [], []
    for n in nodes:
        system, batch = snapshots(name, boundary, nodes=n, step=1e-3)
        loss = PhysicsLoss(system, step=1e-3, scales=system.field_scales())
        floors.append(loss.floor(batch).tolist())
        spacings.append(1.0 / (n if system.periodic else n - 1))
    for field in (0, 1):
        column = [row[field] for row in floors]
        assert np.polyfit(np.log(spacings), np.log(column), 1)[0] == pytest.approx(4.0, abs=0.4)
        assert column[-1] < 1e-3


@every
def test_the_floor_is_what_the_exact_solution_scores(name, boundary):
    system, batch = snapshots(name, boundary)
    loss = PhysicsLoss(system, scales=system.field_scales())
    values = terms(loss, batch, exact_network(system))
    assert [values[key] for key in RK4] == pytest.approx(loss.floor(batch).tolist(), rel=1e-9)


FLOORS = [("grid", 2), ("grid", 4), ("grid", 6), ("cloud", 2), ("cloud", 4)]


@pytest.mark.parametrize(("kind", "order"), FLOORS)
def test_the_floor_falls_with_the_order(kind, order):
    """The mismatch is a square, so the floor has twice the order of the operators."""
    floors, nodes = [], (13, 19, 28) if order < 6 else (9, 13, 19)
    for n in nodes:
        system, batch = snapshots("brusselator", kind=kind, order=order, nodes=n, step=1e-4)
        loss = PhysicsLoss(system, step=1e-4, scales=system.field_scales())
        floors.append(loss.floor(batch).log().tolist())
    slopes = -np.polyfit(np.log([n - 1 for n in nodes]), floors, 1)[0]
    assert slopes == pytest.approx([2 * order] * 2, abs=0.15 * 2 * order)


LOWER = [("grid", "square", 1e4), *(("cloud", shape, 1e3) for shape in domains.names())]


@pytest.mark.parametrize(("kind", "shape", "factor"), LOWER)
def test_order_four_lowers_the_floor(kind, shape, factor):
    """At the default spacing of 1/8."""
    floors = []
    for order in (2, 4):
        system, batch = snapshots("brusselator", kind=kind, order=order, nodes=17, geometry=shape)
        floors.append(PhysicsLoss(system, scales=system.field_scales()).floor(batch))
    assert bool((floors[1] * factor < floors[0]).all()), floors


# ---- the other terms ------------------------------------------------------------------------


@every
def test_equation_and_conditions_vanish_for_the_exact_solution(name, boundary):
    system, batch = snapshots(name, boundary)
    loss = PhysicsLoss(system, conditions="soft", scales=system.field_scales())
    assert loss.names == PI + RK4 + SOFT
    right = terms(loss, batch, exact_network(system))
    wrong = terms(
        loss, batch, lambda inputs: exact_network(system)(inputs) + 0.1 * inputs.sum(1)[:, None]
    )
    for name_of_term in PI + SOFT:
        assert right[name_of_term] < 1e-20
        assert wrong[name_of_term] > 1e-6


def test_conditions_by_hand():
    """An answer of 0 scores the mean square of the data, in units of the scales squared."""
    system, batch = snapshots("brusselator", nodes=5, graphs=2)
    loss = PhysicsLoss(system, conditions="soft", scales=(2.0, 5.0))
    values = terms(loss, batch, lambda inputs: 0.0 * inputs[:, :2])
    nodes = torch.cartesian_prod(torch.linspace(0, 2, 5), torch.linspace(0, 2, 5))
    start = system.exact(nodes, torch.zeros(25)).square().mean(dim=0)
    assert values["IC_loss1"] == pytest.approx(start[0].item() / 4, rel=1e-12)
    assert values["IC_loss2"] == pytest.approx(start[1].item() / 25, rel=1e-12)
    edge = ((nodes == 0) | (nodes == 2)).any(dim=1)
    times = batch.inputs[::25, -1].detach()
    faces = torch.cat([system.exact(nodes[edge], time.expand(16)) for time in times])
    assert values["BC_loss1"] == pytest.approx(faces[:, 0].square().mean().item() / 4, rel=1e-12)
    assert values["BC_loss2"] == pytest.approx(faces[:, 1].square().mean().item() / 25, rel=1e-12)


def test_periodicity_by_hand():
    """u = x jumps by 2 pi; u = x^2 has slopes -2 pi and 2 pi, times half the box, pi."""
    system, batch = snapshots("coupled_burgers", "periodic")
    loss = PhysicsLoss(system, conditions="soft")

    def network(inputs):
        return torch.stack((inputs[:, 0], inputs[:, 0] ** 2), dim=1)

    values = terms(loss, batch, network)
    # Two comparisons a time, of values and of slopes, one of them zero.
    assert values["BC_loss1"] == pytest.approx((2 * math.pi) ** 2 / 2, rel=1e-12)
    assert values["BC_loss2"] == pytest.approx((4 * math.pi**2) ** 2 / 2, rel=1e-12)


def test_scales_divide_every_term():
    system, batch = snapshots("brusselator")
    network = FieldNetwork(system, (8,), conditions="soft", seed=1)
    plain = terms(PhysicsLoss(system, conditions="soft"), batch, network)
    scaled = terms(PhysicsLoss(system, conditions="soft", scales=(0.5, 20.0)), batch, network)
    for name, value in plain.items():
        assert scaled[name] == pytest.approx(value / (0.25 if name[-1] == "1" else 400.0))


def test_physics_loss_reads_the_configuration():
    cfg = config("coupled_burgers", conditions="soft", use_rk4=False, rk4_detach=True)
    cfg.problem.boundary, cfg.problem.parameters = "dirichlet", {"amplitude": 0.8}
    cfg.problem.scales, cfg.dataset.step = [2.0, 3.0], 5e-3
    loss = physics_loss(cfg)
    assert (loss.system.boundary, loss.system.amplitude) == ("dirichlet", 0.8)
    assert (loss.scales, loss.step, loss.step_mismatch.detach) == ((2.0, 3.0), 5e-3, True)
    assert loss.names == PI + SOFT
    cfg.problem.scaling = "none"
    assert physics_loss(cfg).scales == (1.0, 1.0)


def test_weighted_total_leaves_the_losses_alone():
    losses = [torch.tensor(2.0), torch.tensor(3.0)]
    assert weighted_total(losses, torch.tensor([10.0, 0.5])).item() == 21.5
    assert [loss.item() for loss in losses] == [2.0, 3.0]


SHAPES = [(kind, shape) for kind in ("cloud", "triangulation") for shape in sorted(domains.names())]


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
def test_conditions_on_every_domain(kind, shape):
    """The exact solution meets them; another answer is measured on the domain and its boundary."""
    system, batch = snapshots("brusselator", kind=kind, geometry=shape, nodes=9, graphs=2)
    loss = PhysicsLoss(system, conditions="soft")
    right = terms(loss, batch, exact_network(system))
    assert all(right[name] < 1e-20 for name in PI + SOFT)
    assert [right[name] for name in RK4] == pytest.approx(loss.floor(batch).tolist(), rel=1e-9)
    off = terms(
        loss,
        batch,
        lambda inputs: (
            exact_network(system)(inputs) + system.geometry.depth(inputs[:, :-1])[:, None]
        ),
    )
    x = batch.grid
    inside = system.geometry.depth(x).square().mean().item()
    assert off["IC_loss1"] == pytest.approx(inside, rel=1e-9) and off["BC_loss1"] < 1e-20


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
def test_a_batch_of_any_domain_scores_the_mean_of_its_graphs(kind, shape):
    system = systems.create("brusselator", geometry=shape)
    graphs = list(
        SnapshotGraphs(system, 3, name=kind, order=4, nodes_per_side=9, conditions="soft")
    )
    network = FieldNetwork(system, (8,), conditions="soft", seed=1)
    loss = PhysicsLoss(system, conditions="soft", scales=system.field_scales())
    together = loss.values(network, SnapshotBatch.from_graphs(graphs))
    alone = [loss.values(network, SnapshotBatch.from_graphs([graph])) for graph in graphs]
    assert together == pytest.approx(np.mean(alone, axis=0).tolist(), rel=1e-10)


def test_operators_of_an_earlier_batch_serve_again():
    system = systems.create("brusselator", geometry="disk")
    graphs = SnapshotGraphs(system, 4, name="cloud", nodes_per_side=9, conditions="soft")
    first = SnapshotBatch.from_graphs([graphs[0], graphs[1]])
    built = SnapshotBatch.from_graphs([graphs[3], graphs[2]])
    reused = SnapshotBatch.from_graphs([graphs[3], graphs[2]], operators=first.operators)
    network = FieldNetwork(system, (8,), conditions="soft", seed=1)
    loss = PhysicsLoss(system, conditions="soft")
    assert loss.values(network, reused) == loss.values(network, built)


# ---- graphs and batches ---------------------------------------------------------------------


@pytest.mark.parametrize(("graphs", "size"), [(1, 1), (10, 3), (7, 7), (5, 20), (100, 10)])
def test_an_epoch_sees_every_graph_once(graphs, size):
    order = epoch_order(graphs, size, epoch=3, seed=1)
    assert sorted(itertools.chain(*order)) == list(range(graphs))
    assert [len(batch) for batch in order[:-1]] == [size] * (len(order) - 1)
    assert 1 <= len(order[-1]) <= size


def test_the_order_depends_on_epoch_and_seed_and_nothing_else():
    torch.manual_seed(0)
    first = epoch_order(50, 10, 4, 2)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert epoch_order(50, 10, 4, 2) == first
    assert torch.equal(torch.get_rng_state(), before)
    others = [epoch_order(50, 10, epoch, seed) for epoch, seed in ((5, 2), (4, 3), (2, 4))]
    assert all(other != first for other in others)


@pytest.mark.parametrize("count", [1, 2, 17, 100])
def test_times_are_stratified(count):
    times = stratified_times(count, 0.9, seed=5)
    assert times.dtype == F64 and times.shape == (count,)
    assert torch.equal((times / 0.9 * count).floor(), torch.arange(count, dtype=F64))
    assert torch.equal(times, stratified_times(count, 0.9, seed=5))
    assert not torch.equal(times, stratified_times(count, 0.9, seed=6))


@every
def test_snapshots_leave_room_for_the_step(name, boundary):
    system = systems.create(name, boundary=boundary)
    graphs = SnapshotGraphs(system, 6, step=0.4, nodes_per_side=5, seed=3)
    assert len(graphs) == 6
    times = torch.cat([graph.time for graph in graphs])
    assert torch.equal((times / 0.6 * 6).floor(), torch.arange(6, dtype=F64))
    for graph in graphs:
        assert len(graph.pos) == 5**system.dimension
        wanted = system.exact(graph.pos, graph.time.expand(len(graph.pos)))
        torch.testing.assert_close(graph.y, wanted)
        assert 0 < float(graph.stable_step) < math.inf
        assert bool(graph.boundary_mask.any()) != system.periodic


def test_default_nodes():
    system = systems.create("brusselator")
    assert len(SnapshotGraphs(system, 1)[0].pos) == system.default_nodes**2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_graphs": 0}, "`num_graphs` must be a whole number >= 1"),
        ({"step": 0.0}, r"`step` must be a finite number in \(0, 1\), got 0"),
        ({"step": 1.0}, r"`step` must be a finite number in \(0, 1\), got 1"),
        ({"nodes_per_side": 2}, "`nodes_per_side` must be a whole number >= 3, got 2"),
    ],
)
def test_bad_data_sets(options, message):
    with pytest.raises(ValueError, match=message):
        SnapshotGraphs(systems.create("brusselator"), **options)


def test_a_deviation_at_the_boundary_does_not_fake_a_mismatch():
    """Under soft conditions boundary nodes keep the network's deviation from the data.

    Imposed data would jump by `off` next to the boundary, which the Laplacian multiplies by
    diffusion / spacing^2 = 64; kept, only the reaction (of order 1) sees it.
    """
    system, off = systems.create("brusselator"), 1e-3
    batch = SnapshotBatch.from_graphs(
        [SnapshotGraphs(system, 1, nodes_per_side=33, conditions="soft")[0]], dtype=torch.float64
    )
    x, t = batch.inputs[:, :-1], batch.inputs[:, -1]
    now, later = system.exact(x, t) + off, system.exact(x, t + 1e-2) + off
    kept, imposed = (
        PhysicsLoss(system, conditions=kind).step_mismatch(batch, now, later)
        for kind in ("soft", "hard")
    )
    kept, imposed = (rows[:, 1].square().mean().sqrt().item() for rows in (kept, imposed))
    assert kept < 5 * off and imposed > 10 * off
