"""All tests here run on the make-believe device, in a process that runs no others.

Once it is registered torch knows an accelerator: seeds go to it, backward passes start threads for it.
So `pytest` leaves this folder out unless it is asked for by name: `pytest tests/device`.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde
import pytest
import torch

from tests.device import build, pretend


@pytest.fixture(scope="session", autouse=True)
def registered():
    try:
        pretend.register()
    except build.UnavailableError as reason:
        pytest.skip(f"no make-believe device: {reason}")


@pytest.fixture(autouse=True)
def clean_devices():
    """Undo what a test sets globally."""
    yield
    torch.set_default_device(None)
    pretend.set_device(0)


@pytest.fixture
def device():
    return torch.device("pretend:0")


@pytest.fixture
def default_device(device):
    """Make the device the default one, as DeepXDE's import does with a GPU."""
    torch.set_default_device(device)
    return device
