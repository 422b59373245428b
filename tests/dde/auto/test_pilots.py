"""`AdaptiveWeights("auto")`: pilots are blocks of one training and leave each other alone."""

import dataclasses
import io
import re
from typing import ClassVar

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveLossWeights, AdaptiveWeights, strategies
from pinn_ext.dde.auto.pilots import Pilots

NAMES = ["fixed", "field_scale", "equal_init", "ema"]


def auto(**settings):
    """Return a callback whose pilots run whatever the gradients say, unless told otherwise."""
    options = {"diagnosis": False, "budget_part": 0.3, "margin": 1} | settings.pop("options", {})
    return AdaptiveWeights("auto", options=options, **{"period": 2, "verbose": 0} | settings)


def fresh(problem, kind="heat", seed=5, **options):
    dde.config.set_random_seed(seed)
    return getattr(problem, kind)(**options)


def favour(monkeypatch, name):
    """Let a candidate's blocks have the best score, whatever its losses are."""

    def score(self, model):
        return 0.1 if watched.race.present == name else 1.0

    created = Pilots.__init__

    def watching(self, *arguments):
        nonlocal watched
        created(self, *arguments)
        watched = self

    watched = None
    monkeypatch.setattr(Pilots, "__init__", watching)
    monkeypatch.setattr("pinn_ext.dde.auto.score.HeldOutScore.of", score)


def everything(model):
    """Return a copy of all that a training changes."""
    scheduler = model.lr_scheduler
    return {
        "vector": problem_vector(model),
        "optimizer": [
            v.clone() for e in model.opt.state.values() for v in e.values() if torch.is_tensor(v)
        ],
        "rates": [group["lr"] for group in model.opt.param_groups],
        "schedule": None if scheduler is None else scheduler.last_epoch,
        "random": (torch.get_rng_state(), np.random.get_state()[1].tolist()),
        "weights": model.loss_weights.clone(),
        "points": np.array(model.data.train_x),
    }


def problem_vector(model):
    tensors = [*model.net.parameters(), *model.external_trainable_variables]
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def same(one, other):
    assert torch.equal(one["vector"], other["vector"])
    assert len(one["optimizer"]) == len(other["optimizer"])
    assert all(map(torch.equal, one["optimizer"], other["optimizer"]))
    assert (one["rates"], one["schedule"]) == (other["rates"], other["schedule"])
    assert torch.equal(one["random"][0], other["random"][0])
    assert one["random"][1] == other["random"][1]
    assert torch.equal(one["weights"], other["weights"])
    assert np.array_equal(one["points"], other["points"])


class Drawing(dde.callbacks.Callback):
    """Draws random numbers in each step, as a user's own callback may."""

    def on_epoch_end(self):
        torch.rand(3), np.random.random(2)


@pytest.mark.parametrize(
    ("winner", "optimizer"),
    [*((name, "adam") for name in NAMES), ("equal_init", "rmsprop"), ("ema", "sgd")],
)
def test_the_winner_is_as_if_it_had_trained_alone(problem, monkeypatch, winner, optimizer):
    """100 iterations, 30 of them in pilots: 82 of its own, 88 of an incumbent ahead of all."""
    favour(monkeypatch, winner)
    model = fresh(problem, optimizer=optimizer, decay=("step", 7, 0.8))
    chooser = auto()
    resampler = dde.callbacks.PDEPointResampler(period=11)
    problem.train(model, chooser, resampler, Drawing(), iterations=100)
    assert chooser.strategy == winner and chooser.choice.startswith(f"{winner}, as its score")
    found = everything(model)

    alone = fresh(problem, optimizer=optimizer, decay=("step", 7, 0.8))
    single = AdaptiveWeights(winner, period=2, verbose=0)
    resampler = dde.callbacks.PDEPointResampler(period=11)
    own = 88 if winner == "fixed" else 82
    problem.train(alone, single, resampler, Drawing(), iterations=own)
    same(found, everything(alone))
    assert chooser.manager.state_dict() == single.manager.state_dict()
    own = [row for row in chooser.history if row["candidate"] == winner]
    for key in ("losses", "weights"):
        # The first period, in which nobody has moved the weights yet, is that of the incumbent.
        wanted = [row[key] for row in single.history][1:]
        assert [row[key] for row in own][-len(wanted) :] == wanted


