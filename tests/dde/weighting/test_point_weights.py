"""Point weights in DeepXDE: what is weighed, what stays raw, and how points keep their weights.

Their tables and keys, `pinn_ext.point_weights`, are tested here.
"""

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from pinn_ext import AdaptiveWeights, strategies
from pinn_ext.dde.model.loss_terms import difference
from pinn_ext.dde.model.residual_rows import ModelRows
from pinn_ext.dde.model.row_points import row_points
from pinn_ext.point_weights.keys import keys_of
from pinn_ext.point_weights.table import PointTable
from tests.stored import stored

POINTS = ["brdr", "causal", "rba", "sa_pinn"]
FAST = {
    "rba": {"eta": 0.3, "gamma": 0.9, "conditions": True},
    "sa_pinn": {"rate": 0.1},
    "brdr": {"decay": 0.9, "kept": 0.5},
    "causal": {"epsilons": [0.5, 1e9]},
}
every = pytest.mark.parametrize("name", POINTS)


@pytest.fixture(autouse=True)
def double(clean_deepxde):
    dde.config.set_default_float("float64")


def weighing(name, **options):
    return AdaptiveWeights(name, period=2, verbose=0, options=FAST[name], **options)


def evaluate(model, loss_fn=None):
    """Return loss terms, or residuals, of the present points without any stand-in."""
    x = torch.as_tensor(model.train_state.X_train).clone().requires_grad_()
    loss_fn = loss_fn or dde.losses.mean_squared_error
    losses = model.data.losses(None, model.net(x), loss_fn, x, model)
    dde.gradients.clear()
    return losses


