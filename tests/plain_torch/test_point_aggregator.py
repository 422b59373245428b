"""`LossAggregator` with strategies that weigh points: formulas, the callback, batches, saving."""

import copy
import math

import deepxde as dde
import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from pinn_ext import AdaptiveWeights, LossAggregator, strategies
from pinn_ext.strategies import PointBlock
from tests.plain_torch.plain_values import plain

NAMES = ["pde", "bc"]
F64 = torch.float64
FAST = {
    "rba": {"eta": 0.3, "gamma": 0.9},
    "sa_pinn": {"rate": 0.1},
    "brdr": {"decay": 0.9, "kept": 0.5},
    "causal": {"epsilons": [0.5, 1e9], "chunks": 4},
}
every = pytest.mark.parametrize("strategy", list(FAST))
X = torch.linspace(0, 1, 9, dtype=F64)


def make(strategy, names=NAMES, **options):
    options = {"conditions": ["bc"], "options": FAST[strategy], "time_span": (0.0, 1.0), **options}
    return LossAggregator(strategy, names, **options)


def recorded(steps, n=9):
    """Return residuals `[steps, n]` of different size, and times."""
    generator = torch.Generator().manual_seed(3)
    rows = torch.randn(steps, n, generator=generator, dtype=F64)
    return rows * torch.logspace(0, -2, n, dtype=F64)


def ones(n=1):
    return torch.ones(n, dtype=F64)


def network(inputs=1):
    torch.manual_seed(0)
    layers = torch.nn.Linear(inputs, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1)
    return torch.nn.Sequential(*layers).double()


def residuals_of(net, x=X):
    y = net(x[:, None])[:, 0]
    return {"pde": 3 * y - (5 * x).sin(), "bc": net(torch.zeros(1, 1, dtype=F64))[:, 0] - 1}


def train(net, aggregator, steps, optimizer=None, batches=None):
    """Train on all points, or on batches of them by turns, and return the optimiser."""
    optimizer = optimizer or torch.optim.Adam(net.parameters(), lr=1e-2)
    for step in steps:
        rows = torch.arange(len(X)) if batches is None else batches[step % len(batches)]
        optimizer.zero_grad()
        given = {"times": {"pde": X[rows], "bc": torch.zeros(1)}}
        if batches is not None:
            given["keys"] = {"pde": rows}
        aggregator(residuals_of(net, X[rows]), step, **given).backward()
        optimizer.step()
    return optimizer


def factors_of(aggregator, name="pde"):
    return aggregator.points.last_factors()[name]


# ---- formulas ------------------------------------------------------------------------------------


def test_rba_is_the_formula_and_the_total_is_weighted_by_it():
    eta, gamma = 0.3, 0.9
    aggregator = make("rba", initial_weights={"pde": 2.0, "bc": 5.0}, period=3)
    hand = torch.zeros(9, dtype=F64)
    rows = recorded(7)
    for step, r in enumerate(rows):
        r = r.clone().requires_grad_()
        bc = torch.tensor([0.5, -0.1], dtype=F64)
        hand = gamma * hand + eta * r.detach().abs() / r.detach().abs().max()
        total = aggregator({"pde": r, "bc": bc}, step)
        wanted = 2.0 * (hand * r).square().mean() + 5.0 * bc.square().mean()
        torch.testing.assert_close(total, wanted, rtol=1e-14, atol=0)
        (slope,) = torch.autograd.grad(total, r)  # the factors are constants
        torch.testing.assert_close(slope, 2.0 * 2.0 * hand**2 * r.detach() / 9, rtol=1e-14, atol=0)
        torch.testing.assert_close(factors_of(aggregator), hand, rtol=1e-14, atol=0)
    assert list(aggregator.points.last_factors()) == ["pde"]  # conditions are left alone
    least, mean, largest = aggregator.points.statistics()["pde"]
    assert least == hand.min() and mean == pytest.approx(hand.mean().item())
    assert largest == hand.max()
    assert aggregator.manager.get_weights() == {"pde": 2.0, "bc": 5.0}


