"""The constrained expression with parts that were computed ahead."""

import math

import pytest
import torch

from pinn_ext import systems
from pinn_ext.derivatives.precomputed import differentiate
from pinn_ext.networks import FieldNetwork
from pinn_ext.networks.hard_conditions import (
    ConditionValues,
    HardConditions,
    PrecomputedConditions,
    periodic_features,
    periodic_slopes,
)
from tests.losses.snapshot_losses import CASES


def some(system, count=40, dtype=None):
    low = torch.tensor([*system.lower, 0.0], dtype=dtype)
    high = torch.tensor([*system.upper, system.final_time], dtype=dtype)
    draw = torch.rand(count, len(low), dtype=dtype, generator=torch.Generator().manual_seed(3))
    return low + draw * (high - low)


@pytest.mark.parametrize(("name", "boundary"), CASES)
def test_the_same_with_parts_computed_ahead(name, boundary):
    system = systems.create(name, boundary=boundary)
    network, inputs = FieldNetwork(system, (5, 5)), some(system)
    hard = HardConditions(system)
    known = differentiate(hard.data_part, inputs)
    ahead = PrecomputedConditions(
        known.value, known.slope, known.hessian, known.jet(), hard.bubble_jet(inputs)
    )
    one, other = network.jet(inputs, known), network.jet(inputs, ahead)
    for key in ("value", "first", "laplacian"):
        assert torch.equal(getattr(one, key), getattr(other, key)), key
    values = ConditionValues(hard.data_part(inputs), hard.bubble(inputs)[:, None])
    assert torch.equal(network(inputs, values), network(inputs))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "boundary"), CASES)
def test_sides_of_the_box_are_rounded_as_the_inputs_are(name, boundary, dtype):
    system = systems.create(name, boundary=boundary)
    inputs = some(system, dtype=dtype)
    lower, upper = inputs.new_tensor(system.lower), inputs.new_tensor(system.upper)
    unit = (inputs[:, :-1] - lower) / (upper - lower)
    if system.periodic:
        angle = 2.0 * math.pi * (inputs[:, :-1] - lower) / (upper - lower)
        features = torch.cat((torch.cos(angle), torch.sin(angle), inputs[:, -1:]), dim=1)
        assert torch.equal(periodic_features(system, inputs), features)
    else:
        assert torch.equal(torch.stack(HardConditions(system)._box(inputs), dim=1), unit)


def test_periodic_slopes_in_two_dimensions():
    """No system of ours has two periodic axes."""

    class Torus(systems.create("brusselator").__class__):
        boundaries = ("periodic",)

    system = Torus(boundary="periodic")
    inputs = some(system, dtype=torch.float64).requires_grad_()
    features = periodic_features(system, inputs)
    assert features.shape == (40, 5)
    slopes = periodic_slopes(system, features)
    for column, feature in enumerate(features.unbind(dim=1)[:-1]):
        (first,) = torch.autograd.grad(feature.sum(), inputs, create_graph=True)
        torch.testing.assert_close(slopes[:2, :, column], first[:, :2].t())
        second = sum(
            torch.autograd.grad(first[:, axis].sum(), inputs, retain_graph=True)[0][:, axis]
            for axis in range(2)
        )
        torch.testing.assert_close(slopes[-1, :, column], second)