def test_points_are_told_apart():
    points = torch.tensor([[0.0, 1.0], [1.0, 0.0], [-0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])
    keys = keys_of(points)
    assert len(keys.unique()) == 5
    order = torch.tensor([4, 0, 1, 2, 3])  # equal ones keep their order
    assert torch.equal(keys_of(points[order]), keys[order])
    assert torch.equal(keys_of(points[[4, 1]]), keys[[4, 1]])
    many = torch.rand(100_000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert len(keys_of(many).unique()) == 100_000


def test_rows_of_deepxdes_equations_and_conditions(problem):
    model = problem.train(problem.heat(), iterations=1)
    data, x = model.data, torch.as_tensor(model.train_state.X_train)
    residuals = evaluate(model, difference)
    walls, start = (row_points(data, term, 3, x) for term in (1, 2))
    assert torch.equal(walls[:, 0] * (1 - walls[:, 0]), torch.zeros(len(walls), dtype=x.dtype))
    assert not start[:, 1].any()
    for term, residual in enumerate(residuals):
        points = row_points(data, term, 3, x)
        assert len(points) == len(residual) > 0
        if term == 1:  # u = 0 on the walls: the residual is the network there
            assert torch.allclose(residual, model.net(points))


class Spy:
    """Holds what stands in for the loss function against a transcription, step by step."""

    def __init__(self, model, strategy, options):
        self.strategy = strategies.create(strategy, options)
        self.states, self.expected, self.raw = {}, [], []
        self.model = model

    def __call__(self):
        """Advance the transcription by the model's present residuals; return its loss terms."""
        x = torch.as_tensor(self.model.train_state.X_train)
        residuals, terms, seen, begun = evaluate(self.model, difference), [], {}, {}
        self.raw.append([residual.square().mean().item() for residual in residuals])
        for term, residual in enumerate(residuals):
            block = strategies.PointBlock(residual.detach(), term > 0, (0.0, 1.0))
            if not self.strategy.weighs(block):
                terms.append(residual.square().mean())
                continue
            times = row_points(self.model.data, term, len(residuals), x)[:, -1]
            old = self.states.get(term) or self.strategy.init(*residual.shape, block)
            joint = isinstance(self.strategy, strategies.JointPointStrategy)
            if joint:
                begun[term] = self.strategy.begin(residual.detach().abs(), old)
            else:
                self.states[term] = self.strategy.update(residual.detach().abs(), old, times)
            seen[term] = old, times
            terms.append(residual)
        totals = sum(numbers for _, numbers in begun.values())
        for term, (state, _) in begun.items():
            self.states[term] = self.strategy.finish(state, totals)
        for term, (old, times) in seen.items():
            state = self.states[term] if self.strategy.updates_first else old
            terms[term] = (self.strategy.factors(state, times) * terms[term]).square().mean()
        return terms


@every
def test_steps_descend_the_weighted_loss_and_all_that_is_kept_is_raw(problem, name):
    """Plain gradient descent by hand, with gradients by autograd of mean((factor r)^2)."""
    weights = [2.0, 0.5, 3.0]
    model = problem.heat("sgd", lr=1e-3, loss_weights=weights)
    hand = problem.heat("sgd", lr=1e-3)
    hand.net.load_state_dict(model.net.state_dict())
    hand.data = model.data
    adaptive = weighing(name)
    problem.train(model, adaptive, iterations=6, display_every=2)
    hand.train_state.set_data_train(*hand.data.train_next_batch())
    spy = Spy(hand, name, FAST[name])
    for _ in range(6):
        total = sum(w * term for w, term in zip(weights, spy(), strict=True))
        gradients = torch.autograd.grad(total, list(hand.net.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(hand.net.parameters(), gradients, strict=True):
                parameter -= 1e-3 * gradient
    assert torch.allclose(problem.vector(model), problem.vector(hand), rtol=1e-12, atol=1e-15)
    raw = np.array(spy.raw)
    assert [row["losses"] for row in adaptive.history] == [
        pytest.approx(raw[i : i + 2].mean(axis=0), rel=1e-10) for i in (0, 2, 4)
    ]
    tested = [losses for losses in model.losshistory.loss_train]  # DeepXDE's own, at its tests
    assert tested[1] == pytest.approx(raw[2] * weights, rel=1e-10)
    assert model.loss_weights.tolist() == weights == adaptive.history[-1]["weights"]
    statistics = adaptive.history[-1]["point_weights"]
    assert list(statistics) == (["pde_1"] if name == "causal" else adaptive.manager.loss_names)


def test_several_equations_share_their_points(problem):
    def system(x, y):
        u, v = y[:, :1], y[:, 1:]
        return [dde.grad.jacobian(u, x, 0, 1) - v, dde.grad.jacobian(v, x, 0, 1) + 9 * u]

    data = problem.heat_data()
    data.pde = system
    model = dde.Model(data, problem.net(2, 2))
    model.compile("adam", lr=1e-2, verbose=0)
    adaptive = weighing("causal")
    problem.train(model, adaptive, iterations=4)
    rows = adaptive.history[-1]["point_weights"]
    assert rows["pde_1"] == rows["pde_2"]  # the smaller weight, for both
    (table,) = adaptive._points._tables
    assert table.terms == [0, 1]
    other = weighing("rba")
    problem.train(model, other, iterations=4)
    assert [table.terms for table in other._points._tables] == [[0, 1], [2], [3]]


# ---- points that change --------------------------------------------------------------------------


def lambdas(adaptive, model):
    """Return the weight of each equation point by its coordinates."""
    x = torch.as_tensor(model.train_state.X_train)
    points = row_points(model.data, 0, 3, x)
    table = adaptive._points._tables[0]
    state = table._take(table._rows)
    return dict(zip(map(tuple, points.tolist()), state["lambdas"][:, 0].tolist(), strict=True))


@pytest.mark.parametrize("name", ["brdr", "rba", "sa_pinn"])
def test_surviving_points_keep_their_weights_and_new_ones_start_at_the_mean(problem, name):
    model, adaptive = problem.heat(), weighing(name)
    problem.train(model, adaptive, iterations=4)
    before = lambdas(adaptive, model)
    anchors = np.random.default_rng(0).random((5, 2))
    model.data.add_anchors(anchors)  # shifts all rows
    seen = []

    class Watching(PointTable):
        def load_batch(self, *args):
            super().load_batch(*args)
            seen.append(self._state["lambdas"][:, 0].clone())

    for table in adaptive._points._tables:
        table.__class__ = Watching
    problem.train(model, adaptive, iterations=1)
    after = seen[0].tolist()
    mean = np.mean(list(before.values()))
    points = row_points(model.data, 0, 3, torch.as_tensor(model.train_state.X_train)).tolist()
    assert len(after) == len(before) + 5
    for point, weight in zip(points, after, strict=True):
        assert weight == before.get(tuple(point), pytest.approx(mean, rel=1e-12))
    model.data.replace_with_anchors(anchors[:3])  # all others vanish, and their weights
    problem.train(model, adaptive, iterations=1)
    assert len(lambdas(adaptive, model)) == 3 == adaptive._points._tables[0]._count


@every
def test_resampling_goes_on(problem, name):
    model, adaptive = problem.heat(), weighing(name)
    model.data.train_distribution = "pseudo"
    resample = dde.callbacks.PDEPointResampler(period=2)
    problem.train(model, adaptive, resample, iterations=9)
    assert adaptive.stopped is None and len(adaptive.history) == 4
    if name != "causal":
        assert adaptive._points._tables[0]._count == len(lambdas(adaptive, model))


def test_tables_keep_points_that_return():
    strategy = strategies.create("rba", {"eta": 0.5, "gamma": 0.5})
    table = PointTable(strategy, [0], False, returning=True)
    points = torch.rand(6, 2, dtype=torch.float64)
    ones = torch.ones(3, 1, dtype=torch.float64)
    for rows in ([0, 1, 2], [3, 4, 5], [2, 0, 3]):
        table.load_batch(ones, points[rows], None)
        table.factors(ones, moves=True)
    assert table._count == 6
    assert table._state["lambdas"][:, 0].tolist() == [0.75, 0.5, 0.75, 0.75, 0.5, 0.5]
    again = PointTable(strategy, [0], False, returning=True)
    again.load_state_dict(table.state_dict())
    again.load_batch(ones, points[[5, 1, 0]], None)
    assert again.factors(ones, moves=False)[:, 0].tolist() == [0.5, 0.5, 0.75]


class Batches(dde.data.DataSet):
    """Serves other rows at each step."""

    def train_next_batch(self, batch_size=None):
        rows = np.random.default_rng().permutation(len(self.train_x))[:4]
        return self.train_x[rows], self.train_y[rows]


@pytest.mark.parametrize("name", ["brdr", "rba", "sa_pinn"])
def test_batches_without_keys_are_refused(problem, name):
    x = np.linspace(0, 1, 8)[:, None]
    model = dde.Model(Batches(x, x**2, x, x**2), problem.net())
    model.compile("adam", lr=1e-2, verbose=0)
    with pytest.raises(ValueError, match=f"'{name}' must have data whose points.*got Batches"):
        problem.train(model, weighing(name))


def test_terms_that_are_no_single_call_are_refused(problem):
    class Twice(dde.data.DataSet):
        def losses(self, targets, outputs, loss_fn, inputs, model, aux=None):
            return loss_fn(targets, outputs) + loss_fn(0 * targets, outputs)

    x = np.linspace(0, 1, 8)[:, None]
    model = dde.Model(Twice(x, x**2, x, x**2), problem.net())
    model.compile("adam", lr=1e-2, verbose=0)
    with pytest.raises(ValueError, match="one call of the loss function for each term, got 2"):
        problem.train(model, weighing("rba"))


# ---- second phase --------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("fresh", [False, True])
def test_lbfgs_descends_the_loss_with_the_frozen_weights(problem, name, fresh):
    """The same callback or a new one: L-BFGS sees what the first phase has ended with."""
    dde.optimizers.config.LBFGS_options.update(maxiter=12, iter_per_step=6, fun_per_step=15)
    model, adaptive = problem.heat(), weighing(name)
    problem.train(model, adaptive, iterations=5)
    tables = adaptive._points.state_dict()["tables"]
    model.compile("L-BFGS", verbose=0)
    totals, step = [], model.opt.step

    def spy(closure):
        def noting():
            totals.append(closure())
            return totals[-1]

        return step(noting)

    model.opt.step = spy
    own = weighing(name) if fresh else adaptive
    by_hand = expected_total(model, adaptive)
    problem.train(model, own)
    assert totals[0].item() == pytest.approx(by_hand, rel=1e-12)
    assert totals[0].item() != pytest.approx(sum(own._first), rel=1e-3)
    assert totals[-1] < totals[0]
    assert_same_state(tables, own._points.state_dict()["tables"])


def assert_same_state(some, others):
    for before, after in zip(some, others, strict=True):
        for key, value in before["state"].items():
            same = torch.equal if isinstance(value, torch.Tensor) else lambda a, b: a == b
            assert same(value, after["state"][key])


def expected_total(model, adaptive):
    """Return the weighted loss of the present parameters, from the tables of a callback."""
    x = torch.as_tensor(model.train_state.X_train)
    losses = [residual.square().mean() for residual in evaluate(model, difference)]
    for table in adaptive._points._tables:
        for j, term in enumerate(table.terms):
            times = row_points(model.data, term, 3, x)[:, -1]
            factor = table.strategy.factors(table._state, times)
            residual = evaluate(model, difference)[term]
            losses[term] = (
                (factor[:, min(j, factor.shape[1] - 1)][:, None] * residual).square().mean()
            )
    return sum(losses).item()


@every
def test_a_second_order_training_without_a_first_is_plain(problem, name):
    dde.optimizers.config.LBFGS_options.update(maxiter=12, iter_per_step=6, fun_per_step=15)
    ends = []
    for callbacks in ([], [weighing(name)]):
        dde.config.set_random_seed(2)
        ends.append(problem.vector(problem.train(problem.heat("L-BFGS", lr=None), *callbacks)))
    assert torch.equal(*ends)


@every
def test_gauss_newton_sees_the_weighted_rows(problem, name, monkeypatch):
    model, adaptive = problem.heat(), weighing(name)
    problem.train(model, adaptive, iterations=5)
    by_hand = expected_total(model, adaptive)
    costs, original = [], ModelRows.residual

    def spy(self, x):
        rows = original(self, x)
        costs.append(rows.square().sum().item())
        return rows

    monkeypatch.setattr(ModelRows, "residual", spy)
    with pytest.warns(RuntimeWarning, match="residual rows"):
        pinn_ext.train_gauss_newton(model, 4, damping="nielsen", callbacks=[adaptive], verbose=0)
    assert any(cost == pytest.approx(by_hand, rel=1e-10) for cost in costs[:2])
    assert costs[-1] < 0.9 * by_hand
    assert costs[-1] >= 0.999 * expected_total(model, adaptive)  # of the last trial or the end
    assert adaptive.history[-1]["losses"] != pytest.approx([0, 0, 0])
    with (
        pytest.raises(ValueError, match=f"for strategy '{name}', which weighs points"),
        pytest.warns(RuntimeWarning, match="residual rows"),
    ):
        pinn_ext.train_gauss_newton(model, 2, callbacks=[adaptive], weights="adapt", verbose=0)


@every
def test_blocks_are_refused(name):
    with pytest.raises(ValueError, match="`second_phase` must be 'freeze' for strategy"):
        AdaptiveWeights(name, second_phase="blocks")


# ---- saving --------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("resample", [False, True])
def test_a_saved_state_continues_bit_for_bit(problem, name, resample):
    def make():
        dde.config.set_random_seed(5)
        return problem.heat(), weighing(name)

    ends = []
    for restart in (False, True):
        model, adaptive = make()
        problem.train(model, adaptive, iterations=5)  # stops within a period
        if resample:
            model.data.add_anchors(np.full((2, 2), 0.3))
        if restart:
            saved = stored(adaptive.state_dict())
            model.loss_weights = None
            adaptive = weighing(name)
            adaptive.load_state_dict(saved, model)
        problem.train(model, adaptive, iterations=6)
        ends.append((problem.vector(model), adaptive))
    assert torch.equal(ends[0][0], ends[1][0])
    rows = [[row["point_weights"] for row in end.history][-3:] for _, end in ends]
    assert rows[0] == rows[1]


def test_states_of_other_weights_are_refused(problem):
    model, adaptive = problem.heat(), weighing("rba")
    problem.train(model, adaptive, iterations=2)
    state = adaptive.state_dict()
    with pytest.raises(ValueError, match="point weights of strategy 'sa_pinn', got 'rba'"):
        weighing("sa_pinn").load_state_dict(state, model)
    with pytest.raises(ValueError, match="point weights of strategy none, got 'rba'"):
        AdaptiveWeights("fixed").load_state_dict(state, model)
    plain = AdaptiveWeights("rba", verbose=0)  # its conditions are left alone
    plain.load_state_dict(state, model)
    with pytest.raises(ValueError, match=r"of the terms \[\[0\]\], got \[\[0\], \[1\], \[2\]\]"):
        problem.train(model, plain, iterations=2)


def test_verbose_2_says_where_the_weights_are(problem, capsys):
    options = {"options": FAST["rba"], "period": 2}
    problem.train(problem.heat(), AdaptiveWeights("rba", verbose=2, **options), iterations=4)
    out = capsys.readouterr().out
    assert "rba on 3 loss terms (pde_1, dirichlet_1, ic_1), point weights move at each step" in out
    assert "AdaptiveWeights: step 4: point weights pde_1=" in out


@every
def test_nncg_keeps_the_weights(problem, name):
    # Along one direction the curvature is positive here. Where it is not, NNCG shifts its smallest
    # eigenvalue to 0 but for rounding, and whether that has a Cholesky factor is left to chance.
    dde.optimizers.set_NNCG_options(rank=1, cgmaxiter=3)
    model, adaptive = problem.heat(), weighing(name)
    problem.train(model, adaptive, iterations=4)
    before, tables = expected_total(model, adaptive), adaptive._points.state_dict()["tables"]
    model.compile("NNCG", verbose=0)
    torch.manual_seed(1)
    problem.train(model, adaptive, iterations=3)
    assert adaptive.stopped is None
    assert expected_total(model, adaptive) < before
    assert_same_state(tables, adaptive._points.state_dict()["tables"])
