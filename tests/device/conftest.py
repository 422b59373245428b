"""All tests here run on the make-believe device, in a process that runs no others.

Once it is registered torch knows an accelerator: seeds go to it, and the first backward pass starts
a thread for it. So `pytest` leaves this folder out unless it alone is asked for:
`pytest tests/device`.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde
import pytest
import torch

from tests.dde.conftest import clean_deepxde, problem  # noqa: F401 - fixtures
from tests.device import build, pretend
from tests.program.conftest import (  # noqa: F401 - fixtures
    run,
    run_killed,
    small,
    stopping,
    unrendered,
)


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


@pytest.fixture
def on_both(device):
    """Return a function that calls another with each default device: the device's, the CPU's."""

    def call(function):
        results = []
        for default in (device, None):
            torch.set_default_device(default)
            dde.config.set_random_seed(0)
            results.append(function())
        return results

    return call
