"""Quasi-Newton is tried in float64, unless a test says otherwise."""

import deepxde as dde
import pytest


@pytest.fixture(autouse=True)
def double(clean_deepxde):
    dde.config.set_default_float("float64")
