"""Inside a slab Gauss-Newton, quasi-Newton and L-BFGS go on bit for bit."""

import deepxde as dde
import pytest
import torch

import pinn_ext
from pinn_ext.files import RunError
from tests.dde.slabs import small

POINTS = {"train_distribution": "pseudo"}


class BrokenOff(Exception):
    pass


class Breaking(dde.callbacks.Callback):
    """Breaks off at one of its calls, counted over all trainings."""

    def __init__(self, at):
        super().__init__()
        self.at, self.calls = at, 0

    def on_epoch_end(self):
        self.calls += 1
        if self.calls == self.at:
            raise BrokenOff


def gauss_newton(model, slab, breaking):
    callbacks = [slab.saver(3), breaking]
    options = {"tolerance": 0, "resample_every": 2, "callbacks": callbacks, "verbose": 0}
    pinn_ext.train_gauss_newton(model, 8, weights="balance", **options)


def quasi_newton(model, slab, breaking):
    callbacks = [slab.saver(3), breaking]
    pinn_ext.train_quasi_newton(model, 12, callbacks=callbacks, verbose=0)


def adam_then_quasi_newton(model, slab, breaking):
    if slab.done < 6:
        model.train(
            iterations=6 - slab.done, callbacks=[slab.saver(3), breaking], verbose=0,
            display_every=10**6,
        )  # fmt: skip
    pinn_ext.train_quasi_newton(model, 6, callbacks=[slab.saver(3), breaking], verbose=0)


def adam_then_lbfgs(model, slab, breaking):
    """Three blocks of L-BFGS after six steps of Adam; the builder has compiled Adam alone."""
    if slab.done < 6:
        model.train(
            iterations=6 - slab.done, callbacks=[slab.saver(2), breaking], verbose=0,
            display_every=10**6,
        )  # fmt: skip
    model.compile("L-BFGS", verbose=0)
    model.train(callbacks=[slab.saver(2), breaking], verbose=0)


@pytest.fixture
def blocks():
    """Give L-BFGS blocks of five iterations."""
    table = dde.optimizers.config.LBFGS_options
    before = dict(table)
    table.update(maxiter=15, iter_per_step=5, fun_per_step=50, gtol=0.0, ftol=0.0)
    yield
    table.clear()
    table.update(before)


def marched(train, at=None, seed=0, **options):
    dde.config.set_random_seed(seed)
    breaking = Breaking(at)
    return small.march(
        small.builder(**POINTS),
        edges=[0.0, 0.5, 1.0],
        train=lambda model, slab: train(model, slab, breaking),
        **options,
    )


def steps(solution):
    return [row["steps"] for row in solution.rows]


ENDS = {
    gauss_newton: (4, 8, 13),
    quasi_newton: (5, 12, 16),
    adam_then_quasi_newton: (5, 6, 11, 22),
    adam_then_lbfgs: (5, 7, 8, 9, 17),
}
QUICK = [
    (gauss_newton, "float64", (13,)),
    (quasi_newton, "float64", (5,)),
    (adam_then_quasi_newton, "float32", (22,)),
    (adam_then_lbfgs, "float64", (8, 9, 17)),
]
ALL = [
    pytest.param(train, float_type, ends, marks=pytest.mark.slow)
    for train, ends in ENDS.items()
    for float_type in ("float64", "float32")
]


@pytest.mark.parametrize(("train", "float_type", "ends"), QUICK + ALL)
def test_they_go_on_bit_for_bit(tmp_path, blocks, train, ends, float_type):
    """Broken off in a first slab, at its end, and in a second one.

    Quasi-Newton computes in float64 where all is float32, the start as well.
    """
    dde.config.set_default_float(float_type)
    whole = marched(train)
    for at in ends:
        folder = tmp_path / str(at)
        with pytest.raises(BrokenOff):
            marched(train, at, folder=folder)
        seed = 0 if not (folder / "slab_000.pt").exists() else 7
        solution = marched(train, seed=seed, folder=folder, resume=True)
        assert torch.equal(small.numbers(solution), small.numbers(whole)), at
        assert steps(solution) == steps(whole)
        assert [row["end"] for row in solution.rows] == [row["end"] for row in whole.rows]


def test_only_the_iterations_that_are_left_are_made(tmp_path):
    with pytest.raises(BrokenOff):
        marched(quasi_newton, 7, folder=tmp_path)
    made = Breaking(None)
    marched_again = small.march(
        small.builder(**POINTS),
        edges=[0.0, 0.5, 1.0],
        train=lambda model, slab: quasi_newton(model, slab, made),
        folder=tmp_path,
        resume=True,
    )
    assert made.calls == 6 + 12 and steps(marched_again) == [12, 12]


def test_a_state_that_does_not_fit_is_refused(tmp_path):
    with pytest.raises(BrokenOff):
        marched(quasi_newton, 5, folder=tmp_path)
    path = tmp_path / "slab_at_work.pt"
    content = torch.load(path, weights_only=True)
    content["loop"]["state"]["done"] = -1
    torch.save(content, path)
    with pytest.raises(RunError, match=r"slab_at_work\.pt does not fit the Quasi-Newton training"):
        marched(quasi_newton, folder=tmp_path, resume=True)


def test_what_another_training_has_left_is_not_taken_up(tmp_path):
    """The parameters are, and nothing stays on the model."""
    with pytest.raises(BrokenOff):
        marched(quasi_newton, 5, folder=tmp_path)
    seen = []

    def other(model, slab, breaking):
        seen.append(slab.done)
        pinn_ext.train_gauss_newton(model, 2, verbose=0)

    solution = marched(other, folder=tmp_path, resume=True)
    assert seen == [3, 0] and steps(solution) == [5, 2]
    assert "pinn_ext_notes" not in vars(solution.models[0])
