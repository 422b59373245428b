"""Two processes that train together hold the same weights, stop together and refuse together.

The processes run all scenarios of `processes_worker.py` once; the tests look at what came out.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pinn_ext import AdaptiveLossWeights, LossAggregator, strategies
from pinn_ext.measurements import processes
from pinn_ext.measurements.gradients import measure_gradients
from tests.measurements.processes_worker import NAMES, losses_of, network, points, terms
from tests.strategies.made_up import MADE_UP

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Return what each scenario answered on the two processes, by name."""
    folder = tmp_path_factory.mktemp("ranks")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    worker, meeting = ROOT / "tests" / "measurements" / "processes_worker.py", folder / "meeting"
    logs = [(folder / f"log{rank}").open("w", encoding="utf-8") for rank in (0, 1)]
    processes = [
        subprocess.Popen(
            [sys.executable, str(worker), str(rank), str(meeting), str(folder / f"{rank}.json")],
            env=environment,
            stdout=logs[rank],
            stderr=subprocess.STDOUT,
        )
        for rank in (0, 1)
    ]
    try:
        codes = [process.wait(timeout=300) for process in processes]
    finally:
        for process, log in zip(processes, logs, strict=True):
            process.kill()
            log.close()
    said = "\n".join((folder / f"log{rank}").read_text("utf-8")[-3000:] for rank in (0, 1))
    assert codes == [0, 0], said
    first, second = (json.loads((folder / f"{rank}.json").read_text("utf-8")) for rank in (0, 1))
    return {name: (first[name], second[name]) for name in first}


def managed(strategy, names=NAMES):
    return AdaptiveLossWeights(
        names, dict.fromkeys(names, 1.0), strategy, normalization="total", max_ratio=100, eps=None
    )


def mean_of(rows):
    return {name: sum(row[name].item() for row in rows) / len(rows) for name in NAMES}


def test_the_aggregators_strategy_sees_the_mean_losses(found):
    manager = managed("ema")
    for epoch in (1, 2, 3):
        steps = (2 * epoch - 2, 2 * epoch - 1)
        manager.update(epoch, mean_of([losses_of(rank, s) for rank in (0, 1) for s in steps]))
    for own in found["losses"]:
        assert own == pytest.approx(list(manager.get_weights().values()), rel=1e-12)
    assert found["losses"][0] == found["losses"][1]


def test_the_aggregators_strategy_sees_the_gradients_of_the_mean_losses(found, monkeypatch):
    for name, cls in MADE_UP.items():
        monkeypatch.setitem(strategies._REGISTRY, name, cls)
    manager, net = managed("by_norm"), network()
    rows = [terms(net, points(rank)) for rank in (0, 1)]
    both = [(rows[0][name] + rows[1][name]) / 2 for name in NAMES]
    gradients = measure_gradients(both, NAMES, list(net.parameters()))
    for epoch in (1, 2):
        manager.update(epoch, mean_of(rows), gradients=gradients)
    for own in found["gradients"]:
        assert own == pytest.approx(list(manager.get_weights().values()), rel=1e-6)
    assert found["gradients"][0] == found["gradients"][1]


@pytest.mark.parametrize("name", ["kernels", "ddp"])
def test_weights_and_the_network_are_the_same_on_both(found, name):
    first, second = found[name]
    assert first == second
    assert first[0] != 1.0


def test_the_kernels_are_estimated_as_in_one_process_with_all_rows(found, monkeypatch):
    for name, cls in MADE_UP.items():
        monkeypatch.setitem(strategies._REGISTRY, name, cls)
    net, x = network(), torch.cat([points(rank) for rank in (0, 1)])
    aggregator = LossAggregator("by_kernel", NAMES, parameters=net)
    residuals = {"pde": net(x) - x.sin(), "bc": net(0 * x)}
    aggregator({name: r.square().mean() for name, r in residuals.items()}, 1, residuals)
    wanted = list(aggregator.manager.get_weights().values())
    for own in found["kernels"]:
        assert own == pytest.approx(wanted, rel=1e-5)


