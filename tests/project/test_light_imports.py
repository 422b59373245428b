"""What an import may load: modules are counted, as seconds depend on the machine."""

import os
import subprocess
import sys

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
