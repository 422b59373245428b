"""Where a cap is set, a term with a loss or gradient of exactly 0 leaves the balance to others."""

import pytest

from pinn_ext import AdaptiveLossWeights, LossAggregator, strategies
from pinn_ext.adaptive_weights.settings import DEFAULTS, FOR_TRAINING
from pinn_ext.adaptive_weights.statistics import active_units
from pinn_ext.strategies import Gradients

NAMES = ["heat", "wave", "solved", "wall"]
LOSSES = {"heat": 3.0, "wave": 0.05, "solved": 0.0, "wall": 0.6}
LENGTHS = {"heat": 4.0, "wave": 0.1, "solved": 0.0, "wall": 1.5}


def measured(names, lengths):
    """Return gradients of two parameter tensors, all numbers of a term alike in size."""
    rows = [lengths[name] for name in names]
    return Gradients(
        totals=[[0.0, 0.0] for _ in rows],
        absolute=[[4 * r, r] for r in rows],
        squares=[[4 * r * r, r * r] for r in rows],
        largest=[[r, r] for r in rows],
        sizes=[4, 1],
        matrices=[True, False],
    )


def trained(strategy, names, losses=LOSSES, lengths=LENGTHS, epochs=8, **settings):
    """Return the manager after some updates with the same statistics."""
    weights = {"heat": 1.0, "wave": 2.0, "solved": 0.7, "wall": 1.0}
    manager = AdaptiveLossWeights(
        names, {n: weights[n] for n in names}, strategy, max_ratio=100.0, conditions=["wall"],
        field_scales=dict.fromkeys(names, 1.0), **settings,
    )  # fmt: skip
    for epoch in range(1, epochs + 1):
        manager.update(
            epoch,
            {n: losses[n] / epoch for n in names},
            gradients=measured(names, lengths) if manager.needs & {"gradients"} else None,
            ntk=[lengths[n] ** 2 for n in names] if "ntk" in manager.needs else None,
        )
    return manager


CASES = [
    ("equal_init", {}),
    ("ema", {}),
    ("equal_init_ema", {}),
    ("uncertainty", {}),
    ("uncertainty", {"options": {"optimizer": "exact"}}),
    ("imtl_l", {"options": {"optimizer": "sgd"}}),
    ("gradient_balance", {"options": {"floor": 0.3}}),
    ("inverse_dirichlet", {}),
    ("db_mtl", {}),
    ("ntk", {}),
]


@pytest.mark.parametrize("normalization", ["total", "mean", "initial", "none"])
@pytest.mark.parametrize(("strategy", "settings"), CASES)
def test_the_others_move_as_without_it(strategy, settings, normalization):
    others = [name for name in NAMES if name != "solved"]
    with_it = trained(strategy, NAMES, normalization=normalization, **settings).get_weights()
    alone = trained(strategy, others, normalization=normalization, **settings).get_weights()
    assert with_it.pop("solved") == 0.7
    assert with_it == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize("strategy", ["gradient_balance", "inverse_dirichlet", "ntk", "db_mtl"])
def test_a_gradient_of_zero_counts_as_a_loss_of_zero(strategy):
    others = [name for name in NAMES if name != "solved"]
    losses = {**LOSSES, "solved": 5.0}
    with_it = trained(strategy, NAMES, losses).get_weights()
    alone = trained(strategy, others, losses).get_weights()
    assert with_it.pop("solved") == 0.7
    assert with_it == pytest.approx(alone, rel=1e-12)


def test_a_term_comes_back_once_it_is_positive():
    manager = trained("ema", NAMES, epochs=3, weight_beta=0.0)
    assert manager.get_weight("solved") == 0.7
    manager.update(4, {**LOSSES, "solved": 2.0})
    assert manager.get_weight("solved") != 0.7
    back = manager.get_weights()
    manager.update(5, LOSSES)
    assert manager.get_weight("solved") == back["solved"]


def test_a_group_is_solved_when_all_of_it_is():
    groups = {"both": ["solved", "wall"]}
    manager = trained("ema", NAMES, groups=groups)
    assert manager.get_weight("solved") != 0.7
    manager = trained("ema", NAMES, {**LOSSES, "wall": 0.0}, groups=groups)
    assert (manager.get_weight("solved"), manager.get_weight("wall")) == (0.7, 1.0)


def test_nothing_moves_where_nothing_is_left_to_balance():
    manager = trained("db_mtl", NAMES, lengths=dict.fromkeys(NAMES, 0.0))
    assert manager.get_weights() == {"heat": 1.0, "wave": 2.0, "solved": 0.7, "wall": 1.0}
    assert manager.updates == 0


