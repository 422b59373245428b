"""PINA's solvers trained under our weights, by its own Trainer."""

import pytest
import torch

pytest.importorskip("pina")
from pina import Trainer
from pina.solver import PhysicsInformedSingleModelSolver

from pinn_ext import PinaWeighting


@pytest.fixture
def make(page):
    """Return a function that makes the page's solver under a weighting."""
    shown = page("pina")

    def solver(*arguments, **settings):
        torch.manual_seed(1)
        return shown.solver_under(PinaWeighting(*arguments, **settings))

    return solver


@pytest.fixture
def fit(trainer_settings):
    def train(solver, epochs, checkpoint=None, **settings):
        trainer = Trainer(
            solver,
            max_epochs=epochs,
            enable_checkpointing=False,
            **{**trainer_settings, **settings},
        )
        trainer.train(ckpt_path=checkpoint)
        return trainer

    return train


def values(solver):
    return torch.cat([p.detach().flatten() for p in solver.parameters()]).tolist()


def test_it_trains_and_the_weights_are_those_of_a_plain_loop(make, fit):
    solver = make("ema", period=5)
    fit(solver, 40)
    aggregator = solver.weighting.aggregator
    assert aggregator.manager.updates == 8
    assert solver.weighting.last_saved_weights() == aggregator.manager.get_weights()
    assert aggregator.names == list(solver.problem.conditions)
    weights = solver.weighting.last_saved_weights()
    assert weights["ode"] != weights["start"]


@pytest.mark.parametrize("strategy", ["relobralo", "equal_init_ema", "gradient_balance"])
def test_a_checkpoint_goes_on_bit_for_bit(make, fit, tmp_path, strategy):
    whole = make(strategy, period=4)
    fit(whole, 30)
    file = tmp_path / "half.ckpt"
    fit(make(strategy, period=4), 14).save_checkpoint(file)  # inside of a period
    again = make(strategy, period=4)
    fit(again, 30, checkpoint=file)
    assert values(again) == values(whole)
    assert again.weighting.last_saved_weights() == whole.weighting.last_saved_weights()


def test_the_checkpoint_is_read_by_load_from_checkpoint(make, fit, tmp_path):
    solver = make("ema", period=4)
    fit(solver, 10).save_checkpoint(tmp_path / "x.ckpt")
    other = make("ema", period=4)
    loaded = PhysicsInformedSingleModelSolver.load_from_checkpoint(
        tmp_path / "x.ckpt",
        problem=other.problem,
        model=other.model,
        weighting=PinaWeighting("ema", period=4),
    )
    assert loaded.weighting.last_saved_weights() == solver.weighting.last_saved_weights()


def test_validation_and_tests_move_no_weights(make, fit):
    solver = make("ema", period=1)
    trainer = fit(solver, 6, train_size=0.5, val_size=0.25, test_size=0.25)
    assert solver.weighting.aggregator.manager.updates == 6
    before = solver.weighting.last_saved_weights()
    trainer.test()
    assert solver.weighting.last_saved_weights() == before


def test_a_second_trainer_counts_on(make, fit):
    solver = make("ema", period=5)
    fit(solver, 7)
    fit(solver, 8)
    assert solver.weighting.aggregator.manager.updates == 3
    assert solver.weighting.aggregator.next_step == 15


def test_what_pina_does_not_hand_on_is_refused(make):
    with pytest.raises(ValueError, match=r"`strategy` must read losses or gradients.*got 'rba'"):
        make("rba")
    with pytest.raises(ValueError, match=r"`strategy` must read losses or gradients.*got 'ntk'"):
        make("ntk")


def test_a_weighting_belongs_to_one_solver(page):
    shown, weighting = page("pina"), PinaWeighting("ema")
    shown.solver_under(weighting)
    with pytest.raises(ValueError, match="belong to one solver"):
        shown.solver_under(weighting)
