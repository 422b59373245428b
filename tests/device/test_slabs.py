"""Slabs in time on a device: trained, saved and evaluated as on the CPU."""

import deepxde as dde
import numpy as np
import pytest
import torch

from tests.dde.slabs import small as slabs


@pytest.fixture(autouse=True)
def double(clean_deepxde):
    dde.config.set_default_float("float64")


def test_they_are_trained_as_on_the_cpu(on_both):
    x = np.random.default_rng(0).random((20, 2))

    def fit():
        solution = slabs.march(iterations=5, reference=slabs.exact)
        parameter = next(solution.models[2].net.parameters())
        assert parameter.device == torch.get_default_device()
        errors = [row["errors"][0] for row in solution.rows]
        return slabs.numbers(solution).cpu(), solution.predict(x), errors

    here, there = on_both(fit)
    torch.testing.assert_close(here[0], there[0], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(here[1], there[1], rtol=1e-6)
    assert here[2] == pytest.approx(there[2], rel=1e-6)


def test_they_go_on_from_their_files(default_device, tmp_path):
    options = {"folder": tmp_path, "save_every": 2}
    first = slabs.march(iterations=4, **options)
    again = slabs.march(iterations=4, resume=True, **options)
    assert torch.equal(slabs.numbers(first), slabs.numbers(again))
    content = torch.load(tmp_path / "slab_002.pt", weights_only=True)
    assert {tensor.device.type for tensor in content["network"].values()} == {"cpu"}
