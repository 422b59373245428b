"""What lies on different devices, or trains on one together, is refused in one sentence."""

from pathlib import Path

import pytest
import torch

import pinn_ext
from tests.device.test_late_look import line_model
from tests.losses.snapshot_losses import config, parts


def test_a_network_on_another_device_than_its_points(device):
    model = line_model(device)  # while the default device is the CPU
    wanted = "The network must be on cpu, where DeepXDE puts its points, got pretend:0"
    with pytest.raises(ValueError, match=wanted):
        model.train(iterations=1, callbacks=[pinn_ext.AdaptiveWeights()], verbose=0)
    with pytest.raises(ValueError, match=wanted):
        pinn_ext.train_gauss_newton(model, iterations=1, verbose=0)
    torch.set_default_device("pretend:1")
    with pytest.raises(ValueError, match=r"must be on pretend:1, .* got pretend:0"):
        model.train(iterations=1, callbacks=[pinn_ext.AdaptiveWeights()], verbose=0)


def test_a_model_on_another_device_than_the_batch(device):
    batch, model, optimizer = parts(config())
    with pytest.raises(ValueError, match="`model` must be on pretend:0 like the batch, got cpu"):
        pinn_ext.train_physics(batch, model, optimizer, device, config())


def test_two_processes_share_no_card(start_script, tmp_path):
    worker = Path(__file__).resolve().parent / "ranks_worker.py"
    started = [start_script(worker, rank, tmp_path / "meeting", folder=tmp_path) for rank in (0, 1)]
    assert [process.wait(120) for process in started] == [0, 0], started[0].text("err")
    said = [process.text("out").splitlines() for process in started]
    refused = "Each process must train on a device of its own, got pretend:1 of "
    for together, apart in said:
        assert together.startswith(refused) and " for ranks 0 and 1: call " in together
        assert apart == "2.0"
