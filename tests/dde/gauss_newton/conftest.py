"""Gauss-Newton is tried in float64."""

import deepxde as dde
import pytest


@pytest.fixture(autouse=True)
def double(clean_deepxde):
    dde.config.set_default_float("float64")