def test_without_a_cap_the_formula_stays():
    weights = AdaptiveLossWeights(["a", "b"], {"a": 1.0, "b": 1.0}, normalization="none")
    assert weights.update(1, {"a": 0.5, "b": 0.0})["b"] == 1e4  # 1 / 1e-8, clamped
    assert active_units([1.0, 0.0], None, None, DEFAULTS) is None
    assert active_units([1.0, 0.0], None, None, FOR_TRAINING) == [True, False]


def test_what_only_a_diagnosis_measures_does_not_count():
    gradients = measured(["heat", "solved"], LENGTHS)
    reads_losses = FOR_TRAINING.with_strategy("ema")
    assert active_units([1.0, 2.0], gradients, [0.0, 1.0], reads_losses) == [True, True]
    reads_gradients = FOR_TRAINING.with_strategy("db_mtl")
    assert active_units([1.0, 2.0], gradients, [0.0, 1.0], reads_gradients) == [True, False]
    assert active_units([1.0, 2.0], gradients, [0.0, 1.0], FOR_TRAINING.with_strategy("ntk")) == [
        False,
        True,
    ]


RETURNING = [
    ("ema", {}),
    ("equal_init_ema", {}),
    ("ntk", {}),
    ("dwa", {}),
    ("cov", {}),
    ("relobralo", {"options": {"alpha": 0.5}}),
    ("relobralo", {"options": {"alpha": 0.5, "rho": 0.2}}),
    ("softadapt", {"options": {"variant": "plain"}}),
    ("brdr_terms", {"options": {"steps": 300}}),
]


@pytest.mark.parametrize("solved_for", [1, 3])
@pytest.mark.parametrize(("strategy", "settings"), RETURNING)
def test_a_term_that_is_solved_no_more_takes_nothing_from_the_others(
    strategy, settings, solved_for
):
    def ratio(of_solved):
        manager = AdaptiveLossWeights(
            NAMES, dict.fromkeys(NAMES, 1.0), strategy, max_ratio=100.0, weight_beta=0.0, **settings
        )
        for epoch in range(1, 8):
            losses = {n: LOSSES[n] / (1 + 0.1 * i) ** epoch for i, n in enumerate(NAMES)}
            losses["solved"] = 0.0 if epoch <= solved_for else of_solved
            traces = list(losses.values()) if strategy == "ntk" else None
            weights = manager.update(epoch, losses, ntk=traces)
        return weights["heat"] / weights["wall"], weights["solved"] / weights["heat"]

    others, own = ratio(0.3)
    assert others == pytest.approx(ratio(0.0)[0], rel=0.05)
    assert 1e-2 < own < 1e2


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "exact"])
def test_learned_scales_stand_still_meanwhile(optimizer):
    options = {"optimizer": optimizer, "learning_rate": 1e-2}
    manager = trained("uncertainty", NAMES, {**LOSSES, "solved": 4.0}, epochs=3, options=options)
    before = manager.state_dict()["state"]["values"]
    manager.update(4, LOSSES)
    after = manager.state_dict()["state"]["values"]
    assert after[2] == before[2] != 0.0
    assert after[0] != before[0]


def test_a_term_that_begins_at_zero_takes_no_infinite_rate_later():
    manager = trained("gradnorm", NAMES, options={"solver": "closed"}, epochs=2)
    lengths = {**LENGTHS, "solved": 1.0}
    losses = {**LOSSES, "solved": 0.3}
    manager.update(3, losses, gradients=measured(NAMES, lengths))
    weights = list(manager.get_weights().values())
    assert max(weights) < 100 * min(weights)


@pytest.mark.parametrize("options", [{"lr": 0.05}, {"solver": "closed"}])
def test_gradnorm_leaves_it_out_of_its_sum(options):
    manager = trained("gradnorm", NAMES, options=options, epochs=30)
    before, after = (m.state_dict()["state"]["weights"] for m in (
        trained("gradnorm", NAMES, options=options, epochs=1), manager
    ))  # fmt: skip
    assert before[2] == after[2] == pytest.approx(0.7 * 4 / 4.7)
    assert sum(after) - after[2] == pytest.approx(3.0)  # as many as take part
    weights = manager.get_weights()
    assert weights["wave"] > weights["wall"] > weights["heat"]  # the shorter, the heavier


def test_the_aggregator_keeps_the_weight_of_a_solved_term():
    import torch

    aggregator = LossAggregator("equal_init", ["a", "b", "c"])
    x = torch.tensor(1.0, requires_grad=True)
    aggregator({"a": 40 * x, "b": x, "c": 0 * x}, 0)
    a, b, c = aggregator.weights.tolist()
    assert c == 1.0 and b / a == pytest.approx(40.0)
    assert set(strategies.term_names()) >= {name for name, _ in CASES}