def test_observations_in_batches_are_the_candidate_s_own(problem, monkeypatch):
    """Points that a swap puts back are compared with the values at them, until the choice too."""
    favour(monkeypatch, "equal_init")
    wrong, ends = [], []
    alone = AdaptiveWeights("equal_init", period=2, verbose=0)
    for callback, iterations in ((auto(), 100), (alone, 82)):
        dde.config.set_random_seed(5)
        data = problem.observed_data()
        model, observed = dde.Model(data, problem.net()), data.bcs[1]
        model.compile("adam", lr=1e-2, verbose=0)

        def look(n, data=data, observed=observed):
            points = data.train_x[data.num_bcs[0] : sum(data.num_bcs)]
            wrong.append(not np.array_equal(points, observed.points[observed.batch_indices]))

        resampler = dde.callbacks.PDEPointResampler(period=5, bc_points=True)
        look_at_all = problem.At("on_batch_begin", look)
        problem.train(model, callback, resampler, look_at_all, iterations=iterations)
        ends.append({**everything(model), "batch": observed.batch_indices})
    assert not any(wrong)
    same(*ends)
    assert np.array_equal(ends[0]["batch"], ends[1]["batch"])


def test_external_variables_and_progress_are_the_candidate_s_own(problem, monkeypatch):
    stages = [{"strategy": "equal_init", "until_fraction": 0.5}, {"strategy": "ema"}]
    candidate = {"strategy": "multi_stage", "options": {"stages": stages}}
    favour(monkeypatch, "multi_stage")
    rate = None

    def made():
        nonlocal rate
        dde.config.set_random_seed(5)
        rate = dde.Variable(2.0)

        def equation(x, y):
            return -dde.grad.hessian(y, x) - rate * torch.sin(x)

        return problem.poisson(pde=equation, external_trainable_variables=[rate])

    model = made()
    chooser = auto(options={"candidates": [candidate]})
    problem.train(model, chooser, iterations=60)
    plan = chooser._pilots.race
    found = everything(model)
    alone = made()
    single = AdaptiveWeights("multi_stage", period=2, verbose=0, options=candidate["options"])
    problem.train(alone, single, iterations=60 - 2 * plan.periods_of_others)
    same(found, everything(alone))
    state = chooser.manager.state_dict()["state"]
    assert state == single.manager.state_dict()["state"] and state["stage"] == 1


@dataclasses.dataclass(frozen=True)
class Lengths(strategies.Strategy):
    """Made up: weights by the lengths of the gradients."""

    name: ClassVar[str] = "lengths"
    needs: ClassVar[frozenset[str]] = frozenset({"gradients"})

    def init(self, initial_weights):
        return {"updates": 0}

    def update(self, statistics, state):
        targets = [1 / (norm + 1e-3) for norm in statistics.gradients.norms]
        return strategies.Proposal(targets, blend=True), {"updates": state["updates"] + 1}


def test_a_candidate_may_read_gradients(problem, monkeypatch):
    monkeypatch.setitem(strategies._REGISTRY, "lengths", Lengths)
    favour(monkeypatch, "lengths")
    model, chooser = fresh(problem), auto(options={"candidates": ["lengths"]})
    problem.train(model, chooser, iterations=60)
    assert chooser.strategy == "lengths"
    others = 2 * chooser._pilots.race.periods_of_others
    alone, single = fresh(problem), AdaptiveWeights("lengths", period=2, verbose=0)
    problem.train(alone, single, iterations=60 - others)
    same(everything(model), everything(alone))
    assert chooser.manager.state_dict() == single.manager.state_dict()


def test_pilots_take_their_part_of_the_iterations(problem, monkeypatch):
    favour(monkeypatch, "ema")
    chooser = auto()
    model = problem.train(fresh(problem), chooser, iterations=100)
    assert model.train_state.step == 100
    blocks = [row for row in chooser.pilots if row["round"]]
    assert [row["iterations"] for row in blocks] == [6, 6, 6, 6, 12, 12]
    pilots = [e for e in chooser.events if e["what"] in ("pilot", "chosen")]
    assert [e["step"] for e in pilots] == [2, 6, 10, 14, 18, 24, 30]
    assert [row["step"] for row in chooser.history] == list(range(2, 101, 2))
    assert {row["candidate"] for row in chooser.history[15:]} == {chooser.strategy}
    assert sum(row["kept"] for row in blocks) == 3
    assert all(0 < row["score"] < 10 for row in blocks)


