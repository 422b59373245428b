"""Groups of terms that share a weight."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinn_ext import AdaptiveLossWeights
from pinn_ext.adaptive_weights.groups import check_groups, units_of

quick = settings(max_examples=100, deadline=None, derandomize=True, database=None)
EXACT = {"eps": 1e-100, "ema_alpha": 0.5, "weight_beta": 0.5}
NAMES = ["pde", "left", "right", "ic"]


def manager(start, strategy="equal_init", names=NAMES, **options):
    options = {"groups": {"walls": ["left", "right"]}, **EXACT, **options}
    return AdaptiveLossWeights(names, dict(zip(names, start, strict=True)), strategy, **options)


def feed(weights, epoch, *losses):
    return list(weights.update(epoch, dict(zip(weights.loss_names, losses, strict=True))).values())


def test_the_members_share_one_weight_and_the_strategy_sees_their_sum():
    # Losses 1, 0.5 + 1.5 and 4: targets 1, 1/2 and 1/4, without a scale.
    weights = manager([1.0, 1.0, 1.0, 1.0], normalization="none")
    assert [unit.name for unit in weights.units] == ["pde", "walls", "ic"]
    assert feed(weights, 1, 1.0, 0.5, 1.5, 4.0) == pytest.approx([1.0, 0.5, 0.5, 0.25])


def test_the_users_ratios_within_a_group_are_kept():
    # Members weigh 1 and 3, thus 1/2 and 3/2 of their group: it sees 0.5 * 2 + 1.5 * 2 = 4.
    weights = manager([1.0, 1.0, 3.0, 1.0], normalization="none")
    assert [unit.shares for unit in weights.units] == [(1.0,), (0.5, 1.5), (1.0,)]
    assert [unit.initial for unit in weights.units] == [1.0, 2.0, 1.0]
    assert feed(weights, 1, 1.0, 2.0, 2.0, 4.0) == pytest.approx([1.0, 0.125, 0.375, 0.25])


def test_the_ratios_survive_the_clamps():
    weights = manager([1.0, 1.0, 3.0, 1.0], normalization="none", max_weight=10.0)
    new = feed(weights, 1, 1.0, 1e-6, 1e-6, 1.0)
    assert new == pytest.approx([1.0, 10 / 3, 10.0, 1.0])
    assert [event.why for event in weights.events if event.term == "walls"] == [
        "held by max_weight"
    ]
    assert feed(weights, 2, 1.0, 5.0, 7.0, 1.0)[1:3] == pytest.approx([10 / 3, 10.0])


@pytest.mark.parametrize("normalization", ["initial", "mean", "none", "total"])
@pytest.mark.parametrize("strategy", ["ema", "equal_init", "equal_init_ema"])
def test_a_term_without_weight_in_a_group_stays_out(strategy, normalization):
    options = {"normalization": normalization, "max_ratio": 9.0}
    without = manager([1.0, 1.0, 0.0, 2.0], strategy, **options)
    plain = manager([1.0, 1.0, 2.0], strategy, ["pde", "left", "ic"], groups=None, **options)
    for epoch, losses in enumerate([(0.1, 0.2, 0.7), (3.0, 0.2, 0.1)], start=1):
        pde, left, off, ic = feed(without, epoch, losses[0], losses[1], 1e9, losses[2])
        assert off == 0.0 and [pde, left, ic] == feed(plain, epoch, *losses)


def test_a_group_without_any_weight_is_no_unit():
    weights = manager([1.0, 0.0, 0.0, 2.0])
    assert [unit.name for unit in weights.units] == ["pde", "ic"]
    assert feed(weights, 1, 1.0, 5.0, 5.0, 2.0)[1:3] == [0.0, 0.0]


def test_losses_of_a_group_that_add_up_to_infinity_change_nothing():
    weights = manager([1.0] * 4)
    with pytest.warns(RuntimeWarning, match=r"group add up to infinity \(walls\)") as record:
        assert feed(weights, 1, 1.0, 1.5e308, 1.5e308, 1.0) == [1.0] * 4
    assert len(record) == 1 and weights.updates == 0
    assert [event.what for event in weights.events] == ["unusable"]


def test_a_set_point_counts_the_group_as_one_term():
    weights = manager([1.0, 2.0, 4.0, 5.0], prior=True)
    losses = [0.3, 7.0, 0.01, 2.0]
    new = feed(weights, 1, *losses)
    pde, left, right, ic = (w * loss for w, loss in zip(new, losses, strict=True))
    assert [(left + right) / pde, ic / pde] == pytest.approx([3.0, 5.0])  # 3 is the mean of 2, 4
    assert new[2] / new[1] == pytest.approx(2.0)


@quick
@given(
    start=st.lists(st.floats(0.1, 10.0), min_size=5, max_size=5),
    seed=st.integers(0, 10**6),
    strategy=st.sampled_from(["ema", "equal_init_ema"]),
    options=st.fixed_dictionaries(
        {
            "normalization": st.sampled_from(["initial", "mean", "none", "total"]),
            "max_ratio": st.sampled_from([None, 4.0]),
            "max_change": st.sampled_from([None, 1.5]),
            "prior": st.booleans(),
        }
    ),
)
def test_ratios_are_kept_whatever_comes(start, seed, strategy, options):
    names = ["a", "b", "c", "d", "e"]
    groups = {"one": ["a", "c", "e"], "two": ["d"]}
    weights = AdaptiveLossWeights(
        names, dict(zip(names, start, strict=True)), strategy, groups=groups,
        min_weight=0.01, max_weight=100.0, **options,
    )  # fmt: skip
    rng = random.Random(seed)
    for epoch in range(1, 8):
        old = weights.get_weights()
        new = weights.update(epoch, {name: 10 ** rng.uniform(-9, 9) for name in names})
        for name in ("c", "e"):
            wanted = start[names.index(name)] / start[0]
            assert new[name] / new["a"] == pytest.approx(wanted, rel=1e-9)
        assert all(0.01 <= weight <= 100.0 for weight in new.values())
        if options["max_change"]:
            assert all(1 / 1.51 < new[name] / old[name] < 1.51 for name in names)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"g": []}, r"`groups\['g'\]` must be a list of names of loss terms, got \[\]\.$"),
        ({"g": "left"}, r"`groups\['g'\]` must be a list of names .*got 'left'\.$"),
        ({"g": None}, r"`groups\['g'\]` must be a list of names .*got None\.$"),
        (
            {"g": ["left", "rigth"]},
            r"`groups\['g'\]` must name loss terms among pde, left, right, ic, got 'rigth'\.$",
        ),
        (
            {"g": ["left"], "h": ["ic", "left"]},
            r"`groups` must have each loss term once, got 'left' in 'g' and 'h'\.$",
        ),
        ({"g": ["left", "left"]}, r"each loss term once, got 'left' in 'g' and 'g'\.$"),
        ({"pde": ["left", "right"]}, r"`groups` must have names .*got 'pde' for"),
        (["left", "right"], r"`groups` must map a name to names of loss terms, got \['left'"),
    ],
)
def test_bad_groups_are_one_sentence(groups, message):
    with pytest.raises(ValueError, match=message) as caught:
        manager([1.0] * 4, groups=groups)
    assert "\n" not in str(caught.value)


def test_no_groups_and_groups_by_a_members_name():
    assert check_groups(None, NAMES) == {} == check_groups({}, NAMES)
    assert check_groups({"left": ("left", "right")}, NAMES) == {"left": ["left", "right"]}
    units = units_of(NAMES, [1.0, 2.0, 2.0, 0.0], {"left": ["right", "left"]})
    assert [(unit.name, unit.members) for unit in units] == [("pde", (0,)), ("left", (1, 2))]


def test_a_state_of_other_groups_is_refused():
    weights = manager([1.0] * 4)
    feed(weights, 1, 1.0, 2.0, 3.0, 4.0)
    state = weights.state_dict()
    other = manager([1.0] * 4, groups={"walls": ["left", "ic"]})
    with pytest.raises(ValueError, match=r"must have groups \{'walls': \['left', 'ic'\]\}, got"):
        other.load_state_dict(state)