def test_sa_pinn_climbs_by_the_paper_s_formula_from_before_the_step():
    options = {"ascent": "gradient", "rate": 0.5, "condition_start": 7.0}
    aggregator = make("sa_pinn", options=options)
    strategy = strategies.create("sa_pinn", options)
    hand = {
        name: strategy.init(n, 1, PointBlock(ones(), name == "bc"))["lambdas"][:, 0]
        for name, n in (("pde", 9), ("bc", 1))
    }
    for step, r in enumerate(recorded(5)):
        given = {"pde": r, "bc": ones()}
        total = aggregator(given, step)
        wanted = sum((hand[name] * given[name]).square().mean() for name in NAMES)
        torch.testing.assert_close(total, wanted, rtol=1e-13, atol=0)
        for name in NAMES:
            n = len(given[name])
            hand[name] = hand[name] + 0.5 * 2 * hand[name] * given[name] ** 2 / n
    assert hand["bc"].max() > 1.0


def test_causal_weighs_by_the_losses_of_earlier_times():
    aggregator = make("causal", options={"epsilons": [2.0], "chunks": 3}, time_span=(0, 3))
    times = torch.tensor([[0.5], [2.5], [1.5], [0.2]], dtype=F64)
    r = torch.tensor([1.0, 5.0, 0.5, 3.0], dtype=F64)
    total = aggregator({"pde": r, "bc": ones()}, 0, times={"pde": times.requires_grad_()})
    chunks = [(1.0 + 9.0) / 2, 0.25]
    weights = [1.0, math.exp(-2 * sum(chunks)), math.exp(-2 * chunks[0]), 1.0]
    wanted = sum(w * v.item() ** 2 for w, v in zip(weights, r, strict=True)) / 4 + 1.0
    assert total.item() == pytest.approx(wanted, rel=1e-12)


def test_components_count_by_their_root_mean_square():
    vectors = torch.tensor([[3.0, 4.0], [0.0, 1.0]], dtype=F64)
    pair, single = (LossAggregator("rba", ["a"], options=FAST["rba"]) for _ in range(2))
    total = pair({"a": vectors}, 0)
    single({"a": vectors.square().mean(dim=1).sqrt()}, 0)
    assert torch.equal(factors_of(pair, "a"), factors_of(single, "a"))
    wanted = (factors_of(pair, "a")[:, None] * vectors).square().mean()
    assert total.item() == pytest.approx(wanted.item())


@every
def test_the_manager_sees_means_of_raw_squares_and_leaves_the_weights(strategy):
    aggregator = make(strategy, period=2)
    seen = []
    update = aggregator.manager.update
    aggregator.manager.update = lambda epoch, losses, **given: (
        seen.append(losses) or update(epoch, losses, **given)
    )
    rows = recorded(4)
    for step, r in enumerate(rows):
        aggregator({"pde": r, "bc": 2 * ones()}, step, times={"pde": X, "bc": X[:1]})
    for i, losses in enumerate(seen):
        assert losses["pde"] == pytest.approx(rows[2 * i : 2 * i + 2].square().mean().item())
        assert losses["bc"] == 4.0
    assert len(seen) == 2 and aggregator.weights.tolist() == [1.0, 1.0]


# ---- the callback --------------------------------------------------------------------------------


@pytest.fixture
def heat():
    """A DeepXDE problem with one equation and two conditions, in float64."""
    torch.set_num_threads(1)
    dde.config.set_default_float("float64")
    dde.config.set_random_seed(0)
    line = dde.geometry.GeometryXTime(dde.geometry.Interval(0, 1), dde.geometry.TimeDomain(0, 1))

    def equation(x, y):
        return dde.grad.jacobian(y, x, 0, 1) - 0.1 * dde.grad.hessian(y, x, i=0, j=0)

    walls = dde.icbc.DirichletBC(line, lambda x: 0 * x[:, :1], lambda _, on: on)
    start = dde.icbc.IC(line, lambda x: np.sin(np.pi * x[:, :1]), lambda _, on: on)
    data = dde.data.TimePDE(line, equation, [walls, start], 12, 4, 4)
    yield dde.Model(data, dde.nn.FNN([2, 6, 1], "tanh", "Glorot normal"))
    dde.config.set_default_float("float32")


