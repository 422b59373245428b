"""Numbers that the float type of a run cannot hold are refused by their key."""

import pytest

from pinn_ext import schema
from pinn_ext.checks import ArgumentError
from pinn_ext.schema.float_type import check_float_type


def _config(dtype="float32"):
    cfg = schema.Config()
    cfg.dtype = dtype
    return cfg


@pytest.mark.parametrize("value", [1e39, 1e-39, 1e308, -1e39])
@pytest.mark.parametrize("key", ["learning_rate", "weight_decay"])
def test_of_the_training(key, value):
    cfg = _config()
    setattr(cfg.training, key, value)
    with pytest.raises(ArgumentError, match=f"`training.{key}` must fit dtype=float32"):
        check_float_type(cfg)


def test_of_the_other_parts():
    for change, key in (
        (lambda c: setattr(c.training.loss, "w2_BC", 1e-300), "training.loss.w2_BC"),
        (lambda c: setattr(c.dataset, "step", 1e-50), "dataset.step"),
        (lambda c: c.problem.parameters.update(nu=1e60), "problem.parameters.nu"),
        (lambda c: setattr(c.problem, "scales", [1.0, 1e-30]), "problem.scales"),
    ):
        cfg = _config()
        change(cfg)
        with pytest.raises(ArgumentError) as caught:
            check_float_type(cfg)
        assert caught.value.name.startswith(key)


def test_what_fits_is_taken():
    cfg = _config()
    cfg.training.weight_decay, cfg.problem.scales = 0.0, [1e-15, 1e15]
    check_float_type(cfg)
    cfg.training.learning_rate = 1e-45
    cfg.dtype = "float64"
    check_float_type(cfg)
