"""Settings of weights: stated once, checked when they are made, their strategy built once."""

import dataclasses
import inspect

import pytest

from pinn_ext import AdaptiveLossWeights, LossAggregator, strategies
from pinn_ext.adaptive_weights.settings import DEFAULTS, FOR_TRAINING, WeightSettings

SHARED = [
    item.name for item in dataclasses.fields(WeightSettings) if item.init and item.name != "built"
]


def defaults_of(function):
    """Return the defaults of a signature by name."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def callback():
    from pinn_ext.dde.callback import AdaptiveWeights

    return AdaptiveWeights


@pytest.mark.parametrize(
    ("owner", "wanted"),
    [
        (lambda: AdaptiveLossWeights, DEFAULTS),
        (callback, FOR_TRAINING),
        (lambda: LossAggregator, FOR_TRAINING),
    ],
)
def test_signatures_take_their_defaults_from_the_settings(owner, wanted):
    found = defaults_of(owner().__init__)
    for name in SHARED:
        if name in found and name not in ("options", "groups", "strategy"):
            assert found[name] == getattr(wanted, name), name


def test_the_program_takes_its_defaults_from_the_settings():
    from pinn_ext.schema import Adaptive

    own = Adaptive()
    for name in SHARED:
        if name not in ("options", "groups", "strategy"):
            assert getattr(own, name) == getattr(FOR_TRAINING, name), name


def test_a_strategy_is_built_once(monkeypatch):
    built = []
    create = strategies.create
    monkeypatch.setattr(strategies, "create", lambda *a, **k: built.append(a[0]) or create(*a, **k))
    settings = WeightSettings("ema", ema_alpha=0.5)
    assert settings.method.ema_alpha == 0.5
    for _ in range(3):
        AdaptiveLossWeights.from_settings(["a", "b"], {"a": 1.0, "b": 1.0}, settings)
    assert built == ["ema"]


def test_the_same_weights_with_and_without_an_object():
    losses = [{"a": 1.0, "b": 0.1}, {"a": 0.5, "b": 0.2}, {"a": 0.4, "b": 0.01}]
    start = {"a": 1.0, "b": 2.0}
    one = AdaptiveLossWeights(["a", "b"], start, "ema", 0.7, max_ratio=50.0, prior=True)
    settings = WeightSettings("ema", ema_alpha=0.7, max_ratio=50.0, prior=True)
    other = AdaptiveLossWeights.from_settings(["a", "b"], start, settings)
    for epoch, row in enumerate(losses, start=1):
        assert one.update(epoch, row) == other.update(epoch, row)
    assert one.state_dict() == other.state_dict()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"groups": "bc"}, "`groups` must map a name to names of loss terms, got 'bc'."),
        ({"groups": {"g": "bc"}}, "`groups['g']` must be a list of names of loss terms, got 'bc'."),
        ({"groups": {"g": 3}}, "`groups['g']` must be a list of names of loss terms, got 3."),
        ({"prior": 2}, "`prior` must be true or false, got 2."),
        ({"options": [1]}, "`options` must map names to values, got [1]."),
        ({"max_ratio": 0.5}, "`max_ratio` must be a finite number >= 1, got 0.5."),
        ({"warm_up": -1}, "`warm_up` must be a whole number >= 0, got -1."),
        ({"strategy": "emma"}, None),
        (
            {"strategy": "auto", "options": {"candidates": [{"strategy": "ema", "options": [1]}]}},
            "`options.candidates[0].options` must map names to values, got [1].",
        ),
    ],
)
def test_a_bad_value_is_one_sentence(values, message):
    with pytest.raises(ValueError) as caught:
        WeightSettings(**values)
    if message is not None:
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"names": 3}, "`names` must be a list of names, got 3."),
        ({"names": ["a", "a"]}, "`names` must be distinct, got ['a'] more than once."),
        ({"verbose": "x"}, "`verbose` must be a whole number >= 0, got 'x'."),
        ({"diagnostics": 3}, "`diagnostics` must be true or false, got 3."),
        ({"rescale_moments": None}, "`rescale_moments` must be true or false, got None."),
        ({"names": ["a"], "groups": {"g": ["b"]}}, None),
    ],
)
def test_a_bad_argument_of_the_callback_is_one_sentence(values, message):
    with pytest.raises(ValueError) as caught:
        callback()("ema", **values)
    if message is not None:
        assert str(caught.value) == message


def test_conditions_that_are_no_list_are_one_sentence():
    with pytest.raises(ValueError, match=r"`conditions` must be a list of names, got 3\."):
        AdaptiveLossWeights(["a"], {"a": 1.0}, conditions=3)


# ---- what cannot come about in a training of known length ---------------------------------------

STAGES = {"stages": [{"strategy": "fixed", "until_epoch": 5}, {"strategy": "ema"}]}


@pytest.mark.parametrize(
    ("epochs", "others"),
    [
        (20, {}),
        (20, {"update_frequency": 3}),
        (9, {"warm_up": 4}),
        (30, {"freeze_after": 7}),
        (3, {"warm_up": 3}),
    ],
)
def test_how_many_updates_a_training_makes(epochs, others):
    settings = WeightSettings("fixed", **others)
    weights = AdaptiveLossWeights.from_settings(["a"], {"a": 1.0}, settings)
    made = 0
    for epoch in range(1, epochs + 1):
        made += weights.acts_at(epoch)
        weights.update(epoch, {"a": 1.0})
    assert settings.updates_in(epochs) == made


def test_a_stage_that_never_ends_is_told():
    settings = WeightSettings("multi_stage", STAGES)
    assert settings.unreachable(6) is None
    assert settings.unreachable(5) == (
        "stage 1 of 2 would last until update 5 of 5, so that the stages after it never begin"
    )


def test_an_aggregator_of_known_length_says_so():
    with pytest.warns(RuntimeWarning, match="In a training of 8 steps stage 1 of 2 would last"):
        LossAggregator("multi_stage", ["a"], options=STAGES, period=2, total_steps=8)
