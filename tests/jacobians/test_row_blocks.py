"""The Jacobian of residual rows in blocks against one backward pass a row."""

import pytest
import torch
from torch import nn

from pinn_ext.jacobians.row_blocks import RowBlocks
from tests.jacobians.test_residual_jacobian import (
    NETWORKS,
    NUM_POINTS,
    Plain,
    residuals,
    slow_jacobian,
)


@pytest.fixture(autouse=True)
def floats(double):
    pass


def gathered(blocks, shape):
    """Return the whole Jacobian, and the lengths of its blocks; no row comes twice."""
    out, seen, lengths = torch.zeros(shape), torch.zeros(shape[0]), []
    for numbers, block in blocks:
        out[numbers] = block
        seen[numbers] += 1
        lengths.append(len(numbers))
        block.fill_(float("nan"))  # whoever gets a block may write to it
    assert seen.max() == 1
    return out, lengths


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_blocks_are_the_rows_of_the_jacobian(name, size):
    network = NETWORKS[name]()
    unknown = torch.tensor([0.7, -0.3], requires_grad=True)
    x = torch.rand(NUM_POINTS, 3, requires_grad=True)
    leaves = [*network.parameters(), unknown]

    def terms():
        return residuals(network, unknown, x)

    scales = [0.5 + i for i in range(len(terms()))]
    jacobian = RowBlocks(terms, leaves[:-1], leaves[-1:])
    shape = sum(t.numel() for t in terms()), jacobian.num_parameters
    for _ in range(3):
        wanted = slow_jacobian(terms, leaves, scales)
        found, lengths = gathered(jacobian.blocks(scales, size), shape)
        assert (found - wanted).abs().max() < 1e-12 * wanted.abs().max()
        assert max(lengths) <= size
        whole = torch.empty(shape)
        jacobian(scales, whole)  # the same object serves both
        assert (found - whole).abs().max() < 1e-12 * wanted.abs().max()
        with torch.no_grad():
            for leaf in leaves:
                leaf.add_(0.1)
    assert (jacobian.fallback is not None) == (name in ("convolution", "weight norm"))


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_rows_that_share_samples(blocks):
    network, x, mix = Plain(), torch.rand(20, 3), torch.rand(5, 5)

    def terms():
        return [(mix @ network(x)[:, 0].view(4, 5, 1)).reshape(-1)]

    leaves = list(network.parameters())
    jacobian = RowBlocks(terms, leaves, blocks=blocks)
    found, _ = gathered(jacobian.blocks([2.0], 3), (20, jacobian.num_parameters))
    assert torch.allclose(found, slow_jacobian(terms, leaves, [2.0]), atol=1e-13)
    assert jacobian.fallback is None


def test_a_sample_that_starts_to_matter_is_found():
    network, x = Plain(), torch.rand(NUM_POINTS, 3)
    mask = torch.ones(NUM_POINTS)
    mask[5:] = 0.0

    def terms():
        return [mask * network(x)[:, 0], network(x)[:, 1]]

    leaves = list(network.parameters())
    jacobian = RowBlocks(terms, leaves)
    shape = 2 * NUM_POINTS, jacobian.num_parameters
    assert gathered(jacobian.blocks([1.0, 1.0], 4), shape)[0][5:NUM_POINTS].abs().max() == 0.0
    mask[:] = 1.0
    found, _ = gathered(jacobian.blocks([1.0, 1.0], 4), shape)
    assert torch.allclose(found, slow_jacobian(terms, leaves, [1.0, 1.0]), atol=1e-13)
    assert jacobian.fallback is None


def test_samples_that_come_to_be_shared_are_differentiated_row_by_row():
    network, x = Plain(), torch.rand(NUM_POINTS, 3)
    mix = torch.eye(NUM_POINTS)

    def terms():
        return [mix @ network(x)[:, 0]]

    leaves = list(network.parameters())
    jacobian = RowBlocks(terms, leaves, blocks=3)
    shape = NUM_POINTS, jacobian.num_parameters
    gathered(jacobian.blocks([1.0], 4), shape)
    mix[:, 8:] = 0.0
    gathered(jacobian.blocks([1.0], 4), shape)
    jacobian.forget()
    gathered(jacobian.blocks([1.0], 4), shape)  # the last four samples have no effect now
    mix[:, 8:] = torch.rand(NUM_POINTS, 4)
    for _ in range(2):
        found, _ = gathered(jacobian.blocks([1.0], 4), shape)
        assert torch.allclose(found, slow_jacobian(terms, leaves, [1.0]), atol=1e-13)


def test_an_operation_that_is_not_what_it_seems_is_found_out(monkeypatch):
    network, x = Plain(), torch.rand(NUM_POINTS, 3)

    def terms():
        return [network(x)[:, 0]]

    leaves = list(network.parameters())
    jacobian = RowBlocks(terms, leaves)
    products = RowBlocks._outer_products

    def wrong(self, uses, found, rows, first=0):
        products(self, uses, found, rows, first)
        rows[0] *= 2.0

    monkeypatch.setattr(RowBlocks, "_outer_products", wrong)
    found, _ = gathered(jacobian.blocks([1.0], 5), (NUM_POINTS, jacobian.num_parameters))
    assert "cannot be followed" in jacobian.fallback
    assert torch.allclose(found, slow_jacobian(terms, leaves, [1.0]), atol=1e-13)


def test_an_error_of_the_user_is_raised_as_it_is():
    layer = nn.Linear(2, 3)

    def terms():
        raise RuntimeError("my own")

    with pytest.raises(RuntimeError, match="my own"):
        list(RowBlocks(terms, list(layer.parameters())).blocks([1.0], 4))
