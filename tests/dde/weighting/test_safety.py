"""The safety layer in the callback: blocks of L-BFGS, roll-back, events, groups, diagnostics."""

import csv
import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveWeights, strategies
from pinn_ext.dde.model import optimizers
from pinn_ext.measurements.alignment import SCORES
from pinn_ext.strategies import Proposal, Strategy
from tests.stored import stored


def lbfgs(**options):
    dde.optimizers.config.LBFGS_options.update(
        **{"maxiter": 40, "iter_per_step": 10, "fun_per_step": 25, **options}
    )


@pytest.fixture
def scripted(monkeypatch):
    """Register a strategy that gives the answers of a list, the last one for ever."""

    def register(*answers):
        @dataclass(frozen=True)
        class Scripted(Strategy):
            name: ClassVar[str] = "scripted"

            def init(self, initial_weights):
                return {"calls": 0}

            def update(self, statistics, state):
                answer = answers[min(state["calls"], len(answers) - 1)]
                if not isinstance(answer, Proposal):
                    answer = Proposal(answer, blend=False)
                return answer, {"calls": state["calls"] + 1}

        monkeypatch.setitem(strategies._REGISTRY, "scripted", Scripted)

    return register


# ---- L-BFGS in blocks ---------------------------------------------------------------------------


def first_directions(problem, model, adaptive):
    """Train; return of each block its start's gradient and the direction of its first step."""
    found, gradients = [], []
    add = model.opt._add_grad

    def spy(step, direction):
        if len(found) < len(gradients):
            found.append(direction.clone())
        add(step, direction)

    model.opt._add_grad = spy

    def gradient(_):
        x = torch.as_tensor(model.train_state.X_train)
        x = x.detach().requires_grad_()
        loss_fn = dde.losses.get("MSE")
        losses = model.data.losses_train(None, model.net(x), loss_fn, x, model)
        weights = torch.ones(len(losses)) if model.loss_weights is None else model.loss_weights
        total = sum(weight * loss for weight, loss in zip(weights, losses, strict=True))
        parts = torch.autograd.grad(total, list(model.net.parameters()), allow_unused=True)
        parameters = list(model.net.parameters())
        flat = [
            torch.zeros_like(p) if g is None else g for p, g in zip(parameters, parts, strict=True)
        ]
        gradients.append(torch.cat([part.reshape(-1) for part in flat]))
        dde.grad.clear()

    problem.train(model, problem.At("on_batch_begin", gradient), adaptive)
    cosine = torch.nn.functional.cosine_similarity
    return [cosine(d, -g, dim=0).item() for d, g in zip(found, gradients, strict=True)]


@pytest.mark.parametrize("normalization", ["total", "none"])
def test_each_block_starts_down_the_new_gradient(problem, normalization):
    dde.config.set_default_float("float64")
    lbfgs()
    model = problem.heat("L-BFGS", lr=None)
    adaptive = AdaptiveWeights("ema", second_phase="blocks", normalization=normalization, verbose=0)
    cosines = first_directions(problem, model, adaptive)
    assert len(cosines) == 4 and cosines == pytest.approx([1.0] * 4, abs=1e-9)
    moved = [row["weights"] for row in adaptive.history]
    assert all(one != other for one, other in itertools.pairwise(moved))
    lbfgs()
    model = problem.heat("L-BFGS", lr=None)
    frozen = first_directions(problem, model, AdaptiveWeights("ema", verbose=0))
    assert frozen[0] == pytest.approx(1.0, abs=1e-9) and max(frozen[1:]) < 0.9


def test_the_curvature_goes_although_the_weighted_sum_stays(problem, monkeypatch):
    """With `total` the sum may stay to the last bit while every weight moves."""
    lbfgs()
    forgotten = []
    original = optimizers.forget_curvature
    monkeypatch.setattr(
        optimizers, "forget_curvature", lambda model: (forgotten.append(1), original(model))
    )
    monkeypatch.setattr("pinn_ext.dde.weighting.model_weights.ModelWeights.update", exact_sum)
    adaptive = AdaptiveWeights("ema", second_phase="blocks", verbose=0)
    problem.train(problem.heat("L-BFGS", lr=None), adaptive)
    assert len(forgotten) == len(adaptive.history) == 4