def test_each_strategy_gives_both_the_same_weights(found):
    first, second = found["every_strategy"]
    assert first == second
    wanted = [
        name
        for name in strategies.names()
        if isinstance(strategies.create(name), strategies.Strategy)
    ]
    assert {*wanted, "by_norm"} <= set(first)
    for name, (of_aggregator, of_callback) in first.items():
        if name not in ("fixed", "by_progress"):
            assert of_aggregator != [1.0, 1.0] or of_callback != [1.0, 1.0, 1.0], name


def test_a_nan_on_one_rank_leaves_the_weights_of_both(found):
    first, second = found["nan"]
    assert first == second
    (before, after, later), warnings = first
    assert before == after != later and all(map(math.isfinite, later))
    assert warnings == [
        "At epoch 2 a loss is not a finite number >= 0 (bc = nan): weights unchanged."
    ]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("names", "`names` must be the same on all ranks, got ['pde', 'bc'] on rank 0 and "),
        ("period", "`period` must be the same on all ranks, got 2 on rank 0 and 3 on rank 1."),
        ("checkpoint", "`weights` must be the same on all ranks, got {'pde': 1.0, 'bc': 2.0} on"),
        ("no_graph", "rank 1: Each loss term must depend on the network for a strategy that"),
        ("callback_names", "`names` must be the same on all ranks, got ['heat', 'walls', 'start']"),
        ("callback_terms", "`names` must be the same on all ranks, got ['pde_1', 'dirichlet_1',"),
        ("callback_period", "`period` must be the same on all ranks, got 2 on rank 0 and 3 on"),
        ("callback_weights", "`loss_weights` must be the same on all ranks, got [1.0, 2.0, 3.0] "),
    ],
)
def test_ranks_that_do_not_agree_get_one_sentence_on_each(found, name, sentence):
    first, second = found[name]
    assert first == second
    assert first.startswith(f"ValueError: {sentence}")


@pytest.mark.parametrize("kind", ["losses", "equal_init", "gradients", "kernels", "scales"])
def test_the_callbacks_weights_are_the_same_although_points_and_losses_differ(found, kind):
    (weights, parameters, losses), (others, other_parameters, other_losses) = found[
        f"callback_{kind}"
    ]
    assert losses != other_losses
    assert weights == others and parameters == other_parameters
    assert len(weights) == 3 and weights[0] != [1.0, 1.0, 1.0]


def test_the_callbacks_strategy_sees_the_mean_losses(found):
    (weights, _, losses), (_, _, other_losses) = found["callback_losses"]
    names = ["pde_1", "dirichlet_1", "ic_1"]
    manager = managed("ema", names)
    for epoch in (1, 2, 3):
        pairs = zip(losses[epoch - 1], other_losses[epoch - 1], strict=True)
        mean = dict(zip(names, [(a + b) / 2 for a, b in pairs], strict=True))
        manager.update(epoch, mean)
        assert weights[epoch - 1] == pytest.approx(list(manager.get_weights().values()), rel=1e-12)


def test_pilots_choose_the_same_on_both(found):
    first, second = found["callback_auto"]
    assert first == second
    chosen, scores, *_ = first
    assert chosen is not None and len(scores) > 2 and all(map(math.isfinite, scores))


def test_a_nan_on_one_rank_stops_both_at_that_step_with_the_parameters_before_it(found):
    (told, step, parameters, history, warned), (own, other_step, others, _, _) = found[
        "callback_nan"
    ]
    assert own == "loss term pde_1 is not finite at step 4"
    assert told == f"rank 1: {own}"
    assert step == other_step == 4
    assert parameters == others and all(map(math.isfinite, parameters))
    assert [row["step"] for row in history] == [2]
    assert warned == [f"{told}: training stopped, parameters are those before that step."]


def test_a_gradient_that_breaks_on_one_rank_stops_both(found):
    first, second = found["callback_bad_gradient"]
    assert second[0] == "a gradient is not finite although the losses are at step 4"
    assert first[0] == f"rank 1: {second[0]}"
    assert first[1:] == second[1:] == [4, True]


def test_alone_nothing_is_averaged_or_compared():
    assert not processes.is_running()
    value = torch.tensor([1.0, 2.0])
    assert processes.mean(value) is value
    assert processes.mean_of_numbers((1.0, 0.1)) == [1.0, 0.1]
    assert processes.first_fault(None) is None
    assert processes.first_fault("a sentence") == "a sentence"
    processes.check_same(names=["a"])
