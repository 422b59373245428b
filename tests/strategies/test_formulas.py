"""Every strategy against a slow transcription of its paper, whole recordings at once."""

import math

import numpy as np
import pytest

from pinn_ext import strategies
from tests.strategies.papers import (
    EPS,
    Paper,
    slow_ema,
    slow_equal_init,
    slow_equal_init_ema,
    slow_field_scale,
    slow_fixed,
    slow_multi_stage,
)
from tests.strategies.papers_gradients import (
    slow_db_mtl,
    slow_db_pinn,
    slow_gradient_balance,
    slow_gradnorm,
    slow_inverse_dirichlet,
    slow_lr_annealing,
    slow_ntk,
)
from tests.strategies.papers_losses import (
    slow_brdr_terms,
    slow_capu,
    slow_cov,
    slow_dwa,
    slow_imtl_l,
    slow_random,
    slow_relobralo,
    slow_softadapt,
    slow_uncertainty,
)
from tests.strategies.recordings import play, record, term_strategies

SCALES = (
    {},
    {"optimizer": "adam", "learning_rate": 0.05, "inner_steps": 7, "start": -0.5},
    {"optimizer": "sgd", "learning_rate": 1e-3, "inner_steps": 3},
    {"optimizer": "exact"},
)
EPOCHS = {
    "stages": [
        {"strategy": "field_scale", "options": {"condition_factor": 3.0}, "until_epoch": 2},
        {"strategy": "fixed", "until_epoch": 7},
        {"strategy": "equal_init_ema"},
    ]
}
DROP = {"stages": [{"strategy": "ema", "until_drop": 1.5}, {"strategy": "equal_init"}]}

# One line joins a new strategy.
PAPERS = {
    "fixed": Paper(slow_fixed),
    "equal_init": Paper(slow_equal_init, normalization="initial"),
    "equal_init_ema": Paper(slow_equal_init_ema, normalization="initial"),
    "ema": Paper(slow_ema),
    "field_scale": Paper(slow_field_scale, ({}, {"condition_factor": 0.5})),
    "softadapt": Paper(
        slow_softadapt,
        (
            {},
            {"variant": "plain", "beta": 1e-3, "window": 2},
            {"variant": "loss_weighted", "beta": -0.01, "window": 8, "accuracy_order": 3},
            {"variant": "normalized", "beta": 1.5, "window": 4},
            {"variant": "normalized_by_sum", "window": 3},
        ),
    ),
    "relobralo": Paper(
        slow_relobralo,
        ({}, {"temperature": 0.3, "alpha": 0.9, "rho": 0.6, "seed": 5}, {"rho": 0.0}),
    ),
    "cov": Paper(slow_cov, ({}, {"decay": 0.8})),
    "brdr_terms": Paper(
        slow_brdr_terms,
        ({}, {"steps": 1}, {"decay": 0.5, "kept": 0.9, "steps": 3, "floor": 1e-3}),
    ),
    "capu": Paper(
        slow_capu,
        ({}, {"steps": 1}, {"eta": 3.0, "omega": 0.5, "zeta": 0.9, "steps": 2}),
    ),
    "dwa": Paper(slow_dwa, ({}, {"temperature": 0.5, "window": 4})),
    "random": Paper(slow_random, ({}, {"seed": 12345})),
    "uncertainty": Paper(slow_uncertainty, SCALES),
    "imtl_l": Paper(slow_imtl_l, SCALES),
    "lr_annealing": Paper(
        slow_lr_annealing,
        (
            {},
            {"variant": "paper"},
            {"denominator": "unweighted"},
            {"variant": "paper", "denominator": "unweighted"},
        ),
    ),
    "gradient_balance": Paper(
        slow_gradient_balance,
        ({}, {"floor": 0.0}, {"numerator": "sum", "floor": 0.0}, {"average": 0.9}),
    ),
    "gradnorm": Paper(
        slow_gradnorm,
        ({}, {"steps": 5, "lr": 0.3, "alpha": 0.12}, {"solver": "closed"}),
    ),
    "inverse_dirichlet": Paper(slow_inverse_dirichlet, ({}, {"variant": "code"})),
    "db_mtl": Paper(slow_db_mtl, ({}, {"beta": 0.9})),
    "db_pinn": Paper(slow_db_pinn, ({}, {"measure": "std"}, {"measure": "kurtosis"})),
    "ntk": Paper(slow_ntk, ({}, {"average": 0.0})),
    "multi_stage": Paper(slow_multi_stage, ({}, EPOCHS, DROP)),
}
CASES = [(name, variant) for name, paper in PAPERS.items() for variant in paper.variants]


def test_every_strategy_has_a_transcription():
    assert sorted(PAPERS) == term_strategies()


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_formula(name, options, seed):
    terms = 1 + seed
    rng = np.random.default_rng(100 + seed)
    alpha, beta = rng.uniform(0, 0.99, 2)
    start = (10.0 ** rng.uniform(-1, 2, terms)).tolist()
    recording = record(seed, 25, terms)
    if strategies.class_of(name).needs_conditions:
        recording.conditions[0] = True
    settings = {"ema_alpha": alpha, "weight_beta": beta}
    expected = PAPERS[name].slow(recording, start, settings | options)
    got = play(
        recording,
        name,
        start,
        options=options,
        normalization=PAPERS[name].normalization,
        **settings,
    )
    for t, (own, paper) in enumerate(zip(got, expected, strict=True)):
        assert own == pytest.approx(list(paper), rel=1e-12), t


@pytest.mark.parametrize("name", ["ema", "equal_init_ema"])
def test_skipped_epochs_leave_no_trace(name):
    """With update_frequency n, the formula sees epochs 1, n, 2n, … and no other."""
    recording = record(7, 12, 3)
    got = play(recording, name, [1.0] * 3, update_frequency=4, normalization="initial")
    seen = recording._replace(epochs=[recording.epochs[t] for t in (0, 3, 7, 11)])
    settings = {"ema_alpha": 0.9, "weight_beta": 0.9}
    expected = PAPERS[name].slow(seen, [1.0] * 3, settings)[-1]
    assert got[-1] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("max_ratio", [1.0, 9.0, 100.0])
@pytest.mark.parametrize("name", ["equal_init", "equal_init_ema", "ema"])
def test_cap_and_total_against_a_transcription(name, max_ratio):
    """Targets, ratio cap, scale to the same weighted sum, blend: step by step with numpy."""
    recording = record(3, 15, 4)
    got = play(recording, name, [2.0] * 4, normalization="total", max_ratio=max_ratio)
    weights, average = np.full(4, 2.0), recording.losses[0]
    for t, losses in enumerate(recording.losses):
        average = losses if t == 0 else 0.9 * average + 0.1 * losses
        if t == 0 or name != "equal_init":
            target = 1 / (average + EPS)
            centre = math.prod(target) ** (1 / 4)
            root = math.sqrt(max_ratio)
            target = np.clip(target, centre / root, centre * root)
            target *= (weights @ losses) / (target @ losses)
            replaces = t == 0 and name != "ema"
            weights = target if replaces else 0.9 * weights + 0.1 * target
        assert got[t] == pytest.approx(weights.tolist(), rel=1e-12), t