def exact_sum(self, model, losses, **statistics):
    """Move the weights as `ModelWeights.update` does, and say that the sum has stayed."""
    self._updater.update(losses, **statistics)
    self.assign_to(model)
    return 1.0


@pytest.mark.parametrize("second_phase", ["freeze", "blocks"])
def test_counters_stay_right_and_the_losses_fall(problem, second_phase):
    dde.config.set_default_float("float64")
    lbfgs(maxiter=60)
    model = problem.heat()
    adaptive = AdaptiveWeights("ema", period=5, second_phase=second_phase, verbose=0)
    problem.train(model, adaptive, iterations=20)
    before = list(adaptive.history[-1]["weights"])
    raw = adaptive._last
    model.compile("L-BFGS", verbose=0)
    problem.train(model, adaptive)
    assert optimizers.lbfgs_iterations(model) == 60
    assert model.train_state.step == model.train_state.iteration == 80
    assert [row["step"] for row in adaptive.history[4:]] == [30, 40, 50, 60, 70, 80]
    assert sum(adaptive._last) < 0.2 * sum(raw)
    if second_phase == "freeze":
        assert all(row["weights"] == before for row in adaptive.history[4:])
    else:
        assert all(row["weights"] != before for row in adaptive.history[4:])
    assert adaptive.restore_best() >= 70  # also what the last block has reached


def test_a_block_is_weighed_by_the_losses_that_it_has_reached(problem):
    lbfgs(maxiter=20)
    model = problem.heat("L-BFGS", lr=None)
    adaptive = AdaptiveWeights(
        "equal_init", second_phase="blocks", normalization="none", max_ratio=None, verbose=0
    )
    ends = []
    problem.train(
        model, adaptive, problem.At("on_batch_end", lambda _: ends.append(adaptive._last))
    )
    weights = adaptive.history[0]["weights"]
    assert np.multiply(weights, ends[0]) == pytest.approx(np.ones(3), rel=1e-3)


def test_fixed_weights_are_the_same_in_both(problem):
    results = []
    for second_phase in ("freeze", "blocks"):
        dde.config.set_random_seed(3)
        lbfgs()
        model = problem.heat("L-BFGS", lr=None)
        problem.train(model, AdaptiveWeights("fixed", second_phase=second_phase, verbose=0))
        results.append(problem.vector(model))
    assert torch.equal(*results)


def test_nncg_stays_frozen(problem):
    dde.optimizers.set_NNCG_options(rank=2, cgmaxiter=3)
    model = problem.poisson("NNCG", lr=None)
    adaptive = AdaptiveWeights("ema", period=1, second_phase="blocks", verbose=0)
    problem.train(model, adaptive, iterations=2)
    assert model.loss_weights.tolist() == [1.0, 1.0]


# ---- roll-back ----------------------------------------------------------------------------------


class BreaksUnder:
    """A residual that is not a number once the training has made some steps."""

    def __init__(self, at):
        self.at, self.broken = at, False

    def __call__(self, x, y):
        residual = -dde.grad.hessian(y, x) - torch.sin(x)
        return residual * float("nan") if self.broken else residual


def stop_at(problem, step, optimizer="adam", **options):
    """Train a model that breaks at a step; return the callback and the model."""
    pde = BreaksUnder(step)
    model = problem.poisson(optimizer, pde=pde, **({"lr": None} if optimizer == "L-BFGS" else {}))

    def breaks(count):
        pde.broken = count == step

    adaptive = AdaptiveWeights(**{"strategy": "ema", "period": 3, "verbose": 0, **options})
    watch = problem.At("on_batch_begin", breaks)
    with pytest.warns(RuntimeWarning, match="training stopped"):
        problem.train(model, watch, adaptive, iterations=20)
    return adaptive, model