class Stop(BaseException):
    pass


@pytest.mark.parametrize("step", [1, 2, 3, 5, 6, 11, 12, 13, 17, 18, 19, 40])
def test_saved_in_the_middle_it_goes_on_bit_for_bit(problem, step):
    """Within a block, at its end, in either round, just before and after the choice."""
    schedule = {"decay": ("step", 7, 0.8)}
    whole = auto()
    model = problem.train(fresh(problem, **schedule), whole, iterations=60)
    expected, saved = everything(model), io.BytesIO()

    first, model = auto(), fresh(problem, **schedule)

    def save(n):
        if n == step:
            content = {
                "callback": first.state_dict(),
                "net": model.net.state_dict(),
                "opt": model.opt.state_dict(),
                "schedule": model.lr_scheduler.state_dict(),
                "rng": torch.get_rng_state(),
                "numpy": list(np.random.get_state()[1]),
                "step": model.train_state.step,
            }
            content["numpy"] = [int(number) for number in content["numpy"]]
            torch.save(content, saved)
            raise Stop

    with pytest.raises(Stop):
        problem.train(model, first, problem.At("on_epoch_end", save), iterations=60)
    saved.seek(0)
    content = torch.load(saved, weights_only=True)
    model = fresh(problem, **schedule)
    model.net.load_state_dict(content["net"])
    model.opt.load_state_dict(content["opt"])
    model.lr_scheduler.load_state_dict(content["schedule"])
    model.train_state.step = content["step"]
    second = auto()
    second.load_state_dict(content["callback"], model)
    torch.set_rng_state(content["rng"])
    name, _, *rest = np.random.get_state()
    np.random.set_state((name, np.array(content["numpy"], dtype=np.uint32), *rest))
    problem.train(model, second, iterations=60 - step)
    same(everything(model), expected)
    ends = [callback.state_dict() for callback in (second, whole)]
    assert ends[0]["manager"] == ends[1]["manager"] and ends[0]["best"]["step"] is not None
    assert ends[0]["best"]["score"] == ends[1]["best"]["score"]
    rows = [[{**row, "seconds": 0} for row in callback.pilots] for callback in (second, whole)]
    assert rows[0] == rows[1] and second.choice == whole.choice


def test_several_trainings_are_one_for_the_pilots(problem):
    chooser, model = auto(), fresh(problem)
    whole = problem.train(fresh(problem), auto(), iterations=60)
    stop = problem.At("on_epoch_end", lambda n: setattr(model, "stop_training", n == 9))
    problem.train(model, chooser, stop, iterations=60)
    assert model.train_state.step == 9 and chooser.strategy == "auto" and chooser.choice is None
    problem.train(model, chooser, iterations=51)
    assert torch.equal(problem.vector(model), problem.vector(whole))


def broken_if(condition):
    """Return an equation that is not finite while the condition holds."""

    def equation(x, y):
        residual = dde.grad.jacobian(y, x, 0, 1) - 0.1 * dde.grad.hessian(y, x, i=0, j=0)
        return residual * (float("nan") if condition() else 1.0)

    return equation


@pytest.mark.parametrize("period", [1, 2, 5])
def test_a_pilot_that_breaks_down_loses(problem, monkeypatch, period):
    data = problem.heat_data()
    chooser = auto(period=period)
    calls = []

    def breaks():
        fails = chooser.manager is not None and chooser.manager.strategy == "equal_init"
        calls.append(fails)
        return fails

    data.pde = broken_if(breaks)
    dde.config.set_random_seed(5)
    model = dde.Model(data, problem.net(2))
    model.compile("adam", lr=1e-2, verbose=0)
    problem.train(model, chooser, iterations=50 * period)  # no warning that it was stopped
    assert model.train_state.step == 50 * period and chooser.stopped is None
    row = next(r for r in chooser.pilots if r["candidate"] == "equal_init")
    assert row["score"] is None and not row["kept"]
    assert "loss term pde_1 is not finite" in row["why"]
    assert chooser.strategy not in ("equal_init", "auto")
    assert [r["step"] for r in chooser.history] == list(range(period, 50 * period + 1, period))
    assert torch.isfinite(problem.vector(model)).all() and any(calls)
    assert any(e["what"] == "pilot" and "is out" in e["why"] for e in chooser.events)


