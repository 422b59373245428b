#!/bin/sh
# DeepXDE: mixed precision does not scale gradients: large loss weights end in NaN.
# Documentation:
#   https://deepxde.readthedocs.io/en/latest/modules/deepxde.html#deepxde.config.set_default_float
#   ('mixed' is the method of Hayford et al. (2024); no bound on losses or weights is stated)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 deepxde==1.15.0 numpy==2.4.6 scipy==1.17.1
cd "$dir"
cat > finding.py <<'PY'
import contextlib
import os
import sys

os.environ["DDE_BACKEND"] = "pytorch"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
sys.stderr = open(os.devnull, "w")
import deepxde as dde
import torch

sys.stderr = sys.__stderr__


def train(kind, weight, height=20.0):
    """Solve u'' = 0, u(0) = 0, u(1) = height; return first and last loss, and if all is finite."""
    with contextlib.redirect_stdout(None):  # it tells which type it sets
        dde.config.set_default_float(kind)
    dde.config.mixed = kind == "mixed"
    dde.config.set_random_seed(0)
    line = dde.geometry.Interval(0, 1)
    ends = dde.icbc.DirichletBC(line, lambda x: height * x, lambda _, on: on)
    data = dde.data.PDE(line, lambda x, u: dde.grad.hessian(u, x), [ends], 32, 2)
    net = dde.nn.FNN([1, 20, 20, 1], "tanh", "Glorot normal")
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-2, loss_weights=[1.0, weight], verbose=0)
    history, _ = model.train(iterations=50, display_every=50, verbose=0)
    finite = all(bool(values.isfinite().all()) for values in net.parameters())
    return history.loss_train[0].sum(), history.loss_train[-1].sum(), finite


print("deepxde", dde.__version__, "torch", torch.__version__)
print("u'' = 0 on a line between 0 and 20 degrees, 50 steps of Adam, on the CPU")
print("expected: the loss falls, whatever the float type and the loss weight")
seen = {(kind, w): train(kind, w) for w in (1e2, 1e4) for kind in ("float32", "mixed")}
for (kind, weight), (first, last, finite) in seen.items():
    print(
        f"seen:     weight {weight:7g} {kind:7}  loss {first:.3g} -> {last:.3g}, "
        f"parameters {'finite' if finite else 'not finite'}"
    )
# The gradient by the output, weight times 2 (u - 20) / 2, passes float16's largest number, 65504.
falls = [last < first and finite for first, last, finite in seen.values()]
stands = falls == [True, True, True, False] and not seen["mixed", 1e4][2]
print("stands: no gradient is scaled, all parameters are lost" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
