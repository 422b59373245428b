#!/bin/sh
# PhysicsNeMo: on grids all samples of a batch get the derivatives of the first.
# Documentation:
#   https://docs.nvidia.com/physicsnemo/latest/physicsnemo/api/physicsnemo.sym.html
#   (PhysicsInformer: its example on a grid hands over a tensor with axes for batch and channel
#   before those of space)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 torchvision==0.28.0 nvidia-physicsnemo==2.2.0 sympy==1.14.0 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import math
import sys
import warnings
from importlib.metadata import version

warnings.simplefilter("ignore")
import torch

try:
    import torchvision
except RuntimeError:
    # The public wheel is for CUDA. Beside a CPU build of torch it lacks two operators that its
    # import describes and nothing here calls.
    for name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float c) -> Tensor")
from physicsnemo.sym.eq.pde import PDE
from physicsnemo.sym.eq.phy_informer import PhysicsInformer
from sympy import Function, Symbol


class Eigen(PDE):
    """u_xx + u_yy + 2 u = 0."""

    def __init__(self):
        self.dim = 2
        x, y = Symbol("x"), Symbol("y")
        u = Function("u")(x, y)
        self.equations = {"residual": u.diff(x, 2) + u.diff(y, 2) + 2 * u}


nodes = torch.arange(32) * (2 * math.pi / 32)
x, y = torch.meshgrid(nodes, nodes, indexing="ij")
wave = torch.sin(x) * torch.sin(y)
batch = torch.stack([wave, 3 * wave, torch.cos(x) * torch.sin(y)])[:, None]  # all are solutions
print("nvidia-physicsnemo", version("nvidia-physicsnemo"), "torch", torch.__version__)
print("expected: residual 0 for each of three solutions, alone or in a batch [3, 1, 32, 32]")
stands = True
for method, how in (
    ("spectral", {"bounds": [2 * math.pi] * 2}),
    ("finite_difference", {"fd_dx": 2 * math.pi / 32}),
):
    informer = PhysicsInformer(["residual"], Eigen(), method, **how)
    alone = [informer.forward({"u": one[None]})["residual"].abs().max().item() for one in batch]
    found = informer.forward({"u": batch})["residual"]
    together = found.flatten(1).abs().max(1).values.tolist()
    print(f"seen:     {method}: largest residual alone", [f"{r:.3f}" for r in alone], end="")
    print(f", in the batch {[f'{r:.3f}' for r in together]}, shape {list(found.shape)}")
    stands &= max(alone) < 0.1 and together[0] < 0.1 and min(together[1:]) > 1
print("stands: the second and third have the first one's derivatives" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