def test_where_all_break_down_the_training_stops(problem):
    data = problem.heat_data()
    count = [0]

    def breaks():
        count[0] += 1
        return count[0] > 3

    data.pde = broken_if(breaks)
    model = dde.Model(data, problem.net(2))
    model.compile("adam", lr=1e-2, verbose=0)
    chooser = auto()
    with pytest.warns(RuntimeWarning, match="training stopped"):
        problem.train(model, chooser, iterations=100)
    assert "pde_1 is not finite" in chooser.stopped and model.train_state.step < 20
    assert torch.isfinite(problem.vector(model)).all()


def test_a_tenth_of_plain_data_is_held_back_until_the_choice(problem, monkeypatch):
    favour(monkeypatch, "ema")
    sizes, chooser = [], auto()
    x = np.linspace(0, 1, 20, dtype=np.float32)[:, None]
    model = dde.Model(dde.data.DataSet(x, x**2, x, x**2), problem.net())
    model.compile("adam", lr=1e-2, verbose=0)
    count = problem.At("on_batch_end", lambda n: sizes.append(len(model.train_state.X_train)))
    problem.train(model, chooser, count, iterations=100)
    assert set(sizes[:30]) == {18} and set(sizes[30:]) == {20}
    assert len(model.data.train_x) == 20


def test_points_to_judge_by_are_not_those_of_the_training(problem):
    """Before the first step, and at the end of each period of a pilot."""
    seen = []
    data = problem.heat_data()
    equation = data.pde

    def noting(x, y):
        seen.append(x.detach().numpy().copy())
        return equation(x, y)

    data.pde = noting
    model = dde.Model(data, problem.net(2))
    model.compile("adam", lr=1e-2, verbose=0)
    chooser = auto(options={"score_points": 50})
    problem.train(model, chooser, iterations=100)
    judged = [x for x in seen if len(x) != len(data.train_x)]
    assert len(judged) == 1 + sum(chooser._pilots.race.own) - 4 and all(
        np.array_equal(judged[0], x) for x in judged
    )
    own = {tuple(row) for row in data.train_x_all}
    assert not own & {tuple(row) for row in judged[0]}


def test_in_a_second_phase_the_winner_s_weights_stay(problem):
    chooser, model = auto(), fresh(problem)
    problem.train(model, chooser, iterations=60)
    weights = model.loss_weights.tolist()
    dde.optimizers.config.LBFGS_options.update(maxiter=12, iter_per_step=6, fun_per_step=99)
    model.compile("L-BFGS", verbose=0)
    model.train(callbacks=[chooser], verbose=0)
    assert model.loss_weights.tolist() == weights
    assert len(chooser.pilots) >= 4 and chooser.strategy != "auto"


def test_compiled_anew_in_the_middle_the_pilots_end(problem, monkeypatch):
    favour(monkeypatch, "ema")
    chooser, model = auto(), fresh(problem)
    stop = problem.At("on_epoch_end", lambda n: setattr(model, "stop_training", n == 10))
    problem.train(model, chooser, stop, iterations=60)
    model.compile("sgd", lr=1e-3, verbose=0)
    problem.train(model, chooser, iterations=20)
    assert chooser.strategy == "ema" and "compiled anew" in chooser.choice
    assert model.train_state.step == 30


def test_a_candidate_that_does_not_fit_is_left_out(problem):
    line = dde.geometry.Interval(0, 1)
    walls = dde.icbc.DirichletBC(line, lambda x: 0 * x[:, :1] + 1, lambda _, on: on)

    def two(x, y):
        residual = dde.grad.hessian(y, x)
        return [residual, 2 * residual]

    data = dde.data.PDE(line, two, [walls], 12, 2)  # two equations, one field with conditions
    model = dde.Model(data, problem.net())
    model.compile("adam", lr=1e-2, verbose=0)
    chooser = auto()
    problem.train(model, chooser, iterations=100)
    row = next(r for r in chooser.pilots if r["candidate"] == "field_scale")
    assert row["round"] == 0 and row["why"].startswith("it cannot be used here: `field_scales`")
    assert {r["candidate"] for r in chooser.pilots if r["round"]} == {"fixed", "equal_init", "ema"}


