#!/bin/sh
# DeepXDE: on PyTorch, set_LBFGS_options(maxiter=20) makes hundreds of iterations.
# Documentation:
#   https://deepxde.readthedocs.io/en/latest/modules/deepxde.optimizers.html (set_LBFGS_options:
#   maxiter is the "maximum number of iterations", on PyTorch max_iter of torch.optim.LBFGS)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 deepxde==1.15.0 numpy==2.4.6 scipy==1.17.1
cd "$dir"
cat > finding.py <<'PY'
import os
import sys

os.environ["DDE_BACKEND"] = "pytorch"
sys.stderr = open(os.devnull, "w")
import deepxde as dde
import torch

sys.stderr = sys.__stderr__


def iterations(limit):
    """Return how many L-BFGS makes that may make as many as `limit`."""
    torch.set_num_threads(1)
    dde.config.set_random_seed(0)
    line = dde.geometry.Interval(-1, 1)
    walls = dde.icbc.DirichletBC(line, lambda x: 0, lambda _, on: on)

    def poisson(x, y):
        return dde.grad.hessian(y, x) + 9 * torch.sin(3 * x)

    data = dde.data.PDE(line, poisson, walls, 32, 2)
    model = dde.Model(data, dde.nn.FNN([1, 20, 20, 1], "tanh", "Glorot uniform"))
    dde.optimizers.set_LBFGS_options(maxiter=limit)
    model.compile("L-BFGS", verbose=0)
    model.train(verbose=0)
    return next(iter(model.opt.state.values()))["n_iter"]


print("deepxde", dde.__version__, "torch", torch.__version__)
print("iterations of L-BFGS after set_LBFGS_options(maxiter=N)")
found = {limit: iterations(limit) for limit in (5, 20)}
for limit, made in found.items():
    print(f"expected: at most {limit}; seen: {made}")
stands = all(made > 5 * limit for limit, made in found.items())
print("stands: a block of up to 1000 is made whatever maxiter is" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
