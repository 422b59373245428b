"""What can be refused is refused before torch is loaded, and work begins with a line."""

import inspect
import os
import subprocess
import sys

import pytest

from pinn_ext import choices, cli, schema, systems
from pinn_ext.program import commands
from pinn_ext.program.composition import compose
from pinn_ext.program.hydra_errors import keys, unknown_override
from pinn_ext.program.terminal import own_help, plain_numbers
from pinn_ext.version import __version__
from tests.scripts import ROOT

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

CODE = """
import sys
from pinn_ext.cli import main
for arguments in (
    ["training.resume=nowhere"],
    ["compare", "nowhere"],
    ["predict", "nowhere", "--out", "a.npz"],
    ["animate", "nowhere"],
    ["compare-reference", "nowhere", "a.npz"],
    ["predcit"],
    ["-m", "seed=range(0,1000000000)"],
    ["-m", "training.resume=nowhere", "seed=1,2"],
    ["training.weight_decay=1e300"],
    ["problem.parameters.nu=1e-60"],
    ["problem.parameters.sid=3"],
    ["problem.name=gray_scot"],
    ["problem.case=pulse"],
    ["problem=gray_scott", "problem.case=puls"],
    ["dataset=mesh", "problem.conditions=soft"],
    ["dataset=mesh", "problem.conditions=soft", "dataset.path=nowhere.msh"],
):
    assert main(arguments) == 2, arguments
    assert "torch" not in sys.modules, arguments
"""


def python(code, folder):
    """Run some lines in a process of their own."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )


def test_refused_without_torch(tmp_path):
    done = python(CODE, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("pinn-ext: ") == 16 and "loading" not in done.stderr


WORDS = """
import sys
from pinn_ext.cli import main
for arguments, status in (
    (["--version"], 0),
    (["--help"], 0),
    (["predcit"], 2),
    (["new", "-h"], 0),
    (["trainig=x"], 2),
    (["training.epoch=3"], 2),
    (["training.epochs=-3"], 2),
    (["seed=1", "dataset.step=0", "training.weight_decay=0.5"], 2),
    (["seed=1", "-m", "training.loss.adaptive.strateg=ema,fixed"], 2),
):
    assert main(arguments) == status, arguments
    loaded = {"hydra", "omegaconf", "rich", "torch", "deepxde", "numpy"} & set(sys.modules)
    assert not loaded, (arguments, loaded)
"""


def test_help_and_a_misspelt_key_need_neither_hydra_nor_torch(tmp_path):
    done = python(WORDS, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is no key of the configuration (did you mean") == 3
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_looked_at_in_the_configuration_that_hydra_would_compose():
    composed, _ = compose([])
    found, own = schema.as_dict(composed), schema.as_dict(schema.Config())
    del found["problem"]["parameters"], own["problem"]["parameters"]  # of the system, unchanged
    assert found == own


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        (["training.epochs=0"], True),
        (["seed=1", "training.learning_rate=-1e-3"], True),
        (["problem.scaling=0"], False),  # no number
        (["training.epochs=2.5"], False),  # no whole number: Hydra says so
        (["training.epochs=0", "training=gauss_newton"], False),  # where it is legal
        (["dataset.nodes_per_side=2"], True),
        ([f"seed={'9' * 5000}"], False),
        ([], False),
    ],
)
def test_which_numbers_are_refused_early(arguments, refused):
    assert bool(plain_numbers.refused(arguments)) == refused


@pytest.mark.parametrize("arguments", [["seed=1"], ["-m", "seed=1,2"], ["compare", "."]])
def test_work_begins_with_a_line(tmp_path, arguments):
    """The line comes before torch, which is replaced here by something quick to load."""
    (tmp_path / "torch.py").write_text("raise SystemExit('torch is loaded now')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import pinn_ext.cli; "
    code += f"pinn_ext.cli.main({arguments})"
    done = python(code, tmp_path)
    first, *_ = done.stderr.splitlines()
    assert first == f"pinn-ext {__version__}: loading PyTorch …"
    assert done.stderr.count("loading PyTorch") == 1


def test_version_is_ours(capsys):
    for arguments in (["--version"], ["seed=1", "--version"]):
        assert cli.main(arguments) == 0
        assert capsys.readouterr().out == f"pinn-ext {__version__}\n"


def test_help_names_what_there_is(capsys):
    assert cli.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"\n  {name}" in said for name in commands.NAMES)
    assert "-m KEY=A,B" in said and "training.resume=RUN" in said
    assert "training.epochs=50 " in said and "network.hidden=[32,32,32]" in said
    assert max(map(len, said.splitlines())) <= 100
    assert set(own_help._KEYS) - {"problem.parameters.NAME"} <= set(keys())
    assert cli.main(["-h"]) == 0 and capsys.readouterr().out == said


@pytest.mark.parametrize(
    "argument",
    [
        *("training=adaptive_ema", "training.loss.adaptive.options.anything=1", "+new.key=1"),
        *("~training", "hydra.run.dir=x", "hydra/launcher=joblib", "network.hidden.0=8", "-m"),
        *("dataset@other=grid", "problem.parameters={side: 1}", "training.loss.adaptive=null"),
    ],
)
def test_what_may_be_a_key_is_left_to_hydra(argument):
    assert unknown_override(argument) == ""


def test_systems_are_known_by_name_as_they_are():
    for name, cls in systems._REGISTRY.items():
        known = choices.SYSTEMS[name]
        assert known.parameters == tuple(inspect.signature(cls).parameters)
        assert known.cases == tuple(cls.cases)
    assert list(choices.SYSTEMS) == list(systems._REGISTRY)
