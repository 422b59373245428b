"""What an import may load and change: modules are counted, as seconds depend on the machine."""

import os
import subprocess
import sys

import floors
import pytest

from tests.scripts import ROOT

LOADED = """
import sys, torch
before = set(sys.modules)
from pinn_ext import LossAggregator
own = set(sys.modules) - before
heavy = ("torch._dynamo", "sympy", "scipy", "deepxde", "torch_geometric", "matplotlib", "pandas")
print([name for name in heavy if name in own], len(own) < 0.2 * len(before))
import solvers, solvers.gauss_newton, solvers.quasi_newton, solvers.rk4.steps
print([name for name in ("rich", "hydra", *heavy) if name in sys.modules])
import torch
aggregator = LossAggregator("ema", ["a", "b"])
torch.optim.Adam([torch.zeros(1, requires_grad=True)])
print("torch._dynamo" in sys.modules)
"""


def test_the_aggregator_and_solvers_load_what_they_need_beside_torch():
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    aggregator, own_solvers, after_the_optimizer = done.stdout.splitlines()
    assert aggregator == "[] True"
    assert own_solvers == "['scipy']"
    assert after_the_optimizer == "True"  # so that the first step has nothing more to load


EVERYTHING = """
import importlib, sys, warnings
import matplotlib
matplotlib.use("svg")
warnings.simplefilter("ignore")
for name in sys.argv[1:]:
    importlib.import_module(name)
import matplotlib.pyplot as plt
print(matplotlib.get_backend(), plt.get_fignums(), "pinn_ext.reports.plots" in sys.modules)
"""


@pytest.mark.slow
def test_no_import_switches_the_backend_of_matplotlib():
    names = [name for name in floors.modules() if not name.endswith("__main__")]
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING, *names],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "svg [] True"


def test_nothing_of_ours_draws_by_pyplot():
    """Whose figures belong to the user: they would be shown in a notebook, and stay open."""
    found = [
        (module, own.name)
        for module, file in floors.modules().items()
        for own in floors.imports_of(module, file)
        if floors.inside(own.name, "matplotlib.pyplot") or own.name == "matplotlib"
    ]
    assert found == []
