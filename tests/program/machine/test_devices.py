"""Which device a run takes, and what is said where it cannot have it."""

import pytest
import torch

from pinn_ext.checks import ArgumentError
from pinn_ext.program.checkpoints import load
from pinn_ext.program.machine import devices
from pinn_ext.schema import Config
from tests.program.conftest import SMALL


@pytest.fixture
def cards(monkeypatch):
    """Let the machine have some CUDA cards: `cards(2)`."""

    def have(count):
        monkeypatch.setattr(devices, "count_of", lambda kind: count * (kind == "cuda"))

    return have


def device_of(name, environment=None, **options):
    cfg = Config(device=name)
    for key, value in options.items():
        setattr(cfg, key, value)
    return str(devices.device_of(cfg, environment or {}))


def test_what_this_machine_has(cards):
    cards(2)
    assert devices.devices_of_machine() == ["cpu", "cuda:0", "cuda:1"]
    assert [device_of(name) for name in ("auto", "cpu", "cuda", "cuda:1")] == [
        *("cuda:0", "cpu", "cuda:0", "cuda:1")
    ]
    for name in ("cuda:2", "xpu", "tpu", "cuda:x", "meta", "cpu:1", "privateuseone"):
        with pytest.raises(ArgumentError) as refused:
            device_of(name)
        assert str(refused.value) == (
            "`device` must be auto or a device that this machine has and torch can use "
            f"(cpu, cuda:0, cuda:1), got {name!r}."
        )


def test_auto_is_the_cpu_where_there_is_no_cuda(cards):
    cards(0)
    assert device_of("auto") == "cpu" and devices.devices_of_machine() == ["cpu"]


def test_kinds_that_torch_does_not_know_count_nothing():
    assert [devices.count_of(kind) for kind in ("tpu", "privateuseone", "meta", "cpu")] == [0] * 4


@pytest.mark.parametrize(
    ("count", "name", "environment", "wanted"),
    [
        (4, "cuda", {"LOCAL_RANK": "2"}, "cuda:2"),
        (4, "auto", {"SLURM_LOCALID": "3"}, "cuda:3"),
        (4, "cuda:2", {"LOCAL_RANK": "2"}, "cuda:2"),
        (4, "cuda:3", {"SLURM_LOCALID": "0"}, "cuda:3"),
        (4, "cuda", {"LOCAL_RANK": "1", "SLURM_LOCALID": "3"}, "cuda:1"),
        (4, "cuda", {"LOCAL_RANK": ""}, "cuda:0"),
        (1, "cuda", {"SLURM_LOCALID": "3", "CUDA_VISIBLE_DEVICES": "3"}, "cuda:0"),
        (1, "cuda:0", {"LOCAL_RANK": "1", "ROCR_VISIBLE_DEVICES": "1"}, "cuda:0"),
        (4, "cpu", {"LOCAL_RANK": "2"}, "cpu"),
    ],
)
def test_each_process_of_a_job_has_a_card_of_its_own(cards, count, name, environment, wanted):
    cards(count)
    assert device_of(name, environment) == wanted


@pytest.mark.parametrize(
    ("count", "name", "environment", "words"),
    [
        (2, "cuda", {"LOCAL_RANK": "2"}, "takes cuda:2, there are 2), got 'cuda'."),
        (2, "cuda:0", {"LOCAL_RANK": "1"}, "takes cuda:1, there are 2), got 'cuda:0'."),
        (1, "auto", {"SLURM_LOCALID": "1"}, "takes cuda:1, there is 1), got 'auto'."),
    ],
)
def test_two_processes_share_no_card(cards, count, name, environment, words):
    cards(count)
    with pytest.raises(ArgumentError, match="`device` must leave each process of a job") as refused:
        device_of(name, environment)
    assert str(refused.value).endswith(words)


def test_reduced_precision_is_seen():
    cpu = torch.device("cpu")
    before = torch.get_float32_matmul_precision()
    try:
        assert devices.reduced_precision(cpu) is None
        torch.set_float32_matmul_precision("high")
        assert devices.reduced_precision(torch.device("cuda")) == "tf32"
        torch.set_float32_matmul_precision("medium")
        assert devices.reduced_precision(cpu) == "bf16"
    finally:
        torch.set_float32_matmul_precision(before)


def test_a_run_says_that_its_matrices_are_rounded(run, monkeypatch):
    monkeypatch.setattr("pinn_ext.program.build.reduced_precision", lambda device: "tf32")
    small = (*SMALL, "training.epochs=1", "device=cpu")
    said = "Warning: matrices of float32 are multiplied in tf32 here"
    assert run(*small).out.count(said) == 1
    for other in ("dtype=float64", "training.loss.use_rk4=false"):
        assert said not in run(*small, other).out


# ---- going on elsewhere --------------------------------------------------------------------------


def change(folder, **entries):
    """Change a checkpoint; None takes an entry out."""
    content = load(folder / "checkpoint.pt")
    for key, value in entries.items():
        content[key] = value
        if value is None:
            del content[key]
    torch.save(content, folder / "checkpoint.pt")
    return content


def test_a_checkpoint_of_a_gpu_goes_on_without_one(run):
    folder = run(*SMALL, "device=cpu").folder
    content = load(folder / "checkpoint.pt")
    assert content["device"] == "cpu" and "accelerator" not in content["random_state"]
    state = {"kind": "cuda", "state": torch.zeros(16, dtype=torch.uint8, device="cpu")}
    change(
        folder,
        device="cuda (A Card)",
        config={**content["config"], "device": "cuda:7"},
        random_state={**content["random_state"], "accelerator": state},
    )
    again = run(f"training.resume={folder}", "training.epochs=4")
    assert again.status == 0, again.err
    line = "The run goes on on cpu, it was on cuda (A Card) before: last bits, and what a device's"
    assert again.out.count(line) == 1
    content = load(folder / "checkpoint.pt")
    assert content["device"] == "cpu" and content["config"]["device"] == "auto"
    assert "accelerator" not in content["random_state"]
    more = run(f"training.resume={folder}", "training.epochs=5")
    assert more.status == 0 and "goes on on" not in more.out


def test_a_device_that_is_asked_for_is_not_replaced(run):
    folder = run(*SMALL, "device=cpu").folder
    again = run(f"training.resume={folder}", "training.epochs=4", "device=cuda:7")
    assert again.status == 2 and "got 'cuda:7'" in again.err


@pytest.mark.slow
def test_a_checkpoint_that_does_not_say_its_device(run):
    folder = run(*SMALL, "device=cpu").folder
    change(folder, device=None)
    again = run(f"training.resume={folder}", "training.epochs=4")
    assert again.status == 0 and "goes on on" not in again.out


@pytest.mark.parametrize(
    "state", [3, {"kind": 3, "state": torch.zeros(2, dtype=torch.uint8)}, {"kind": "cuda"}]
)
def test_a_damaged_state_of_a_device(run, state):
    folder = run(*SMALL, "device=cpu").folder
    content = load(folder / "checkpoint.pt")
    change(folder, random_state={**content["random_state"], "accelerator": state})
    again = run(f"training.resume={folder}", "training.epochs=4")
    assert again.status == 2 and "is damaged" in again.err and again.err.count("\n") == 1
