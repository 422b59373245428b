"""What is noted on a model for later trainings, and that nothing stays without a reason."""

from pinn_ext import AdaptiveWeights
from pinn_ext.dde.model import optimizers
from pinn_ext.dde.model.notes import ModelNotes, notes_of


def test_a_model_without_notes_is_left_as_it_is(problem):
    model = problem.poisson()
    names = set(vars(model))
    assert notes_of(model) == ModelNotes()
    with optimizers.own_steps(model, "Gauss-Newton", frozen=True):
        assert optimizers.name_of(model) == "Gauss-Newton" and optimizers.is_second_order(model)
    assert set(vars(model)) == names and optimizers.name_of(model) == "adam"


def test_the_weights_in_force_are_noted_on_their_model_alone(problem):
    model, other = problem.poisson(), problem.poisson()
    problem.train(model, AdaptiveWeights("ema", period=2, verbose=0), iterations=4)
    assert notes_of(model).loss_weights is not None
    assert len(notes_of(model).loss_weights) == 2
    assert notes_of(other) == ModelNotes()
