"""The limits that hold for every strategy: by hand, then as properties of any targets."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinn_ext.adaptive_weights.limits import NORMALIZATIONS
from pinn_ext.adaptive_weights.settings import DEFAULTS

quick = settings(max_examples=150, deadline=None, derandomize=True, database=None)
WIDE = {"min_weight": 1e-200, "max_weight": 1e200}


def apply(targets, blend=False, *, present=None, initial=None, losses=None, **options):
    """Return weights and limits from weights of one; `prior` and `widths` go to `apply`."""
    k = len(targets)
    more = {key: options.pop(key) for key in ("prior", "widths") if key in options}
    return replace(DEFAULTS.limits, **{**WIDE, **options}).apply(
        targets,
        blend,
        present=present or [1.0] * k,
        initial=initial or [1.0] * k,
        losses=losses or [1.0] * k,
        **more,
    )


def near(*values):
    return pytest.approx(list(values), rel=1e-12)


# ---- by hand ------------------------------------------------------------------------------------


def test_scales_by_hand():
    # Targets 1 and 3 from weights (2, 2) that began as (1, 1); losses 1 and 5.
    scaled = {
        "none": (1.0, 3.0),
        "initial": (0.5, 1.5),  # the mean 1 of the initial weights
        "mean": (0.5, 1.5),
        "total": (0.75, 2.25),  # 2 + 10 = 12 = c (1 + 15)
    }
    for normalization, wanted in scaled.items():
        got, held = apply(
            [1.0, 3.0], present=[2.0, 2.0], losses=[1.0, 5.0], normalization=normalization
        )
        assert got == near(*wanted) and held == ["", ""]


def test_only_mean_and_total_scale_what_is_blended_in():
    blended = {"none": (1.5, 2.5), "initial": (1.5, 2.5), "mean": (1.25, 1.75)}
    for normalization, wanted in blended.items():  # half of 2, half of the scaled target
        got, _ = apply(
            [1.0, 3.0], True, present=[2.0, 2.0], normalization=normalization, weight_beta=0.5
        )
        assert got == near(*wanted)
    got, _ = apply([1.0, 3.0], True, present=[2.0, 2.0], normalization="total", weight_beta=0.5)
    assert got == near(1.5, 2.5) and sum(got) == pytest.approx(4.0)  # 2 + 2 stays


def test_mean_keeps_the_mean_of_the_initial_weights_at_every_update():
    weights = [1.0, 5.0]
    for targets in ([1.0, 1e6], [3.0, 0.0], [1e-9, 1.0]):
        weights, _ = apply(targets, True, present=weights, initial=[1.0, 5.0], normalization="mean")
        assert sum(weights) == pytest.approx(6.0, rel=1e-12)


def test_cap_by_hand():
    # 1e-4, 1 and 1e4 have the centre 1: a largest ratio of 100 leaves 0.1, 1 and 10.
    got, held = apply([1e-4, 1.0, 1e4], max_ratio=100.0, normalization="none")
    assert got == near(0.1, 1.0, 10.0) and held == ["max_ratio", "", "max_ratio"]
    got, held = apply([1.0, 4.0], max_ratio=1.0, normalization="none")
    assert got == near(2.0, 2.0) and held == ["", ""]  # nothing is held where all are to be equal


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_a_target_of_zero_leaves_the_order_of_the_others(zero):
    # 2 and 8 have the centre 4: zero gets 4 / sqrt(100), they stay.
    got, held = apply([zero, 2.0, 8.0], max_ratio=100.0, normalization="none")
    assert got == near(0.4, 2.0, 8.0) and held == ["max_ratio", "", ""]
    got, _ = apply([zero, zero, 5.0], max_ratio=100.0, normalization="none")
    assert got == near(0.5, 0.5, 5.0)


def test_without_a_cap_a_target_of_zero_ends_at_the_least_weight():
    got, held = apply([0.0, 1.0], normalization="none", min_weight=1e-4, max_weight=1e4)
    assert got == [1e-4, 1.0] and held == ["min_weight", ""]


def test_largest_change_by_hand():
    got, held = apply(
        [100.0, 2.0, 0.01], present=[1.0, 1.0, 1.0], max_change=3.0, normalization="none"
    )
    assert got == near(3.0, 2.0, 1 / 3) and held == ["max_change", "", "max_change"]
    # It acts on the blended weight: 0.9 * 1 + 0.1 * 100 = 10.9 is more than 3.
    got, held = apply([100.0, 2.0], True, max_change=3.0, normalization="none")
    assert got == near(3.0, 1.1) and held == ["max_change", ""]


def test_clamps_act_last_and_name_what_holds():
    got, held = apply(
        [100.0, 1.0, 1e-3], max_change=50.0, normalization="none", min_weight=0.5, max_weight=4.0
    )
    assert got == [4.0, 1.0, 0.5] and held == ["max_weight", "", "min_weight"]


def test_prior_multiplies_what_the_cap_has_left():
    # Targets 1 and 1e6 with centre 1e3 become 1e2 and 1e4, times the user's 5 and 1.
    got, _ = apply([1.0, 1e6], max_ratio=100.0, prior=[5.0, 1.0], normalization="none")
    assert got == near(500.0, 1e4)


def test_a_group_stays_within_the_clamps_with_all_its_members():
    # Members weigh 1.9 and 0.1 times their group, which may thus have 10 / 1.9 at most.
    widths = [(1.9, 0.1), (1.0,)]
    options = {"normalization": "none", "widths": widths, "min_weight": 0.01, "max_weight": 10.0}
    got, held = apply([100.0, 3.0], **options)
    assert got == near(10 / 1.9, 3.0) and held == ["max_weight", ""]
    got, held = apply([1e-5, 3.0], **options)
    assert got == near(0.01 / 0.1, 3.0) and held == ["min_weight", ""]


def test_targets_without_a_scale():
    # All weight on a term whose loss is 0: no factor keeps the total.
    assert apply([1.0, 0.0], losses=[0.0, 1.0], normalization="total") is None
    assert apply([1e308, 1e308], normalization="mean") is None  # their sum overflows
    assert apply([1.0, 0.0], losses=[0.0, 1.0], normalization="mean")[0] == near(2.0, 1e-200)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_change": 1.0}, r"`max_change` must be a finite number > 1, got 1\.0"),
        ({"max_change": math.nan}, "`max_change` must be"),
        ({"max_ratio": 0.9}, r"`max_ratio` must be a finite number >= 1, got 0\.9"),
        ({"weight_beta": 1.0}, r"`weight_beta` must be a finite number in \[0, 1\)"),
        ({"min_weight": 2.0, "max_weight": 1.0}, "`max_weight` must be a finite number >= 2"),
        ({"normalization": "sum"}, "`normalization` must be one of initial, mean, none, total"),
    ],
)
def test_values_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        replace(DEFAULTS.limits, **options)


# ---- of any targets -----------------------------------------------------------------------------

target = st.one_of(st.just(0.0), st.floats(0.0, 1e150), st.floats(1e-6, 1e6))
weight = st.floats(1e-4, 1e4)
loss = st.one_of(st.just(0.0), st.floats(0.0, 1e300))


@st.composite
def cases(draw):
    """Draw targets, present and initial weights, and losses of 1 to 6 terms."""
    k = draw(st.integers(1, 6))
    row = lambda element: draw(st.lists(element, min_size=k, max_size=k))  # noqa: E731
    targets = row(target)
    losses = row(loss)
    return targets, row(weight), row(weight), losses


ranges = {
    "normalization": st.sampled_from(NORMALIZATIONS),
    "max_ratio": st.one_of(st.none(), st.floats(1.0, 1e8)),
    "max_change": st.one_of(st.none(), st.floats(1.001, 1e3)),
    "weight_beta": st.sampled_from([0.0, 0.5, 0.9]),
}


@quick
@given(
    case=cases(), blend=st.booleans(), prior=st.booleans(), options=st.fixed_dictionaries(ranges)
)
def test_every_result_is_legal(case, blend, prior, options):
    targets, present, initial, losses = case
    if not any(targets) or not any(losses):
        return  # refused before
    limits = replace(DEFAULTS.limits, **options)
    before = [list(row) for row in case]
    result = limits.apply(
        targets, blend, present=present, initial=initial, losses=losses,
        prior=initial if prior else None,
    )  # fmt: skip
    assert [list(row) for row in case] == before  # nothing is written to
    if result is None:
        return
    weights, held = result
    assert len(weights) == len(held) == len(targets)
    assert all(1e-4 <= w <= 1e4 for w in weights)
    if options["max_change"] is not None:
        change = options["max_change"] * (1 + 1e-12)
        assert all(
            old / change <= new <= old * change for old, new in zip(present, weights, strict=True)
        )
    for name, new in zip(held, weights, strict=True):
        assert name in ("", "max_ratio", "max_change", "min_weight", "max_weight")
        if name in ("min_weight", "max_weight"):
            assert new == getattr(limits, name)


@quick
@given(case=cases(), max_ratio=st.floats(1.0, 1e8))
def test_the_cap_holds_and_keeps_the_order(case, max_ratio):
    targets = case[0]
    if not any(targets):
        return
    got, held = apply(targets, max_ratio=max_ratio, normalization="none")
    assert max(got) <= min(got) * max_ratio * (1 + 1e-9)
    order = sorted(range(len(targets)), key=targets.__getitem__)
    ranked = [got[i] for i in order]
    assert ranked == sorted(ranked)
    least = min(targets)
    if least >= WIDE["min_weight"] and max(targets) <= least * math.sqrt(max_ratio):
        assert got == pytest.approx(targets) and not any(held)  # nothing to cap


@quick
@given(case=cases(), blend=st.booleans())
def test_mean_and_total_are_kept(case, blend):
    targets, present, initial, losses = case
    if not any(targets) or not any(losses):
        return
    result = apply(
        targets, False, present=present, initial=initial, losses=losses, normalization="mean"
    )
    assert sum(result[0]) == pytest.approx(sum(initial), rel=1e-9)
    result = apply(
        targets, blend, present=present, initial=initial, losses=losses, normalization="total",
        min_weight=1e-308, max_weight=1e307,
    )  # fmt: skip
    if result is not None and not any(result[1]):
        top = max(losses)
        old, new = (
            sum(w * (one / top) for w, one in zip(row, losses, strict=True))
            for row in (present, result[0])
        )
        assert new == pytest.approx(old, rel=1e-9)
