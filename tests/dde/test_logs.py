"""What the callback knows goes to any logger; TensorBoard's files by TensorBoard's own reader."""

import sys

import deepxde as dde
import pytest

from pinn_ext import AdaptiveWeights, MetricsLog, TensorBoardLog


def read(folder):
    """Return scalars by tag as `[(step, value)]`, and texts by tag as `[(step, text)]`."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    scalars = {
        tag: [(event.step, event.value) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }
    texts = {
        tag: [(e.step, e.tensor_proto.string_val[0].decode()) for e in found.Tensors(tag)]
        for tag in found.Tags()["tensors"]
    }
    return scalars, texts


@pytest.fixture
def adaptive():
    return AdaptiveWeights(
        "ema", period=3, diagnostics=True, freeze_after=2, groups={"data": ["dirichlet_1", "ic_1"]},
        verbose=0,
    )  # fmt: skip


def test_all_that_the_callback_knows_is_written(problem, adaptive, tmp_path):
    pytest.importorskip("tensorboard")
    model, log = problem.heat(), TensorBoardLog(adaptive, tmp_path)
    problem.train(model, adaptive, log, iterations=7)
    problem.train(model, adaptive, log, iterations=5)
    scalars, texts = read(tmp_path)
    names = adaptive.manager.loss_names
    for i, name in enumerate(names):
        for tag, key in ((f"raw_loss/{name}", "losses"), (f"weight/{name}", "weights")):
            steps, values = zip(*scalars.pop(tag), strict=True)
            assert steps == (3, 6, 9, 12)
            assert list(values) == pytest.approx(
                [row[key][i] for row in adaptive.history], rel=1e-6
            )
    for i, name in enumerate(["pde_1", "data"]):
        values = [value for _, value in scalars.pop(f"gradient_norm/{name}")]
        assert values == pytest.approx([r["norms"][i] for r in adaptive.gradient_history], rel=1e-6)
    cosines = [value for _, value in scalars.pop("gradient_cosine/pde_1/data")]
    wanted = [row["cosines"][0][1] for row in adaptive.gradient_history]
    assert cosines == pytest.approx(wanted, rel=1e-6)
    for key in ("alignment", "conflict", "size_ratio"):
        values = [value for _, value in scalars.pop(f"gradients/{key}")]
        assert values == pytest.approx([r[key] for r in adaptive.gradient_history], rel=1e-6)
    assert not scalars
    assert texts == {"event/frozen/text_summary": [(9, "step 9: weights stay after 2 epochs")]}


def test_what_a_saved_state_holds_is_not_written_again(problem, adaptive, tmp_path):
    pytest.importorskip("tensorboard")
    model = problem.heat()
    problem.train(model, adaptive, iterations=9)
    log = TensorBoardLog(adaptive, tmp_path)
    problem.train(model, adaptive, log, iterations=3)
    scalars, texts = read(tmp_path)
    assert [step for step, _ in scalars["weight/pde_1"]] == [12] and not texts


def test_a_new_model_starts_afresh(problem, adaptive, tmp_path):
    pytest.importorskip("tensorboard")
    adaptive = AdaptiveWeights("ema", period=2, verbose=0)
    log = TensorBoardLog(adaptive, tmp_path)
    problem.train(problem.heat(), adaptive, log, iterations=2)
    problem.train(problem.poisson(), adaptive, log, iterations=4)
    scalars, _ = read(tmp_path)
    assert [step for step, _ in scalars["weight/pde_1"]] == [2, 2, 4]
    assert [step for step, _ in scalars["weight/ic_1"]] == [2]


def test_the_log_changes_nothing(problem, tmp_path):
    pytest.importorskip("tensorboard")
    results = []
    for logged in (False, True):
        adaptive = AdaptiveWeights("ema", period=2, verbose=0)
        dde.config.set_random_seed(1)
        log = [TensorBoardLog(adaptive, tmp_path)] if logged else []
        model = problem.train(problem.heat(), adaptive, *log, iterations=6)
        results.append(problem.vector(model).tolist())
    assert results[0] == results[1]


def test_without_the_package_the_extra_is_named(monkeypatch, adaptive, tmp_path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match=r"extra `tensorboard`.*pinn-ext\[tensorboard\]"):
        TensorBoardLog(adaptive, tmp_path)


def test_a_logger_gets_each_step_in_one_piece(problem, adaptive):
    rows, texts = [], []
    log = MetricsLog(
        adaptive,
        lambda numbers, step: rows.append((step, numbers)),
        lambda *event: texts.append(event),
    )
    problem.train(problem.heat(), adaptive, log, iterations=10)
    problem.train(problem.heat(), adaptive, log, iterations=6)
    assert [step for step, _ in rows] == [3, 6, 9, 3, 6]  # the second model is a new one
    _, last = rows[-1]
    row, gradients = adaptive.history[-1], adaptive.gradient_history[-1]
    names = adaptive.manager.loss_names
    assert [last[f"weight/{name}"] for name in names] == row["weights"]
    assert [last[f"raw_loss/{name}"] for name in names] == row["losses"]
    assert last["gradient_norm/data"] == gradients["norms"][1]
    assert last["gradient_cosine/pde_1/data"] == gradients["cosines"][0][1]
    assert {type(value) for value in last.values()} == {float}
    assert texts == [("event/frozen", "step 9: weights stay after 2 epochs", 9)]


@pytest.mark.parametrize("log", [TensorBoardLog, MetricsLog])
def test_another_callback_is_refused(log):
    with pytest.raises(ValueError, match="`adaptive` must be the AdaptiveWeights of"):
        log("ema", print)


@pytest.mark.parametrize("name", ["write", "write_event"])
def test_a_logger_must_be_a_function(adaptive, name):
    given = {"write": print, name: "mlflow"}
    with pytest.raises(ValueError, match=f"`{name}` must be a function, got 'mlflow'"):
        MetricsLog(adaptive, **given)
