"""What can be refused is refused before torch is loaded; a terminal is told what takes so long."""

import os
import subprocess
import sys

import pytest

from tests.scripts import ROOT

pty = pytest.importorskip("pty")
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
    ["dataset=mesh", "problem.conditions=soft"],
    ["dataset=mesh", "problem.conditions=soft", "dataset.path=nowhere.msh"],
):
    assert main(arguments) == 2, arguments
    assert "torch" not in sys.modules, arguments
"""


def test_refused_without_torch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("pinn-ext: ") == 12 and "loading" not in done.stderr


def test_a_terminal_is_told_once(tmp_path):
    """The line comes before torch, which is replaced here by something quick to load."""
    (tmp_path / "torch.py").write_text("raise SystemExit('torch is loaded now')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import pinn_ext.cli; "
    code += "pinn_ext.cli.main(['seed=1'])"
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, stderr=theirs
    )
    os.close(theirs)
    lines = os.read(ours, 10_000).decode().splitlines()
    assert done.returncode == 1 and lines == ["loading …", "torch is loaded now"]
