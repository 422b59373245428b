"""Slabs in time on a device: trained, saved and evaluated as on the CPU."""

import deepxde as dde
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import pinn_ext
from pinn_ext.cli import main
from tests.dde.slabs import small as slabs
from tests.program.conftest import SMALL, read_report


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


PHASES = ("training.loss.use_gn_solver=true", "training.gauss_newton.iterations=3")


@pytest.mark.parametrize("conditions", ["hard", "soft"])
def test_a_run_of_the_program_in_slabs(tmp_path, monkeypatch, capsys, conditions):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, **_: file.write(b""))
    arguments = [*SMALL, "dtype=float64", "training.slabs=2", *PHASES]
    for name, device in (("gpu", "pretend"), ("cpu", "cpu")):
        own = [f"hydra.run.dir={name}", f"device={device}", f"problem.conditions={conditions}"]
        assert main([*arguments, *own]) == 0, capsys.readouterr().err
    here, there = (read_report(name) for name in ("gpu", "cpu"))
    for field in "uv":
        assert here["relative_l2"][field] == pytest.approx(there["relative_l2"][field], rel=1e-6)
    found = pinn_ext.load("gpu")
    on_device = pinn_ext.load("gpu", device="pretend")
    x = found.grid(5)
    np.testing.assert_allclose(on_device.fields(x, 0.9), found.fields(x, 0.9), rtol=1e-9)
    capsys.readouterr()
