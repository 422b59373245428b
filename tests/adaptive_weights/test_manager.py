"""The weights' manager by hand-worked numbers: scale, order, limits, losses of zero."""

import inspect
import math
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from pinn_ext import AdaptiveLossWeights
from pinn_ext.adaptive_weights import NORMALIZATIONS
from tests.adaptive_weights.two_terms import FOUR, NAMES, feed, manager, near

torch.set_num_threads(1)


ROOT = Path(__file__).resolve().parents[2]
EXACT = {"eps": 1e-100, "ema_alpha": 0.5, "weight_beta": 0.5}  # nothing lost to eps


# Initial weights 1 and 3; losses (1/100, 4/100), then (2/100, 2/100). Averages with a = 1/2 are
# (3/200, 6/200), so that the targets are (100, 25), then (200/3, 100/3).
BY_HAND = {
    ("fixed", "initial"): [(1, 3), (1, 3)],
    ("fixed", "none"): [(1, 3), (1, 3)],
    ("fixed", "total"): [(1, 3), (1, 3)],
    # c = mean(1, 3) / mean(100, 25) = 2 / 62.5; or the sum 0.13 over the sum 1 + 1.
    ("equal_init", "initial"): [(3.2, 0.8), (3.2, 0.8)],
    ("equal_init", "none"): [(100, 25), (100, 25)],
    ("equal_init", "total"): [(6.5, 1.625), (6.5, 1.625)],
    # "mean" scales every target to the mean 2: (3.2, 0.8), then (8/3, 4/3).
    ("fixed", "mean"): [(1, 3), (1, 3)],
    ("equal_init", "mean"): [(3.2, 0.8), (3.2, 0.8)],
    ("equal_init_ema", "mean"): [(3.2, 0.8), (1.6 + Fraction(4, 3), 0.4 + Fraction(2, 3))],
    ("ema", "mean"): [(2.1, 1.9), (1.05 + Fraction(4, 3), 0.95 + Fraction(2, 3))],
    # Half the old weight and half the target; "total" scales (200/3, 100/3) by 0.1625 / 2 first.
    ("equal_init_ema", "initial"): [
        (3.2, 0.8),
        (Fraction(16, 10) + Fraction(100, 3), Fraction(4, 10) + Fraction(50, 3)),
    ],
    ("equal_init_ema", "none"): [(100, 25), (50 + Fraction(100, 3), 12.5 + 50 / 3)],
    ("equal_init_ema", "total"): [
        (6.5, 1.625),
        (3.25 + 0.08125 * 100 / 3, 0.8125 + 0.08125 * 50 / 3),
    ],
    # The first targets are blended in as well; "total" scales them by 0.13 / 2, then 0.12125 / 2.
    ("ema", "initial"): [(50.5, 14), (25.25 + 100 / 3, 7 + 50 / 3)],
    ("ema", "none"): [(50.5, 14), (25.25 + 100 / 3, 7 + 50 / 3)],
    ("ema", "total"): [(3.75, 2.3125), (1.875 + 0.060625 * 100 / 3, 1.15625 + 0.060625 * 50 / 3)],
}


def test_the_table_by_hand_is_complete():
    assert set(BY_HAND) == {(name, scale) for name in FOUR for scale in NORMALIZATIONS}


@pytest.mark.parametrize(("name", "normalization"), BY_HAND)
def test_by_hand(name, normalization):
    weights = manager(name, (1.0, 3.0), normalization=normalization, **EXACT)
    first, second = BY_HAND[name, normalization]
    assert feed(weights, 1, 0.01, 0.04) == near(*first)
    assert feed(weights, 2, 0.02, 0.02) == near(*second)
    assert weights.updates == {"fixed": 0, "equal_init": 1}.get(name, 2)


def test_unscaled_equalisation_makes_every_weighted_loss_one():
    losses = {
        "PI_loss1": 1.234e-3, "PI_loss2": 5.678e-2, "RK4_loss1": 2.345e-3, "RK4_loss2": 0.1234,
    }  # fmt: skip
    start = {"PI_loss1": 1.0, "PI_loss2": 1.0, "RK4_loss1": 10.0, "RK4_loss2": 100.0}
    weights = AdaptiveLossWeights(list(losses), start, normalization="none").update(1, losses)
    printed = {name: f"{weight:.3e}" for name, weight in weights.items()}
    assert printed == {
        "PI_loss1": "8.104e+02",  # 1 / 1.234e-3
        "PI_loss2": "1.761e+01",
        "RK4_loss1": "4.264e+02",
        "RK4_loss2": "8.104e+00",
    }
    for name, weight in weights.items():
        assert weight * losses[name] == pytest.approx(1.0, rel=1e-4)