@every
def test_training_is_that_of_the_callback(heat, strategy):
    """Each step: the same factors at the same points, and in the end the same parameters."""
    net = copy.deepcopy(heat.net)
    heat.compile("adam", lr=1e-2, verbose=0)
    names = ["pde", "walls", "start"]
    adaptive = AdaptiveWeights(strategy, names=names, period=1, verbose=0, options=FAST[strategy])
    heat.train(iterations=12, callbacks=[adaptive], verbose=0, display_every=10**6)

    aggregator = make(strategy, names, conditions=names[1:])
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    points = torch.tensor(heat.data.train_x)  # those of the conditions first
    on_walls, at_start, inside = points.split(
        [*heat.data.num_bcs, len(points) - sum(heat.data.num_bcs)]
    )
    times = {"pde": inside[:, 1], "walls": on_walls[:, 1], "start": at_start[:, 1]}
    for row in adaptive.history:
        at = inside.clone().requires_grad_()
        (first,) = torch.autograd.grad(net(at).sum(), at, create_graph=True)
        (second,) = torch.autograd.grad(first[:, 0].sum(), at, create_graph=True)
        residuals = {
            "pde": first[:, 1:] - 0.1 * second[:, :1],
            "walls": net(on_walls),
            "start": net(at_start) - torch.sin(np.pi * at_start[:, :1]),
        }
        optimizer.zero_grad()
        aggregator(residuals, aggregator.next_step, times=times).backward()
        optimizer.step()
        raw = [r.square().mean().item() for r in residuals.values()]
        assert raw == pytest.approx(row["losses"], rel=1e-9)
        for name, statistics in aggregator.points.statistics().items():
            assert statistics == pytest.approx(row["point_weights"][name], rel=1e-9)
        assert set(aggregator.points.statistics()) == set(row["point_weights"])
    assert aggregator.next_step == len(adaptive.history) == 12
    for own, theirs in zip(net.parameters(), heat.net.parameters(), strict=True):
        torch.testing.assert_close(own, theirs, rtol=1e-9, atol=1e-12)


# ---- points that come and go ---------------------------------------------------------------------

BATCHES = [torch.tensor([7, 0, 3]), torch.tensor([1, 8, 2]), torch.tensor([4, 6, 5])]


def test_points_keep_their_factors_from_batch_to_batch():
    eta, gamma = 0.3, 0.9
    aggregator, hand = make("rba"), torch.zeros(9, dtype=F64)
    mixed = [torch.tensor([8, 7, 1]), torch.tensor([0, 2, 3])]
    for step, rows in enumerate([*BATCHES, *mixed, *BATCHES]):
        r = recorded(9)[step, rows]
        hand[rows] = gamma * hand[rows] + eta * r.abs() / r.abs().max()
        aggregator({"pde": r, "bc": ones()}, step, keys={"pde": rows})
        torch.testing.assert_close(factors_of(aggregator), hand[rows], rtol=1e-14, atol=0)
    (table,) = aggregator.points.state_dict()["tables"]
    assert table["count"] == 9


@pytest.mark.parametrize("strategy", ["rba", "sa_pinn", "brdr"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, F64])
def test_coordinates_name_points_as_numbers_do(strategy, dtype):
    totals = []
    coordinates = torch.stack((X, X.sin()), dim=1).to(dtype)
    for names in (lambda rows: rows.to(torch.int32), lambda rows: coordinates[rows]):
        aggregator = make(strategy)
        given = zip(BATCHES * 3, recorded(9), strict=True)
        totals.append(
            [
                aggregator({"pde": r[rows], "bc": ones()}, step, keys={"pde": names(rows)})
                for step, (rows, r) in enumerate(given)
            ]
        )
    assert totals[0] == totals[1]


def test_a_point_drawn_twice_into_a_batch_has_one_factor():
    aggregator, hand = make("rba"), torch.zeros(3, dtype=F64)
    for step, rows in enumerate(([0, 0, 1], [2, 0, 0], [1, 0, 2], [0, 2, 0])):
        rows = torch.tensor(rows)
        r = recorded(4, 3)[step][rows]
        hand[rows] = 0.9 * hand[rows] + 0.3 * r.abs() / r.abs().max()
        aggregator({"pde": r, "bc": ones()}, step, keys={"pde": rows})
        torch.testing.assert_close(factors_of(aggregator), hand[rows], rtol=1e-14, atol=0)


def test_points_drawn_again_start_at_the_mean_and_those_gone_are_forgotten():
    aggregator = make("rba", points_return=False)
    r = torch.tensor([1.0, 0.5, 0.25], dtype=F64)
    aggregator({"pde": r, "bc": ones()}, 0, keys={"pde": torch.tensor([4, 5, 6])})
    before = factors_of(aggregator)
    aggregator({"pde": r, "bc": ones()}, 1, keys={"pde": torch.tensor([6, 9, 4])})
    started = torch.stack([before[2], before.mean(), before[0]])
    torch.testing.assert_close(factors_of(aggregator), 0.9 * started + 0.3 * r, rtol=1e-14, atol=0)
    (table,) = aggregator.points.state_dict()["tables"]
    assert table["count"] == 3 and sorted(table["keys"].tolist()) == [4, 6, 9]


