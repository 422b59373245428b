"""Strategies of the tests' own are known in this folder."""

import pytest

from pinn_ext import strategies
from tests.strategies.made_up import MADE_UP


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    """Let strategies of the tests' own be known beside the real ones."""
    for name, cls in MADE_UP.items():
        monkeypatch.setitem(strategies._REGISTRY, name, cls)
