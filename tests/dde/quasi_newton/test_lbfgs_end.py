"""Each way in which torch's L-BFGS ends under DeepXDE is told from the others."""

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from pinn_ext.dde.quasi_newton.lbfgs_end import _Facts, _reason
from tests.dde.gauss_newton.small_models import poisson


def ended(options, model=None, **block):
    """Return the sentence on a short training by L-BFGS with some options.

    The callback ends the loop of DeepXDE, which never does where the gradient is within `gtol`.
    """
    dde.optimizers.set_LBFGS_options(**options)
    dde.optimizers.config.LBFGS_options.update(**block)
    model = model or poisson()
    model.compile("L-BFGS", verbose=0)
    model.train(callbacks=[pinn_ext.AdaptiveWeights("fixed", verbose=0)], verbose=0)
    return pinn_ext.why_lbfgs_ended(model), model


def test_all_iterations():
    text, _ = ended({"maxiter": 30}, iter_per_step=15, fun_per_step=100)
    assert text.startswith("L-BFGS ended after 30 iterations and ")
    assert "all iterations of maxiter (30) are made. " in text


def test_gtol():
    text, _ = ended({"gtol": 0.05, "maxiter": 500})
    assert "the largest gradient entry, " in text and "is within gtol (0.05)" in text
    assert "set_LBFGS_options(ftol=0, gtol=0)" in text


def test_ftol_by_the_slope():
    text, _ = ended({"ftol": 1e-4, "gtol": 0.0, "maxiter": 500})
    assert "leads downhill no more, or hardly" in text and "is above -ftol (-0.0001)" in text


def test_ftol_by_the_step():
    text, _ = ended({"ftol": 10.0, "gtol": 0.0, "maxiter": 500})
    assert text.startswith("L-BFGS ended after 1 iteration and ")
    assert "went no further: no parameter moved by more than ftol (10)" in text


def test_ftol_by_the_change_of_the_loss():
    facts = _Facts(9, 12, 0.5, largest=1.0, slope=-1.0, moved=1.0, fell=1e-3, gtol=0.0, ftol=0.01)
    assert _reason(facts) == "the last step changed the loss by 1.0e-03, less than ftol (0.01)"
    assert "a single iteration" in _reason(facts._replace(ftol=1e-4))


def stairs(model):
    """Let the losses of a model fall in steps of 1/8, which no search can tell apart."""
    own = model.data.losses_train

    def losses_train(*arguments, **more):
        losses = own(*arguments, **more)
        return [loss + ((8 * loss).round() / 8 - loss).detach() for loss in losses]

    model.data.losses_train = losses_train
    return model


def test_a_search_that_finds_nothing_lower():
    text, _ = ended({"gtol": 0.0, "maxiter": 500}, stairs(poisson()), fun_per_step=60)
    assert "its last line search found no lower loss" in text
    assert "no parameter moved by more than ftol (0)" in text


def test_float32_is_named_with_what_goes_on():
    dde.config.set_default_float("float32")
    text, model = ended({"gtol": 0.0, "maxiter": 500}, stairs(poisson()), fun_per_step=60)
    assert "In float32 a loss of " in text and "changes in steps of" in text
    assert "dde.config.set_default_float('float64') before data and network are built" in text
    assert "pinn_ext.train_quasi_newton(model), goes on." in text
    assert all(parameter.requires_grad for parameter in model.net.parameters())


def test_a_loss_that_is_not_finite():
    model = poisson()
    ended({"maxiter": 5, "gtol": 0.0}, model)
    with torch.no_grad():
        next(model.net.parameters()).fill_(np.nan)
    assert "the loss is nan" in pinn_ext.why_lbfgs_ended(model)


def test_a_callback_that_stops():
    model = poisson()
    dde.optimizers.set_LBFGS_options(gtol=0.0, maxiter=500)
    dde.optimizers.config.LBFGS_options.update(iter_per_step=5, fun_per_step=50)
    model.compile("L-BFGS", verbose=0)
    stop = dde.callbacks.Callback()
    stop.on_epoch_end = lambda: setattr(model, "stop_training", True)
    model.train(callbacks=[stop], verbose=0)
    assert "or a callback stopped it" in pinn_ext.why_lbfgs_ended(model)


def test_models_that_it_cannot_be_said_of():
    model = poisson()
    with pytest.raises(ValueError, match=r'`model` must be compiled with "L-BFGS", got .adam'):
        pinn_ext.why_lbfgs_ended(model)
    model.compile("L-BFGS", verbose=0)
    with pytest.raises(ValueError, match="`model` must have been trained by L-BFGS"):
        pinn_ext.why_lbfgs_ended(model)
    with pytest.raises(ValueError, match="got a model that is not compiled"):
        pinn_ext.why_lbfgs_ended(dde.Model(model.data, model.net))
