"""What `solvers.devices` asks of torch's modules of devices."""

import inspect

import pytest
import torch

from solvers import devices


class Asked:
    """A module of a device whose function takes what torch's own takes."""

    def __init__(self, function):
        self.given = []
        signature = inspect.signature(function)

        def synchronize(*arguments):
            signature.bind(*arguments)
            self.given.append(arguments)

        self.synchronize = synchronize


@pytest.mark.parametrize("name", ["mps", "cuda:1", "xpu"])
def test_waiting_calls_the_function_that_torch_has(monkeypatch, name):
    """The functions themselves cannot run here, their signatures are torch's."""
    device = torch.device(name)
    module = Asked(torch.get_device_module(device).synchronize)
    monkeypatch.setattr(devices, "module_of", lambda asked: module if asked == device else None)
    devices.synchronize(device)
    assert module.given == [() if name == "mps" else (device,)]


def test_the_cpu_is_not_waited_for():
    devices.synchronize(torch.device("cpu"))
