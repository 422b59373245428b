"""What the manager refuses: losses that are none, arguments, epochs; nothing has changed then."""

import itertools
import math
import warnings

import pytest
import torch

from pinn_ext import AdaptiveLossWeights, strategies
from tests.adaptive_weights.two_terms import FOUR, NAMES, feed, manager
from tests.pairs import pairwise

LISTED = ", ".join(strategies.names())


@pytest.mark.parametrize("epoch", [3, 2, -1])
def test_an_epoch_that_does_not_grow_is_refused(epoch):
    weights = manager()
    feed(weights, 3, 1.0, 2.0)
    before = weights.state_dict()
    with pytest.raises(ValueError, match=rf"`epoch` must grow.*got {epoch} after 3"):
        feed(weights, epoch, 1.0, 2.0)
    assert weights.state_dict() == before


@pytest.mark.parametrize("epoch", [1.5, "1", None, True, math.nan])
def test_an_epoch_that_is_no_whole_number_is_refused(epoch):
    with pytest.raises(ValueError, match="`epoch` must be a whole number"):
        feed(manager(), epoch, 1.0, 2.0)


@pytest.mark.parametrize(
    ("name", "bad", "at"),
    pairwise(itertools.product(FOUR, [math.nan, math.inf, -math.inf, -1e-9], [1, 3])),
)
def test_a_bad_loss_warns_once_and_changes_nothing(name, bad, at):
    weights, plain = manager(name), manager(name)
    for epoch in range(1, 6):
        if epoch != at:
            expected = feed(plain, epoch, 0.1 * epoch, 2.0)
            assert feed(weights, epoch, 0.1 * epoch, 2.0) == expected
            continue
        before = weights.state_dict()
        with pytest.warns(RuntimeWarning) as record:
            feed(weights, epoch, 0.1, bad)
        assert len(record) == 1
        text = str(record[0].message)
        assert f"epoch {at} " in text and f"b = {bad}" in text and "a = " not in text
        assert record[0].filename == feed.__code__.co_filename
        assert weights.state_dict() == {**before, "epoch": at, "begin": 1}


def test_two_bad_losses_give_one_warning():
    with pytest.warns(RuntimeWarning, match=r"a = nan, b = -1\.0") as record:
        feed(manager(), 1, math.nan, -1.0)
    assert len(record) == 1


def test_good_losses_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        feed(manager(), 1, 1e300, 0.0)


