#!/bin/sh
# PINA: the labels of input columns are read, those of target columns are not.
# Documentation:
#   https://mathlab.github.io/PINA/_rst/label_tensor.html (columns of a LabelTensor have names, by
#   which they are taken)
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
from pina import Condition, LabelTensor, Trainer
from pina.domain import CartesianDomain
from pina.optim import TorchOptimizer
from pina.problem import SpatialProblem
from pina.solver import SupervisedSingleModelSolver

for name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(name).setLevel(logging.WARNING)
torch.manual_seed(0)
x, y = torch.rand(2, 64)
COLUMNS = {"x": x, "y": y, "u": x, "v": 10 * y}


def run(inputs, targets):
    """Fit u = x and v = 10 y from columns in these orders, and ask for u and v at (0.2, 0.7)."""

    def labelled(names):
        return LabelTensor(torch.stack([COLUMNS[name] for name in names], 1), names)

    class Fit(SpatialProblem):
        output_variables = ["u", "v"]
        spatial_domain = CartesianDomain({"x": [0, 1], "y": [0, 1]})
        conditions = {"data": Condition(input=labelled(inputs), target=labelled(targets))}

    newton = TorchOptimizer(
        torch.optim.LBFGS, lr=1, max_iter=200, line_search_fn="strong_wolfe", tolerance_change=0
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        solver = SupervisedSingleModelSolver(Fit(), torch.nn.Linear(2, 2), optimizer=newton)
        Trainer(
            solver,
            max_epochs=3,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ).train()
    told = [w for w in said if "label" in str(w.message).lower()]
    answer = solver(LabelTensor(torch.tensor([[0.2, 0.7]]), ["x", "y"]))
    u, v = (answer.extract(name).tensor.item() for name in ("u", "v"))
    print(f"  input columns {inputs}, target columns {targets}: u = {u:.3f}, v = {v:.3f}", end="")
    print(f", warnings about labels: {len(told)}")
    return u, v, not told


def close(found, wanted):
    *pair, silent = found
    return silent and all(abs(a - b) < 0.05 for a, b in zip(pair, wanted))


print("pina-mathlab", version("pina-mathlab"), "torch", torch.__version__)
print("expected: u = 0.200, v = 7.000 whatever the order of labelled columns")
print("seen:")
plain = run(["x", "y"], ["u", "v"])
inputs = run(["y", "x"], ["u", "v"])
targets = run(["x", "y"], ["v", "u"])
stands = close(plain, (0.2, 7)) and close(inputs, (0.2, 7)) and close(targets, (7, 0.2))
print("stands: u and v have changed places, no word is said" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
