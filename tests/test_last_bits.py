"""Tests of the fixture that changes the last bits of networks."""

import torch

from tests.last_bits import perturb


def test_a_perturbation_is_one_of_the_last_bit():
    values = torch.tensor([1.0, -3.0, 0.0, 1e-30], dtype=torch.float64).repeat(50)
    moved = values.clone()
    perturb([moved])
    up, down = (values.nextafter(torch.full_like(values, way)) for way in (torch.inf, -torch.inf))
    assert ((moved == values) | (moved == up) | (moved == down)).all()
    assert (moved == up).any() and (moved == down).any() and (moved == values).any()
    again = values.clone()
    perturb([again])
    assert torch.equal(again, moved)