def test_the_default_keeps_the_mean_of_the_initial_weights():
    weights = manager(start=(10.0, 30.0))
    new = feed(weights, 1, 1e-3, 0.5)
    assert sum(new) == pytest.approx(40.0, rel=1e-12)
    assert new[0] * (1e-3 + 1e-8) == pytest.approx(new[1] * (0.5 + 1e-8), rel=1e-12)


@pytest.mark.parametrize("name", FOUR)
@pytest.mark.parametrize("max_ratio", [None, 100.0])
def test_total_keeps_the_weighted_sum(name, max_ratio):
    rng = random.Random(5)
    weights = manager(
        name, (1.0, 3.0), normalization="total", max_ratio=max_ratio,
        min_weight=1e-200, max_weight=1e200,
    )  # fmt: skip
    for epoch in range(1, 50):
        losses = [10 ** rng.uniform(-6, 3) for _ in NAMES]
        old = sum(w * loss for w, loss in zip(weights.get_weights().values(), losses, strict=True))
        new = sum(w * loss for w, loss in zip(feed(weights, epoch, *losses), losses, strict=True))
        assert new == pytest.approx(old, rel=1e-12)


def test_signature():
    parameters = inspect.signature(AdaptiveLossWeights).parameters.values()
    positional = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    assert list(positional.items()) == [
        ("loss_names", inspect.Parameter.empty),
        ("initial_weights", inspect.Parameter.empty),
        ("strategy", "equal_init"),
        ("ema_alpha", 0.9),
        ("update_frequency", 1),
        ("eps", 1e-8),
        ("min_weight", 1e-4),
        ("max_weight", 1e4),
    ]
    others = {p.name: p.default for p in parameters if p.name not in positional}
    expected = {
        "options": None, "weight_beta": None, "normalization": "initial", "max_ratio": None,
        "max_change": None, "groups": None, "prior": False, "warm_up": 0, "freeze_after": None,
        "field_scales": None, "conditions": (),
    }  # fmt: skip
    assert others == expected
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters if p.name in others)
    update = inspect.signature(AdaptiveLossWeights.update).parameters
    assert list(update)[:3] == ["self", "epoch", "loss_values"]
    assert all(p.kind is p.KEYWORD_ONLY for p in list(update.values())[3:])
    assert list(inspect.signature(AdaptiveLossWeights.get_weight).parameters)[1] == "loss_name"
    assert list(inspect.signature(AdaptiveLossWeights.load_state_dict).parameters)[1] == "state"


@pytest.mark.parametrize("name", FOUR)
@pytest.mark.parametrize("number", [-3, 0, 1, 7, 1000])
def test_the_first_call_is_epoch_one_whatever_its_number(name, number):
    plain, shifted = (manager(name, update_frequency=5) for _ in range(2))
    assert feed(plain, 1, 0.3, 4.0) == feed(shifted, number, 0.3, 4.0)


@pytest.mark.parametrize("name", ["ema", "equal_init_ema"])
def test_later_updates_happen_at_multiples_of_the_frequency(name):
    weights = manager(name, update_frequency=3)
    before, moved = feed(weights, 2, 1.0, 5.0), []
    for epoch in range(3, 14):
        after = feed(weights, epoch, 1.0 + epoch, 5.0)
        if after != before:
            moved.append(epoch)
        before = after
    assert moved == [3, 6, 9, 12]
    assert weights.updates == 5


def test_the_cap_acts_before_the_scale():
    # Targets 1e6 and 1, centre 1e3: with a largest ratio of 100 they become 1e4 and 1e2.
    options = {"max_ratio": 100.0, **EXACT}
    assert feed(manager(normalization="none", **options), 1, 1e-6, 1.0) == near(1e4, 1e2)
    scaled = near(2 / 1.01, 0.02 / 1.01)
    assert feed(manager(normalization="initial", **options), 1, 1e-6, 1.0) == scaled
    total = feed(manager(normalization="total", **options), 1, 1e-6, 1.0)
    assert total == near(1e4 * 1.000001 / 100.01, 1e2 * 1.000001 / 100.01)


