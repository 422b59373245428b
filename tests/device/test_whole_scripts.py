"""Whole scripts on the device: one from a cloud to a checkpoint on the CPU, and the examples."""

import re
import sys
from pathlib import Path

import deepxde as dde
import pytest
import torch

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"
# What is made shorter in each example: they are tried here, not judged.
SHORTER = {
    "adam_then_lbfgs": {"iterations=800": "iterations=4", "maxiter=300": "maxiter=8"},
    "burgers_adaptive": {"iterations=1500": "iterations=4", "period=50": "period=2"},
    "gauss_newton": {"iterations=500": "iterations=3", "(model, 80)": "(model, 2)"},
    "gradient_directions": {"STEPS = 1000": "STEPS = 22"},
    "inverse_gauss_newton": {"model, 200,": "model, 2,", "num_domain=400": "num_domain=40"},
    "lbfgs_that_ends_early": {
        "iterations=2000": "iterations=4",
        'model.compile("L-BFGS")': (
            'dde.optimizers.set_LBFGS_options(maxiter=8)\nmodel.compile("L-BFGS")'
        ),
        "(model, 300)": "(model, 2)",
    },
    "loss_aggregator": {"STEPS = 1500": "STEPS = 22"},
    "plain_torch_loop": {"EPOCHS, BATCHES = 120, 10": "EPOCHS, BATCHES = 2, 2"},
    "pseudo_time": {"iterations=1500": "iterations=4"},
    "slabs": {"linspace(0, 1, 6)": "linspace(0, 1, 3)", "(model, 20,": "(model, 2,"},
}


def test_from_a_cloud_to_a_checkpoint_that_the_cpu_reads(run_script, tmp_path):
    script = HERE / "whole_script.py"
    done = run_script(script, "train", "saved.pt", folder=tmp_path)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-4000:]
    found = re.search(r"(\d+) nodes on pretend:0, defect on the graph (\S+)", done.stdout)
    assert int(found[1]) > 4900 and float(found[2]) < 0.1
    done = run_script(script, "load", "saved.pt", folder=tmp_path)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-4000:]
    difference = re.search(r"loaded on the CPU, largest difference (\S+)", done.stdout)[1]
    assert float(difference) < 1e-12


@pytest.mark.parametrize("name", SHORTER)
def test_an_example(default_device, monkeypatch, tmp_path, capsys, name):
    """Those that leave the device to DeepXDE, or to torch's default."""
    if name == "gradient_directions":
        pytest.importorskip("torchjd", reason="needs the extra `conflict`")
    monkeypatch.chdir(tmp_path)
    source = (EXAMPLES / f"{name}.py").read_text("utf-8")
    for text, shorter in SHORTER[name].items():
        assert text in source
        source = source.replace(text, shorter)
    space = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), space)
    last = capsys.readouterr().out.rstrip().splitlines()[-1]
    assert re.fullmatch(r"relative L2 error.*: \d\.\d+e[+-]\d+", last), last
    if "solution" in space:  # in slabs
        nets = [model.net for model in space["solution"].models]
    else:
        nets = [space["net"]] if "net" in space else [space["model"].net]
    assert {p.device for net in nets for p in net.parameters()} == {default_device}


def test_examples_that_are_left_out_touch_no_device():
    left_out = {path.stem for path in EXAMPLES.glob("*.py")} - set(SHORTER)
    assert left_out == {"gray_scott_on_a_graph", "least_squares_and_scipy"}
    assert "deepxde" in sys.modules and dde.backend.backend_name == "pytorch"
    for name in left_out:
        assert "deepxde" not in (EXAMPLES / f"{name}.py").read_text("utf-8")
    assert torch.get_default_device().type == "cpu"