# ---- when factors move ---------------------------------------------------------------------------


@every
def test_evaluation_no_grad_and_further_calls_of_a_step_move_nothing(strategy):
    aggregator = make(strategy, period=2)
    rows, times = recorded(5), {"pde": X, "bc": X[:1]}
    call = lambda step, i=0: aggregator({"pde": rows[i], "bc": ones()}, step, times=times)  # noqa: E731
    for step in range(3):
        call(step, step)
    before = plain(aggregator.get_extra_state())
    in_force = [call(2, 3), call(2, 3)]
    with torch.no_grad():
        in_force.append(call(9, 3))
    aggregator.eval()
    in_force.append(call(0, 3))
    aggregator.train()
    assert len({total.item() for total in in_force}) == 1
    assert in_force[0] != rows[3].square().mean() + 1.0  # the factors do act
    assert plain(aggregator.get_extra_state()) == before
    call(3, 4)
    assert aggregator.next_step == 4


@every
def test_before_the_first_step_nothing_is_weighted(strategy):
    aggregator = make(strategy).eval()
    given = {"pde": recorded(1)[0], "bc": ones()}
    total = aggregator(given, 0, times={"pde": X, "bc": X[:1]})
    assert total == given["pde"].square().mean() + 1.0
    assert aggregator.points.statistics() == aggregator.points.last_factors() == {}


def test_evaluation_at_unknown_points_takes_their_mean_factor_and_forgets_them():
    aggregator = make("rba")
    r = recorded(1)[0]
    aggregator({"pde": r, "bc": ones()}, 0, keys={"pde": torch.arange(9)})
    factors = factors_of(aggregator)
    aggregator.eval()
    total = aggregator({"pde": r[:3], "bc": 0 * ones()}, 0, keys={"pde": torch.tensor([50, 8, 1])})
    used = torch.stack([factors.mean(), factors[8], factors[1]])
    torch.testing.assert_close(total, (used * r[:3]).square().mean(), rtol=1e-14, atol=0)
    assert aggregator.points.state_dict()["tables"][0]["count"] == 9


def test_parts_of_a_batch_are_one_step():
    """Gradients of parts are added up: only the first part moves its points."""
    aggregator, r = make("rba"), recorded(1)[0]
    for _ in range(2):
        aggregator({"pde": r[:4], "bc": ones()}, 0, keys={"pde": torch.arange(4)})
    once = make("rba")
    once({"pde": r[:4], "bc": ones()}, 0, keys={"pde": torch.arange(4)})
    assert torch.equal(factors_of(aggregator), factors_of(once))
    aggregator({"pde": r[4:], "bc": ones()}, 0, keys={"pde": torch.arange(4, 9)})
    assert aggregator.points.state_dict()["tables"][0]["count"] == 4


@every
@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e200])
def test_a_residual_that_is_not_finite_moves_nothing(strategy, bad):
    aggregator, rows = make(strategy), recorded(3)
    times = {"pde": X, "bc": X[:1]}
    aggregator({"pde": rows[0], "bc": ones()}, 0, times=times)
    before = plain(aggregator.points.state_dict())
    broken = rows[1].clone()
    broken[4] = bad
    with pytest.warns(RuntimeWarning, match="a loss is not a finite number >= 0 .pde ="):
        total = aggregator({"pde": broken, "bc": ones()}, 1, times=times)
    assert not total.isfinite()
    assert plain(aggregator.points.state_dict()) == before
    aggregator({"pde": rows[2], "bc": ones()}, 2, times=times)
    assert factors_of(aggregator).isfinite().all() and aggregator.next_step == 3


# ---- saving, types, compilation ------------------------------------------------------------------


