"""Slabs are tried in float64, which `tests/dde/conftest.py` takes back."""

import deepxde as dde
import pytest


@pytest.fixture(autouse=True)
def float64(clean_deepxde):
    dde.config.set_default_float("float64")