@pytest.mark.parametrize("step", [7, 8, 9])
def test_weights_go_back_where_the_training_breaks_in_the_next_period(problem, step):
    adaptive, model = stop_at(problem, step)
    assert [row["step"] for row in adaptive.history] == [3, 6]
    assert list(adaptive.manager.get_weights().values()) == adaptive.history[0]["weights"]
    assert model.loss_weights.tolist() == pytest.approx(adaptive.history[0]["weights"])
    last = adaptive.events[-1]
    why = f"loss term pde_1 is not finite at step {step}"
    assert last == {"step": step, "epoch": 2, "term": "", "what": "rolled_back", "why": why}
    assert adaptive.stopped == why


def test_weights_that_have_held_for_a_period_stay(problem):
    adaptive, model = stop_at(problem, 17, strategy="equal_init")
    weights = adaptive.history[0]["weights"]
    assert weights != [1.0, 1.0] and model.loss_weights.tolist() == pytest.approx(weights)
    assert not any(event["what"] == "rolled_back" for event in adaptive.events)


def test_the_moments_go_back_with_the_weights(problem, scripted):
    scripted([1.0, 1.0], [1e-3, 1e-3])
    adaptive, model = stop_at(problem, 8, strategy="scripted", normalization="none")
    assert adaptive.history[1]["weights"] == [1e-3, 1e-3]
    assert model.loss_weights.tolist() == [1.0, 1.0]
    rolled = problem.state(model)
    scripted([1.0, 1.0])
    dde.config.set_random_seed(0)
    torch.manual_seed(0)
    alone, other = stop_at(problem, 8, strategy="scripted", normalization="none")
    assert alone.events[-1:] == []
    # Step 7 was made with small weights: the second moments then agree but for that step.
    for one, two in zip(rolled[2::3], problem.state(other)[2::3], strict=True):
        assert torch.all(one <= two * 1.01 + 1e-12) and one.max() > 0.5 * two.max()


def test_weights_of_a_block_go_back(problem):
    dde.config.set_default_float("float64")
    lbfgs()
    adaptive, model = stop_at(problem, 3, "L-BFGS", second_phase="blocks")
    assert [row["step"] for row in adaptive.history] == [10, 20]
    assert model.loss_weights.tolist() == adaptive.history[0]["weights"]
    assert adaptive.events[-1]["what"] == "rolled_back"


# ---- events, groups, set point, warm-up, freezing -----------------------------------------------


def test_events_have_steps_and_are_said_once(problem, capsys, scripted):
    scripted(
        Proposal([1.0, 1.0, 9e4], False, note="the second stage begins"),
        [1.0, 2.0, 1.0],
        [1.0, math.nan, 1.0],
    )
    adaptive = AdaptiveWeights(
        "scripted", period=4, normalization="none", max_ratio=None, freeze_after=5
    )
    with pytest.warns(RuntimeWarning, match="At epoch 3 scripted answers no finite weights"):
        problem.train(problem.heat(), adaptive, iterations=30)
    rows = [(e["step"], e["epoch"], e["term"], e["what"]) for e in adaptive.events]
    assert rows == [
        (4, 1, "", "note"),
        (4, 1, "ic_1", "limit"),
        (8, 2, "ic_1", "limit"),
        *[(4 * epoch, epoch, "", "unusable") for epoch in (3, 4, 5)],
        (24, 6, "", "frozen"),
    ]
    shown = capsys.readouterr().out
    assert shown.count("AdaptiveWeights: step 4: the second stage begins\n") == 1
    assert shown.count("AdaptiveWeights: step 24: weights stay after 5 epochs\n") == 1
    assert "held by" not in shown and "unchanged" not in shown


