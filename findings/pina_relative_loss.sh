#!/bin/sh
# PINA: with a relative loss the loss of every solver is 1, and nothing is trained.
# Documentation:
#   https://mathlab.github.io/PINA/_rst/loss/lp_loss.html (LpLoss with relative=True divides the
#   distance of input and target by the norm of the input, the network's answer)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 pina-mathlab==0.3.2 lightning==2.6.6 torch-geometric==2.8.1 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import logging
import sys
import warnings
from importlib.metadata import version

import torch
from pina import Condition, Trainer
from pina.loss import LpLoss
from pina.optim import TorchOptimizer
from pina.problem import BaseProblem
from pina.solver import SupervisedSingleModelSolver

warnings.simplefilter("ignore")
for name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(name).setLevel(logging.ERROR)
X = torch.linspace(0, 1, 40)[:, None]
Y = 2 + 3 * X


class Fit(BaseProblem):
    input_variables = ["x"]
    output_variables = ["u"]
    conditions = {"data": Condition(input=X, target=Y)}


def run(loss):
    """Return the relative error of a fitted line before and after, and the loss that PINA logs."""
    line = torch.nn.Linear(1, 1)
    torch.nn.init.ones_(line.weight)
    torch.nn.init.ones_(line.bias)
    errors = [((line(X) - Y).norm() / Y.norm()).item()]
    # Not Adam, which would walk at random on the rounding of a gradient that is 0.
    descent = TorchOptimizer(torch.optim.SGD, lr=0.02)
    solver = SupervisedSingleModelSolver(Fit(), line, loss=loss, optimizer=descent, use_lt=False)
    trainer = Trainer(
        solver,
        max_epochs=500,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.train()
    errors.append(((line(X) - Y).norm() / Y.norm()).item())
    return *errors, trainer.callback_metrics["train_loss"].item()


print("pina-mathlab", version("pina-mathlab"), "torch", torch.__version__)
print("expected: LpLoss(relative=True) compares the network with the data, and a line is fitted")
before, after, loss = run(LpLoss())
print(f"seen:     relative=False: error {before:.3f} before, {after:.3f} after, loss {loss:.3f}")
plain_learns = after < 0.05
before, after, loss = run(LpLoss(relative=True))
print(f"          relative=True:  error {before:.3f} before, {after:.3f} after, loss {loss:.3f}")
stands = plain_learns and abs(loss - 1) < 1e-6 and abs(after - before) < 1e-3
print("stands: the residual is divided by itself" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
