#!/bin/sh
# PINA: the first causal weight is exp(-eps L(t_1)) where the documentation has 1.
# Documentation:
#   https://mathlab.github.io/PINA/_rst/solver/causal_physics_informed_single_model_solver.html
#   (the weight of a time is the exponential of minus eps times the sum of the losses before it)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 pina-mathlab==0.3.2 lightning==2.6.6 torch-geometric==2.8.1 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import logging
import math
import sys
import warnings
from importlib.metadata import version

import torch
from pina import Condition, Trainer
from pina.domain import CartesianDomain
from pina.equation import Equation
from pina.problem import SpatialProblem, TimeDependentProblem
from pina.solver import CausalPhysicsInformedSingleModelSolver

warnings.simplefilter("ignore")
for name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(name).setLevel(logging.ERROR)


class Decay(SpatialProblem, TimeDependentProblem):
    """The equation u = 0, so that the residual is the network's answer."""

    output_variables = ["u"]
    spatial_domain = CartesianDomain({"x": [0, 1]})
    temporal_domain = CartesianDomain({"t": [0, 1]})
    domains = {"all": CartesianDomain({"x": [0, 1], "t": [0, 1]})}
    conditions = {"equation": Condition(domain="all", equation=Equation(lambda x, u: u))}


class One(torch.nn.Module):
    """Answers 1 everywhere: each time has a mean square residual of 1."""

    def __init__(self):
        super().__init__()
        self.value = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.value.expand(len(x), 1)


def first_loss(eps, times):
    """Return the loss of the first step, and the answer after 200 steps of Adam at 1e-3."""
    problem, network = Decay(), One()
    problem.discretise_domain(n=20, mode="random")
    losses = []
    solver = CausalPhysicsInformedSingleModelSolver(
        problem, network, eps=eps, n_steps=times, regularized_conditions=["equation"]
    )
    for epochs in (1, 199):
        trainer = Trainer(
            solver,
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.train()
        losses.append(trainer.callback_metrics["train_loss"].item())
    return losses[0], network.value.item()


print("pina-mathlab", version("pina-mathlab"), "torch", torch.__version__)
print("residual 1 at all times; weights by the documentation 1, e^-eps, e^-2eps, ...")
wanted = (1 + math.exp(-1)) / 2
loss, _ = first_loss(1, 2)
print(f"eps 1, 2 times:     expected loss {wanted:.4f}, seen {loss:.4f}")
shifted = (math.exp(-1) + math.exp(-2)) / 2
start, answer = first_loss(100, 10)
print(f"eps 100, 10 times:  expected loss 0.1000, seen {start:.4g}; u after 200 steps {answer:.4f}")
stands = abs(loss - shifted) < 1e-4 and start < 1e-40 and abs(answer - 1) < 1e-4
print("stands: with the default eps nothing is trained from here" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