def test_groups_set_point_and_warm_up(problem):
    adaptive = AdaptiveWeights(
        "equal_init", period=2, groups={"data": ["dirichlet_1", "ic_1"]}, prior=True, warm_up=2,
        normalization="none", max_ratio=None, eps=1e-100, verbose=0,
    )  # fmt: skip
    model = problem.heat(loss_weights=[1.0, 4.0, 2.0])
    problem.train(model, adaptive, iterations=10)
    weights = [row["weights"] for row in adaptive.history]
    assert weights[0] == weights[1] == [1.0, 4.0, 2.0]
    assert weights[2] == weights[3] == weights[4] != [1.0, 4.0, 2.0]
    pde, walls, ic = np.multiply(weights[2], adaptive.history[2]["losses"])
    assert (walls + ic) / pde == pytest.approx(3.0)  # the mean of 4 and 2
    assert weights[2][1] / weights[2][2] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": {"g": []}}, r"`groups\['g'\]` must be a list of names"),
        ({"groups": {"g": ["a"], "h": ["a"]}}, "`groups` must have each loss term once"),
        ({"warm_up": -1}, "`warm_up` must be"),
        ({"freeze_after": 0}, "`freeze_after` must be"),
        ({"max_change": 1}, "`max_change` must be"),
        ({"second_phase": "move"}, "`second_phase` must be one of blocks, freeze, got 'move'"),
        ({"gradients_of": "first"}, "`gradients_of` must be one of all, last_layer"),
        ({"gradients_of": 1.0}, "`gradients_of` must be"),
    ],
)
def test_bad_arguments_are_refused_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        AdaptiveWeights("ema", **options)


def test_a_group_of_unknown_terms_is_refused_before_any_step(problem):
    model = problem.heat()
    before = problem.vector(model)
    adaptive = AdaptiveWeights("ema", groups={"g": ["walls"]}, verbose=0)
    with pytest.raises(ValueError, match="among pde_1, dirichlet_1, ic_1, got 'walls'"):
        problem.train(model, adaptive)
    assert torch.equal(problem.vector(model), before)


def test_a_penalty_is_in_the_history(problem, scripted):
    scripted(Proposal([1.0, 1.0, 1.0], False, penalty=-2.5))
    adaptive = AdaptiveWeights("scripted", period=2, verbose=0)
    problem.train(problem.heat(), adaptive, iterations=4)
    assert [row["penalty"] for row in adaptive.history] == [-2.5, -2.5]


# ---- diagnostics --------------------------------------------------------------------------------


def diagnosed(strategy="ema", **options):
    return AdaptiveWeights(strategy, period=3, diagnostics=True, verbose=0, **options)


