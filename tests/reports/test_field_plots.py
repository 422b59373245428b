"""Pictures of roll-outs: errors over time, means, fields on grids, lines and scattered nodes."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from pinn_ext.losses.rollout import Rollout
from pinn_ext.reports.field_plots import rollouts
from tests.lengths import quick_are


def rollout(x):
    steps, nodes = 4, len(x)
    times = torch.arange(steps + 1, dtype=torch.float64)
    wave = torch.sin(x.sum(dim=1))[None] + times[:, None]
    reference = torch.stack((wave, 2.0 + wave), dim=2)
    return Rollout(times, reference * 1.01, reference, x, [nodes], 0.1)


GRID = torch.cartesian_prod(*[torch.linspace(0, 1, 5, dtype=torch.float64)] * 2)
PLACES = {
    "grid": GRID,
    "scattered": GRID[torch.arange(0, 25, 2)] ** 2,
    "line": torch.linspace(0, 1, 9, dtype=torch.float64)[:, None],
}


@pytest.mark.parametrize("place", quick_are(["grid", "scattered"], PLACES))
def test_a_picture_of_each_kind_of_nodes(place):
    file = io.BytesIO()
    rollouts.draw(file, rollout(PLACES[place]))
    with Image.open(file) as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=int)
    assert pixels.shape == (1200, 1440, 3)
    colours = [np.ptp(half.reshape(-1, 3), axis=0).min() for half in np.split(pixels, 2)]
    assert min(colours) > 200  # both halves are drawn


def test_errors_of_a_roll_out():
    own = rollout(GRID)
    torch.testing.assert_close(own.errors(), torch.full((5, 2), 0.01, dtype=torch.float64))
    assert own.frozen()[0].tolist() == [0.0, 0.0] and bool((own.frozen()[1:] > 0.1).all())
    assert own.each().shape == (1, 2)
