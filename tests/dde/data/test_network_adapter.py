"""The adapter that DeepXDE takes for its network."""

import pytest
from torch import nn

from pinn_ext.dde.data.network_adapter import NetworkAdapter


class NoBatches:
    loss = None

    def batch_at(self, inputs):
        return None


@pytest.fixture
def adapter():
    return NetworkAdapter(nn.Sequential(nn.Linear(1, 1), nn.Dropout()), NoBatches())


def modes(adapter):
    return [layer.training for layer in adapter.modules()]


@pytest.mark.parametrize("mode", [True, False])
def test_all_layers_have_the_mode(adapter, mode):
    assert adapter.train(mode) is adapter and modes(adapter) == [mode] * 4
    adapter.module.train(not mode)  # set beside the adapter
    assert modes(adapter.train(mode)) == [mode] * 4


def test_layers_that_have_it_are_not_gone_through(adapter, monkeypatch):
    visited = []
    monkeypatch.setattr(nn.Dropout, "train", lambda layer, mode=True: visited.append(mode))
    for mode in (True, True, False, False, True):
        adapter.train(mode)
    assert visited == [False, True]
