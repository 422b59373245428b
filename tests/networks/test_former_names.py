"""Arguments of a network that have other names now."""

import pytest
import torch

from pinn_ext import systems
from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs
from pinn_ext.networks import FieldNetwork


def test_known_is_precomputed():
    system = systems.create("linear_reaction_diffusion")
    graphs = SnapshotGraphs(system, 1, nodes_per_side=5)
    batch = SnapshotBatch.from_graphs([graphs[0]])
    network = FieldNetwork(system, [4])
    with pytest.warns(DeprecationWarning, match="`known` is now `precomputed`"):
        outputs = network(batch.inputs, known=batch.precomputed)
    assert torch.equal(outputs, network(batch.inputs, batch.precomputed))
    with pytest.warns(DeprecationWarning, match="`known` is now `precomputed`") as warned:
        jet = network.jet(batch.inputs, known=batch.precomputed)
    assert torch.equal(jet.value, network.jet(batch.inputs, batch.precomputed).value)
    assert warned[0].filename == __file__
