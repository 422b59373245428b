"""Former names of the data sets still work, and say what they are called now."""

import pytest
import torch

from pinn_ext import datasets, systems
from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs


def test_former_names_hand_on():
    system = systems.create("coupled_burgers")
    batch = SnapshotBatch.from_graphs([SnapshotGraphs(system, 1, nodes_per_side=5)[0]])
    network = torch.nn.Linear(2, 2)
    with pytest.warns(DeprecationWarning, match="answer_with is now called outputs_of"):
        assert datasets.answer_with is datasets.outputs_of
    with pytest.warns(DeprecationWarning, match="known is now called precomputed"):
        assert batch.known is batch.precomputed is not None
    with pytest.warns(DeprecationWarning, match=r"answer\(\) is now called outputs\(\)"):
        assert torch.equal(batch.answer(network), batch.outputs(network))


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="has no attribute 'answers'"):
        _ = datasets.answers