@every
@pytest.mark.parametrize("batches", [None, BATCHES], ids=["all", "batches"])
def test_a_saved_aggregator_continues_bit_for_bit(strategy, batches, tmp_path):
    def parts():
        return network(), make(strategy, period=3)

    net, aggregator = parts()
    optimizer = train(net, aggregator, range(5), batches=batches)  # within a period and an epoch
    saved = {"net": net, "aggregator": aggregator, "optimizer": optimizer}
    torch.save({key: part.state_dict() for key, part in saved.items()}, tmp_path / "run.pt")
    train(net, aggregator, range(5, 13), optimizer, batches)

    state = torch.load(tmp_path / "run.pt", weights_only=True)
    again, second = parts()
    optimizer = torch.optim.Adam(again.parameters(), lr=1e-2)
    for key, part in {"net": again, "aggregator": second, "optimizer": optimizer}.items():
        part.load_state_dict(state[key])
    train(again, second, range(5, 13), optimizer, batches)
    for own, theirs in zip(again.parameters(), net.parameters(), strict=True):
        assert torch.equal(own, theirs)
    assert plain(second.get_extra_state()) == plain(aggregator.get_extra_state())
    assert second.get_extra_state()["period"]["count"] == 1


def test_saved_tables_and_copies_stand_alone():
    aggregator, rows = make("rba"), recorded(3)
    call = lambda own, i: own(  # noqa: E731
        {"pde": rows[i], "bc": ones()}, i, keys={"pde": torch.arange(9)}
    )
    call(aggregator, 0)
    saved, clone = aggregator.state_dict(), copy.deepcopy(aggregator)
    before = plain(saved["_extra_state"])
    call(aggregator, 1)
    assert plain(saved["_extra_state"]) == before
    assert plain(clone.get_extra_state()) == before
    assert call(clone, 1) == make_from(saved)(
        {"pde": rows[1], "bc": ones()}, 1, keys={"pde": torch.arange(9)}
    )


def make_from(state):
    aggregator = make("rba")
    aggregator.load_state_dict(state)
    return aggregator


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (lambda: make("sa_pinn"), "point weights of strategy 'sa_pinn', got 'rba'"),
        (lambda: LossAggregator("fixed", NAMES), "point weights of strategy none, got 'rba'"),
        (lambda: make("rba", conditions=[]), r"of the terms \[\[0\], \[1\]\], got \[\[0\]\]"),
        (lambda: make("rba", ["pde", "walls"], conditions=["walls"]), "must have loss_names"),
    ],
)
def test_a_state_of_another_aggregator_is_refused(other, sentence):
    with pytest.raises(ValueError, match=sentence):
        other().load_state_dict(make("rba").state_dict())
    with pytest.raises(ValueError, match="point weights of strategy 'rba', got none"):
        make("rba").load_state_dict(LossAggregator("fixed", NAMES).state_dict())


@every
def test_totals_have_the_type_of_the_residuals(strategy):
    for dtype in (torch.float32, F64):
        aggregator = make(strategy).to(dtype)
        for step in range(2):
            r = recorded(2)[step].to(dtype).requires_grad_()
            given = {"pde": r, "bc": torch.ones(1, dtype=dtype)}
            total = aggregator(given, step, times={"pde": X, "bc": X[:1]})
            assert total.dtype == dtype
        assert factors_of(aggregator).dtype == dtype
    assert f"'{strategy}', ['pde', 'bc'], period=1" in repr(aggregator)


@every
def test_it_compiles_and_gives_the_same(strategy):
    torch._dynamo.reset()
    counters.clear()
    net, plain = network(), make(strategy, period=2)
    train(net, plain, range(6))
    other, aggregator = network(), make(strategy, period=2)
    compiled = torch.compile(aggregator, backend="aot_eager")
    optimizer = train(other, compiled, range(3))
    graphs = counters["stats"]["unique_graphs"]
    train(other, compiled, range(3, 6), optimizer)
    assert counters["stats"]["unique_graphs"] == graphs > 0
    for own, theirs in zip(other.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(own, theirs)
    torch.testing.assert_close(factors_of(aggregator), factors_of(plain))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a second device")
@pytest.mark.parametrize("strategy", ["rba", "sa_pinn", "brdr"])
def test_tables_follow_the_residuals_to_another_device(strategy):
    aggregator, at_home = make(strategy), make(strategy)
    for step, r in enumerate(recorded(4)):
        rows = BATCHES[step % 2]
        device = "cuda" if step % 2 else "cpu"
        given = {"pde": r[rows].to(device), "bc": ones().to(device)}
        moved = aggregator.to(device)(given, step, keys={"pde": rows})
        own = at_home({"pde": r[rows], "bc": ones()}, step, keys={"pde": rows})
        torch.testing.assert_close(moved.cpu(), own, rtol=1e-12, atol=0)