def test_what_is_printed(problem, capsys, monkeypatch):
    favour(monkeypatch, "ema")
    problem.train(fresh(problem), auto(verbose=1), iterations=100)
    text = capsys.readouterr().out
    assert "6 pilots of 4 candidates take 30 of 100 iterations" in text
    assert "Pilot 1 of 6 (fixed): score 1.000e+00 after 6 iterations" in text
    assert re.search(r"fixed +1 +6 +\d\.\d{3}e[-+]\d\d", text)
    assert len(re.findall(r"chosen: \w+, as its score .* is the best, before \w+ with", text)) == 1


@pytest.mark.parametrize("iterations", [1, 9])
def test_too_short_a_training(problem, iterations):
    model, chooser = fresh(problem), auto()
    with pytest.raises(
        ValueError,
        match=rf"^`iterations` must be at least 10 for strategy 'auto' \(5 periods of 2, three of "
        rf"them for its pilots\), got {iterations}\.$",
    ):
        problem.train(model, chooser, iterations=iterations)
    assert "losses_train" not in vars(model.data) and "_train_sgd" not in vars(model)
    problem.train(model, chooser, iterations=10)
    assert chooser.strategy in ("fixed", "field_scale") and model.train_state.step == 10


REFUSED = [
    ({"candidates": "ema"}, "`options.candidates` must be a list of strategies, got 'ema'."),
    ({"candidates": ["auto"]}, "`options.candidates[0].strategy` must be one of "),
    ({"candidates": ["emma"]}, "`options.candidates[0].strategy` must be one of "),
    ({"candidates": ["ema", "ema"]}, "`options.candidates` must be distinct, got {'strategy'"),
    (
        {"candidates": [{"strategy": "ema", "options": {"a": 1}}]},
        "`options.candidates[0].options` of ema must be empty, as it has none, got 'a'.",
    ),
    (
        {"candidates": [{"name": "ema"}]},
        "`options.candidates[0]` must be one of options, strategy, got 'name'.",
    ),
    ({"budget_part": 0.6}, "`options.budget_part` must be a finite number in (0, 0.5], got 0.6."),
    ({"factor": 1}, "`options.factor` must be a whole number >= 2, got 1."),
    ({"score": "best"}, "`options.score` must be one of geometric, scaled, got 'best'."),
    ({"score_points": 1}, "`options.score_points` must be a whole number >= 10, got 1."),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=str)
def test_refused(options, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        auto(options=options)


def test_refused_where_it_cannot_work(problem):
    with pytest.raises(ValueError, match=r"'auto', which lets several.*pinn_ext\.AdaptiveWeights"):
        AdaptiveLossWeights(["a"], {"a": 1.0}, "auto")
    x = np.zeros((4, 1), dtype=np.float32)
    model = dde.Model(dde.data.Triple((x, x), x, (x, x), x), problem.net())
    model.compile("adam", lr=1e-2, verbose=0)
    with pytest.raises(ValueError, match=r"auto can judge models on .*, got Triple: choose"):
        model.train(iterations=100, callbacks=[auto()], verbose=0)
    state = auto().state_dict()
    with pytest.raises(ValueError, match="must be of the candidates"):
        auto(options={"candidates": ["ema"]}).load_state_dict(state, fresh(problem))


def test_the_members():
    method = strategies.create("auto", {"candidates": ["ema", "fixed"]})
    assert method.labels == ["fixed", "field_scale", "ema"]
    assert method.needs == {"losses", "field_scales"}
    twice = [{"strategy": "field_scale", "options": {"condition_factor": c}} for c in (1.0, 100.0)]
    assert strategies.create("auto", {"candidates": twice}).labels == [
        "fixed",
        "field_scale (condition_factor=1.0)",
        "field_scale (condition_factor=100.0)",
    ]
