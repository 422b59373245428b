"""Where a benchmark runs: a device that is not there is refused, what there is gets its facts."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
WITH_DEVICE = {
    "gauss_newton.py": ("--threads", "1"),
    "gauss_newton_scaling.py": (),
    "gpu.py": (),
    "main_job.py": (),
    "overhead.py": (),
    "rk4.py": (),
    "sketch.py": (),
    "training_step.py": (),
}
# What they ask for: with it they need not start themselves again.
VARIABLES = {
    "DDE_BACKEND": "pytorch",
    "GOMP_SPINCOUNT": "10000",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}


@pytest.fixture
def devices():
    spec = importlib.util.spec_from_file_location("_devices", FOLDER / "_devices.py")
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before


@pytest.mark.parametrize("script", WITH_DEVICE)
def test_a_device_that_is_not_there_is_refused_in_one_sentence(run_script, tmp_path, script):
    arguments = ("--device", "cuda:99", *WITH_DEVICE[script])
    done = run_script(FOLDER / script, *arguments, folder=tmp_path, **VARIABLES)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line == "`--device` must be cpu or an accelerator of this machine, got cuda:99."
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["nonsense", "meta", "", "cuda:99", "mtia:3"])
def test_a_name_that_is_no_device_of_this_machine(devices, name):
    with pytest.raises(SystemExit) as refusal:
        devices.named(name)
    assert str(refusal.value).endswith(f"got {name}.")


class Card:
    """Torch's module of an accelerator that says little of itself."""

    def __init__(self):
        self.waited = []

    def synchronize(self, device):
        self.waited.append(str(device))

    def get_device_name(self, device):
        return f"card {device.index}"

    def is_available(self):
        return True

    def device_count(self):
        return 2


@pytest.fixture
def card(monkeypatch):
    card = Card()
    monkeypatch.setattr("torch.get_device_module", lambda device: card)
    return card


def test_the_clock_waits_for_the_device_and_not_for_the_cpu(devices, card):
    first = devices.clock(torch.device("cpu"))
    assert card.waited == []
    assert devices.clock(torch.device("cuda:1")) > first
    assert card.waited == ["cuda:1"]


def test_a_card_is_named_with_what_its_module_knows(devices, card):
    device = devices.named("cuda:1")
    facts = devices.facts(device)
    assert (facts["device"], facts["card"]) == ("cuda:1", "card 1")
    assert facts["card_memory_gb"] is None, "it does not say"
    assert facts["matmul_precision"] == "highest"
    assert {"driver", "cuda"} <= facts.keys()
    with pytest.raises(SystemExit):
        devices.named("cuda:2")
    assert devices.facts(torch.device("cpu")) == {"device": "cpu"}