def test_lengths_and_angles_are_those_of_the_raw_losses(problem):
    dde.config.set_default_float("float64")
    model = problem.heat(lr=1e-300)  # it stays where it is
    adaptive = diagnosed("fixed")
    problem.train(model, adaptive, iterations=6)
    assert [row["step"] for row in adaptive.gradient_history] == [3, 6]
    x = torch.as_tensor(model.train_state.X_train).requires_grad_()
    losses = model.data.losses_train(None, model.net(x), dde.losses.get("MSE"), x, model)
    parameters = list(model.net.parameters())
    vectors = []
    for loss in losses:
        parts = torch.autograd.grad(
            loss, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        vectors.append(torch.cat([part.reshape(-1) for part in parts]))
    vectors = torch.stack(vectors)
    lengths = vectors.norm(dim=1)
    row = adaptive.gradient_history[0]
    assert {key: adaptive.history[0][key] for key in SCORES} == {key: row[key] for key in SCORES}
    assert row["size_ratio"] == pytest.approx((max(lengths) / min(lengths)).item())
    assert adaptive.verdict.periods == 1 and adaptive.verdict.size_ratio == row["size_ratio"]
    assert row["names"] == ["pde_1", "dirichlet_1", "ic_1"]
    assert row["norms"] == pytest.approx(lengths.tolist(), rel=1e-9)
    cosines = vectors @ vectors.T / lengths[:, None] / lengths
    for got, wanted in zip(row["cosines"], cosines.tolist(), strict=True):
        assert got == pytest.approx(wanted, abs=1e-9)


def test_looking_at_gradients_does_not_change_the_training(problem):
    results = []
    for diagnostics in (False, True):
        dde.config.set_random_seed(1)
        lbfgs()
        model = problem.heat()
        adaptive = AdaptiveWeights("ema", period=3, diagnostics=diagnostics, verbose=0)
        problem.train(model, adaptive, iterations=9)
        model.compile("L-BFGS", verbose=0)
        problem.train(model, adaptive)
        results.append(problem.vector(model))
        assert len(adaptive.gradient_history) == (7 if diagnostics else 0)
    assert torch.equal(*results)


def test_a_term_that_no_parameter_moves_has_gradient_zero(problem):
    line = dde.geometry.Interval(0, 1)
    data = dde.data.PDE(line, lambda x, y: [y - 1, x * 0 + 2.0], [], 6, 2)
    model = dde.Model(data, problem.net())
    model.compile("adam", lr=1e-2, verbose=0)
    adaptive = diagnosed("fixed")
    problem.train(model, adaptive, iterations=3)
    row = adaptive.gradient_history[0]
    assert row["norms"][0] > 0.0 and row["norms"][1] == 0.0 and row["cosines"][0][1] == 0.0


def test_tables_for_users_of_the_callback(problem, tmp_path):
    adaptive = diagnosed(groups={"data": ["dirichlet_1", "ic_1"]}, max_change=1.01, freeze_after=1)
    problem.train(problem.heat(), adaptive, iterations=6)
    adaptive.write_events(tmp_path / "events.csv")
    adaptive.write_gradients(tmp_path / "gradients.csv")
    with open(tmp_path / "events.csv", newline="") as file:
        events = list(csv.DictReader(file))
    assert list(events[0]) == ["step", "epoch", "term", "what", "why"]
    assert [e["what"] for e in events] == ["limit", "limit", "frozen"]
    assert [e["term"] for e in events] == ["pde_1", "data", ""]
    with open(tmp_path / "gradients.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    own = ["step", "norm_pde_1", "norm_data", "cos_pde_1_data"]
    assert list(rows[0]) == [*own, "alignment", "conflict", "size_ratio"]
    row = adaptive.gradient_history[1]
    assert float(rows[1]["norm_data"]) == row["norms"][1]  # all digits
    assert float(rows[1]["cos_pde_1_data"]) == row["cosines"][0][1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.csv", "gradients.csv"]


def test_events_and_gradients_are_part_of_the_state(problem):
    def build():
        dde.config.set_random_seed(5)
        return problem.heat(), diagnosed(max_change=1.1, freeze_after=4, prior=True)

    model, straight = build()
    problem.train(model, straight, iterations=18)
    model, first = build()
    problem.train(model, first, iterations=7)  # within a period
    restored = diagnosed(max_change=1.1, freeze_after=4, prior=True)
    restored.load_state_dict(stored(first.state_dict()), model)
    problem.train(model, restored, iterations=11)
    assert len(straight.gradient_history) == 6 and straight.events
    assert restored.gradient_history == straight.gradient_history
    assert restored.events == straight.events
    assert restored.manager.state_dict() == straight.manager.state_dict()


def test_a_roll_back_after_a_resume(problem):
    pde = BreaksUnder(8)
    model = problem.poisson(pde=pde)
    adaptive = AdaptiveWeights("ema", period=3, verbose=0)
    problem.train(model, adaptive, iterations=6)
    restored = AdaptiveWeights("ema", period=3, verbose=0)
    restored.load_state_dict(adaptive.state_dict(), model)
    watch = problem.At("on_batch_begin", lambda step: setattr(pde, "broken", step == 2))
    with pytest.warns(RuntimeWarning, match="training stopped"):
        problem.train(model, watch, restored, iterations=6)
    assert list(restored.manager.get_weights().values()) == adaptive.history[0]["weights"]


def test_moments_go_back_after_a_resume(problem, scripted):
    scripted([1.0, 1.0], [1e-3, 1e-3])
    options = {"period": 3, "normalization": "none", "verbose": 0}
    pde = BreaksUnder(8)
    model, adaptive = problem.poisson(pde=pde), AdaptiveWeights("scripted", **options)
    problem.train(model, adaptive, iterations=6)
    small = problem.state(model)
    restored = AdaptiveWeights("scripted", **options)
    restored.load_state_dict(adaptive.state_dict(), model)
    watch = problem.At("on_batch_begin", lambda step: setattr(pde, "broken", step == 1))
    with pytest.warns(RuntimeWarning, match="training stopped"):
        problem.train(model, watch, restored, iterations=3)
    assert model.loss_weights.tolist() == [1.0, 1.0]
    for before, after in zip(small[2::3], problem.state(model)[2::3], strict=True):
        assert torch.allclose(after, 1e6 * before, rtol=1e-4)