BAD_ARGUMENTS = [
    ({"strategy": "equal-init"}, f"`strategy` must be one of {LISTED}, got"),
    ({"strategy": "emma"}, r"got 'emma' \(did you mean 'ema'\?\)"),
    ({"strategy": None}, "`strategy` must be one of"),
    ({"ema_alpha": 1.0}, r"`ema_alpha` must be a finite number in \[0, 1\), got 1\.0"),
    ({"ema_alpha": 2}, r"`ema_alpha` must be a finite number in \[0, 1\), got 2\."),
    ({"ema_alpha": -0.1}, "`ema_alpha`.*got -0.1"),
    ({"ema_alpha": "0.9"}, "`ema_alpha`.*got '0.9'"),
    ({"ema_alpha": math.nan}, "`ema_alpha`.*got nan"),
    ({"ema_alpha": False}, "`ema_alpha`.*got False"),
    ({"weight_beta": 1.0}, r"`weight_beta` must be a finite number in \[0, 1\)"),
    ({"update_frequency": 0}, "`update_frequency` must be a whole number >= 1, got 0"),
    ({"update_frequency": 1.5}, "`update_frequency` must be a whole number"),
    ({"update_frequency": True}, "`update_frequency` must be a whole number"),
    ({"eps": 0.0}, "`eps` must be a finite number >="),
    ({"eps": 10**400}, "`eps` must be a finite number >="),
    ({"min_weight": 0.0}, "`min_weight` must be a finite number > 0"),
    ({"min_weight": 2.0, "max_weight": 1.0}, "`max_weight` must be a finite number >= 2, got 1.0"),
    ({"max_weight": math.inf}, "`max_weight` must be a finite number"),
    ({"max_ratio": 0.5}, "`max_ratio` must be a finite number >= 1, got 0.5"),
    (
        {"normalization": "sum"},
        "`normalization` must be one of initial, mean, none, total, got 'sum'",
    ),
    ({"initial_weights": {"a": 1.0, "b": 1e5}}, r"\['b'\]` must be 0 or in .*\[0.0001, 10000\]"),
    ({"initial_weights": {"a": 1.0, "b": 1e-5}}, r"`initial_weights\['b'\]` must be 0 or in"),
    ({"initial_weights": {"a": 1.0, "b": -1.0}}, r"`initial_weights\['b'\]`.*>= 0, got -1\.0"),
    ({"initial_weights": {"a": 1.0, "b": math.nan}}, r"`initial_weights\['b'\]`.*got nan"),
    ({"initial_weights": {"a": 1.0, "b": True}}, r"`initial_weights\['b'\]`.*got True"),
    ({"initial_weights": {"a": 1.0}}, r"`initial_weights` must name exactly .*missing \['b'\]"),
    ({"initial_weights": {"a": 1.0, "b": 1.0, "c": 1.0}}, r"must name exactly .*unknown \['c'\]"),
    ({"initial_weights": {"a": 0.0, "b": 0.0}}, "at least one weight above 0"),
    ({"initial_weights": [1.0, 1.0]}, "`initial_weights` must map each name.*got a list"),
    ({"loss_names": []}, "`loss_names` must hold at least one name"),
    ({"loss_names": ["a", "b", "a"]}, r"`loss_names` must be distinct, got \['a'\] more than once"),
    ({"loss_names": "ab"}, "`loss_names` must be a list of names, got 'ab'"),
    ({"loss_names": ["a", 2]}, "`loss_names` must be a list of names"),
    ({"loss_names": ["a", ""]}, "`loss_names` must be a list of names"),
]


@pytest.mark.parametrize(("options", "message"), BAD_ARGUMENTS, ids=lambda x: str(x)[:50])
def test_bad_arguments(options, message):
    good = {"loss_names": NAMES, "initial_weights": {"a": 1.0, "b": 1.0}}
    AdaptiveLossWeights(**good)
    with pytest.raises(ValueError, match=message):
        AdaptiveLossWeights(**{**good, **options})


def test_extras_are_keyword_only():
    with pytest.raises(TypeError):
        AdaptiveLossWeights(NAMES, {"a": 1.0, "b": 1.0}, "ema", 0.9, 1, 1e-8, 1e-4, 1e4, 0.9)


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ({"a": 1.0}, r"`loss_values` must name exactly \['a', 'b'\], got missing \['b'\]"),
        ({"a": 1.0, "b": 1.0, "c": 1.0}, r"unknown \['c'\]"),
        ({"a": 1.0, "B": 1.0}, r"missing \['b'\] and unknown \['B'\]"),
        ({"a": 1.0, "b": torch.tensor(1.0)}, r"`loss_values\['b'\]`.*`\.item\(\)`.*got a Tensor"),
        ({"a": 1.0, "b": True}, r"`loss_values\['b'\]`.*got a bool"),
        ({"a": 1.0, "b": "1"}, r"`loss_values\['b'\]`.*got a str"),
        ({"a": 1.0, "b": None}, r"`loss_values\['b'\]`.*got a NoneType"),
        ([1.0, 1.0], "`loss_values` must map each name to a number, got a list"),
    ],
)
def test_bad_losses_are_refused_and_change_nothing(losses, message):
    weights = manager()
    before = weights.state_dict()
    with pytest.raises(ValueError, match=message):
        weights.update(1, losses)
    assert weights.state_dict() == before


def test_an_unknown_term_is_refused():
    with pytest.raises(ValueError, match="`loss_name` must be one of a, b, got 'c'"):
        manager().get_weight("c")
