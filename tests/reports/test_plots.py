"""Pictures of the fields."""

import matplotlib.axes
import numpy as np
import pytest
import torch

from pinn_ext import systems
from pinn_ext.networks import FieldNetwork
from pinn_ext.reports import plots
from pinn_ext.systems import domains
from tests.lengths import quick_are


@pytest.mark.parametrize("shape", quick_are(["l_shape"], domains.names()))
def test_fields_are_drawn_on_the_domain_only(tmp_path, monkeypatch, shape):
    system = systems.create("brusselator", geometry=shape)
    pictures = []
    original = matplotlib.axes.Axes.imshow

    def imshow(self, values, **options):
        pictures.append((values, options))
        return original(self, values, **options)

    monkeypatch.setattr(matplotlib.axes.Axes, "imshow", imshow)
    path = tmp_path / "fields.png"
    plots.fields(path, system, FieldNetwork(system, (4,), conditions="soft"), 40)
    assert path.stat().st_size > 10_000
    centres = torch.linspace(0.025, 1.975, 40, dtype=torch.float64)
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    inside = system.geometry.contains(torch.stack((x.flatten(), y.flatten()), 1)).reshape(40, 40)
    assert len(pictures) == 6
    for values, options in pictures:
        assert np.array_equal(np.isfinite(values), inside.numpy())
        assert options["aspect"] == "equal" and np.isfinite(options["vmax"])
        assert options["vmin"] < options["vmax"]
