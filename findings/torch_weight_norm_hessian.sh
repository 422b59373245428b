#!/bin/sh
# torch: the Hessian of a loss through weight normalisation is not symmetric.
# Documentation:
#   https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.weight_norm.html
#   (weight = magnitude times direction / length of direction; no limit on derivatives is stated)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import sys

import torch
from torch.nn.utils.parametrizations import weight_norm

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
print("torch", torch.__version__)
layer = weight_norm(torch.nn.Linear(3, 2))
magnitude, direction = (
    getattr(layer.parametrizations.weight, name).detach() for name in ("original0", "original1")
)
inputs = torch.randn(5, 3)


def by_the_layer(v):
    return torch._weight_norm(v, magnitude, 0)


def by_its_formula(v):
    return magnitude * v / v.norm(dim=1, keepdim=True)


def hessian(weight):
    loss = lambda v: torch.tanh(inputs @ weight(v).T).square().sum()
    return torch.autograd.functional.hessian(loss, direction).reshape(6, 6)


same = torch.allclose(layer.weight, by_the_layer(direction))
print("a Newton step on a weight-normalised layer 3 -> 2 needs the Hessian by its directions")
print(f"  the layer's weight is that function: {same}")
layers, formulas = hessian(by_the_layer), hessian(by_its_formula)
asymmetry = [(h - h.T).abs().max().item() / h.abs().max().item() for h in (layers, formulas)]
error = ((layers - formulas).norm() / formulas.norm()).item()
print(f"  relative asymmetry, expected 0: of the layer {asymmetry[0]:.2g}, of the formula {asymmetry[1]:.1g}")
print(f"  relative difference of the two, expected 0: {error:.2g}")
stands = same and asymmetry[0] > 0.01 and asymmetry[1] < 1e-12 and error > 0.01
print("stands: second derivatives by the parameters are wrong" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