def test_the_scale_acts_before_the_blend():
    # Targets 1e4 and 1e2 scaled to the sum 1 + 1e-6, then half of the old weight 1.
    options = {"max_ratio": 100.0, "normalization": "total", **EXACT}
    factor = 1.000001 / 100.01
    got = feed(manager("ema", **options), 1, 1e-6, 1.0)
    assert got == near(0.5 + 0.5e4 * factor, 0.5 + 0.5e2 * factor)


def test_the_clamp_acts_last_and_nothing_is_scaled_after_it():
    limits = {"max_ratio": 100.0, "min_weight": 0.5, "max_weight": 1.5, **EXACT}
    assert feed(manager(**limits), 1, 1e-6, 1.0) == [1.5, 0.5]
    assert feed(manager("ema", normalization="none", **limits), 1, 1e-6, 1.0) == [1.5, 1.5]
    assert feed(manager("ema", normalization="total", **limits), 1, 1e-6, 1.0) == near(
        1.5, 0.5 + 0.5e2 * 1.000001 / 100.01
    )


def test_the_clamped_weight_is_what_the_next_blend_starts_from():
    weights = manager("ema", normalization="none", max_weight=10.0, **EXACT)
    assert feed(weights, 1, 1e-3, 1.0) == [10.0, 1.0]
    assert feed(weights, 2, 1.0, 1.0) == near(5 + 0.5 / 0.5005, 1.0)


def test_no_cap_unless_asked_for():
    new = feed(manager(normalization="none", max_weight=1e12), 1, 1e-6, 1e3)
    assert new[0] / new[1] == pytest.approx(1e9, rel=0.02)


def test_fixed_is_never_clamped():
    weights = manager("fixed", (1e-9, 1e9))
    assert feed(weights, 1, 1.0, 2.0) == [1e-9, 1e9]


@pytest.mark.parametrize("name", FOUR)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_term_without_weight_stays_out_of_everything(name, normalization):
    options = {"normalization": normalization, "max_ratio": 9.0, **EXACT}
    two = manager(name, (1.0, 3.0), **options)
    three = manager(name, (1.0, 0.0, 3.0), ["a", "off", "b"], **options)
    for epoch, (a, b) in enumerate([(0.01, 0.04), (0.02, 0.02), (1e3, 1e-3)], start=1):
        one, off, other = feed(three, epoch, a, 10.0**epoch, b)
        assert off == 0.0
        assert [one, other] == feed(two, epoch, a, b)


@pytest.mark.parametrize("name", FOUR)
def test_all_losses_zero_change_nothing(name):
    weights, plain = manager(name), manager(name)
    assert feed(weights, 1, 0.0, 0.0) == [1.0, 1.0]
    assert feed(weights, 2, 0.3, 4.0) == feed(plain, 1, 0.3, 4.0)  # still the first update
    before = weights.get_weights()
    feed(weights, 3, 0.0, 0.0)
    assert weights.get_weights() == before


@pytest.mark.parametrize("name", FOUR)
@pytest.mark.parametrize("useless", [(0.0, 0.0), (1.0, math.nan)])
@pytest.mark.filterwarnings("ignore:Loss at epoch")
def test_the_first_update_waits_for_losses_but_not_for_the_frequency(name, useless):
    weights, plain = (manager(name, update_frequency=10) for _ in range(2))
    feed(weights, 1, *useless)
    assert feed(weights, 2, 0.3, 4.0) == feed(plain, 1, 0.3, 4.0)
    assert feed(weights, 3, 7.0, 4.0) == feed(plain, 2, 7.0, 4.0)
    assert feed(weights, 10, 7.0, 4.0) == feed(plain, 10, 7.0, 4.0)


def test_one_loss_zero_is_limited_by_eps_and_clamps():
    assert feed(manager(normalization="none"), 1, 0.0, 1.0) == [1e4, pytest.approx(1.0)]


@pytest.mark.parametrize("name", FOUR)
def test_equalizes_is_told(name):
    assert manager(name).equalizes == (name in ("equal_init", "equal_init_ema"))
    assert manager(name).strategy == name


def test_works_without_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pinn_ext.adaptive_weights import AdaptiveLossWeights\n"
        "w = AdaptiveLossWeights(['a', 'b'], {'a': 1.0, 'b': 1.0}, 'ema')\n"
        "print(round(w.update(1, {'a': 0.5, 'b': 2.0})['b'], 6))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "0.95"
