"""A training with `PseudoTime` that was broken off goes on bit for bit."""

import deepxde as dde
import pytest
import torch

from pinn_ext import PseudoTime
from pinn_ext.checks import ArgumentError
from pinn_ext.dde.model import state as model_state
from pinn_ext.dde.pseudo_time import callback
from tests.stored import stored


@pytest.fixture(autouse=True)
def double(clean_deepxde, monkeypatch):
    dde.config.set_default_float("float64")
    monkeypatch.setattr(callback, "FIRST_LOOK", 4)
    monkeypatch.setattr(callback, "PERIOD", 3)


def heat(problem):
    dde.config.set_random_seed(1)
    return problem.heat("adam", lr=1e-2)


def train(model, own, steps):
    model.train(iterations=steps, callbacks=[own], display_every=10**6, verbose=0)


def parameters(model):
    return torch.cat([p.detach().flatten() for p in model.net.parameters()])


OPTIONS = [
    {},
    {"form": "scale_pinn", "tau": 0.4, "smoothing": 0.1},
    {"resample_every": 3},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("steps", [1, 6, 8])
def test_it_goes_on_bit_for_bit(problem, options, steps):
    whole, own = heat(problem), PseudoTime(verbose=0, **options)
    train(whole, own, 12)
    first, broken = heat(problem), PseudoTime(verbose=0, **options)
    train(first, broken, steps)
    state, taken = stored(broken.state_dict()), model_state.take(first)
    second, again = heat(problem), PseudoTime(verbose=0, **options)
    model_state.put_back(second, taken)
    second.train_state.step = steps
    again.load_state_dict(state, second)
    train(second, again, 12 - steps)
    assert torch.equal(parameters(second), parameters(whole))
    assert again.history == own.history and again.tau == own.tau
    if "tau" not in options:
        assert own.history and own.tau != [1.0]


def test_without_its_state_it_goes_on_otherwise(problem):
    """The first step of a training has no term, as there is no step ago."""
    whole, first = heat(problem), heat(problem)
    train(whole, PseudoTime(verbose=0), 8)
    own = PseudoTime(verbose=0)
    train(first, own, 4)
    train(first, own, 4)
    assert not torch.equal(parameters(first), parameters(whole))


def test_a_state_before_the_first_step(problem):
    own, model = PseudoTime(verbose=0), heat(problem)
    again = PseudoTime(verbose=0)
    again.load_state_dict(stored(own.state_dict()), model)
    train(model, again, 5)
    other = heat(problem)
    train(other, PseudoTime(verbose=0), 5)
    assert torch.equal(parameters(model), parameters(other))


DAMAGED = [
    (lambda state: state.pop("steps"), "state"),
    (lambda state: state.update(steps=-1), "state.steps"),
    (lambda state: state.update(history=[1]), "state.history"),
    (lambda state: state.update(correction={"rule": 1}), "state.correction"),
    (lambda state: state["correction"]["rule"].update(inverse=[0.0]), "inverse"),
    (lambda state: state["correction"]["rule"].update(against=[0.5]), "against"),
    (lambda state: state["correction"].update(first=[1.0]), "first"),
    (lambda state: state["correction"]["before"].popitem(), "before"),
    (
        lambda state: state["correction"]["before"].update(
            {name: value[:1] for name, value in state["correction"]["before"].items()}
        ),
        "before",
    ),
]


def test_damaged_states_are_refused(problem):
    model, own = heat(problem), PseudoTime(verbose=0)
    train(model, own, 5)
    for change, part in DAMAGED:
        state = stored(own.state_dict())
        change(state)
        fresh = PseudoTime(verbose=0)
        with pytest.raises(ArgumentError, match=part):
            fresh.load_state_dict(state, model)


def test_the_state_of_other_equations_is_refused(problem):
    model, own = heat(problem), PseudoTime(verbose=0)
    train(model, own, 5)
    state = own.state_dict()
    state["correction"]["rule"]["inverse"] = [1.0, 2.0]
    fresh = PseudoTime(verbose=0)
    fresh.load_state_dict(state, model)
    with pytest.raises(ValueError, match="The saved inverse must hold 1 numbers, got 2"):
        train(model, fresh, 1)
    assert "losses_train" not in vars(model.data)


@pytest.mark.parametrize("options", OPTIONS)
def test_what_was_loaded_can_be_saved_before_the_next_step(problem, options):
    first, broken = heat(problem), PseudoTime(verbose=0, **options)
    train(first, broken, 8)
    state = stored(broken.state_dict())
    second, again = heat(problem), PseudoTime(verbose=0, **options)
    again.load_state_dict(state, second)
    found = again.state_dict()
    assert found.keys() == state.keys() and found["correction"].keys() == state["correction"].keys()
    assert found["correction"]["rule"] == state["correction"]["rule"]
    assert again.tau == broken.tau
