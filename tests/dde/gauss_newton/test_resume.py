"""The same bits: from the same seed, and from a state saved in the middle."""

import copy

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from pinn_ext.dde.gauss_newton.loop import WEIGHTS, GaussNewtonTraining
from solvers.gauss_newton import DAMPINGS
from tests.dde.gauss_newton.small_models import poisson, train
from tests.stored import stored


def test_the_same_seed_gives_the_same_bits(problem):
    vectors = []
    for _ in range(2):
        dde.config.set_random_seed(7)
        model = poisson()
        train(model, 15, resample_every=4)
        vectors.append(problem.vector(model))
    assert torch.equal(*vectors)


def training(model, **options):
    settings = {
        "tolerance": 1e-6, "damping": "bold", "geodesic": True, "solver": "auto",
        "weights": "keep", "resample_every": 0, "memory_limit_gb": None, "verbose": 0,
    }  # fmt: skip
    return GaussNewtonTraining(model, **{**settings, **options})


@pytest.mark.parametrize("damping", DAMPINGS)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_run_goes_on_bit_for_bit(problem, damping, weights):
    options = {"damping": damping, "weights": weights, "resample_every": 4}

    def fresh():
        dde.config.set_random_seed(0)
        adaptive = pinn_ext.AdaptiveWeights("ema", period=3, verbose=0)
        return poisson(points=40), adaptive, [adaptive] if weights == "adapt" else []

    model, _, callbacks = fresh()
    training(model, **options).run(14, callbacks=callbacks)
    wanted = problem.vector(model)

    model, adaptive, callbacks = fresh()
    first = training(model, **options)
    first.run(6, callbacks=callbacks)
    assert first.done == 6 and first.message == "all 6 iterations are made"
    saved = stored([first.state_dict(), adaptive.state_dict() if callbacks else None])
    network, points = copy.deepcopy(model.net.state_dict()), np.random.get_state()
    x = model.data.train_x, model.data.train_x_all, model.data.train_x_bc

    first.run(14, callbacks=callbacks)  # in the same process
    assert torch.equal(problem.vector(model), wanted)

    model, adaptive, callbacks = fresh()
    model.net.load_state_dict(network)
    model.data.train_x, model.data.train_x_all, model.data.train_x_bc = x
    if callbacks:
        adaptive.load_state_dict(saved[1], model)
    second = training(model, **options)
    second.load_state_dict(saved[0])
    np.random.set_state(points)
    second.run(14, callbacks=callbacks)
    assert torch.equal(problem.vector(model), wanted) and second.done == 14


def test_a_run_takes_up_what_others_have_trained(problem):
    model = poisson()
    run = training(model)
    run.run(5)
    problem.train(model, iterations=3)
    vector = problem.vector(model)
    run.run(5)  # nothing is left to do
    assert torch.equal(problem.vector(model), vector)
    run.run(8)
    assert not torch.equal(problem.vector(model), vector) and model.train_state.step == 11
