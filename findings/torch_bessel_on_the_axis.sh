#!/bin/sh
# torch: from the fourth on, derivatives of the Bessel function i0 are 0 at 0.
# Documentation:
#   https://docs.pytorch.org/docs/stable/special.html (i0 and i1 are given as power series, smooth
#   everywhere; no bound on their derivatives is stated)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import sys

import torch

torch.set_default_dtype(torch.float64)
# i0(r) = sum of (r/2)^2k / (k!)^2: its even derivatives at 0 are (2k)! / (4^k (k!)^2).
EXACT = [0, 1 / 2, 0, 3 / 8, 0, 5 / 16]


def derivatives(radius):
    """Return the first six derivatives of i0 at a radius."""
    r = torch.tensor(radius, requires_grad=True)
    value, found = torch.special.i0(r), []
    for _ in EXACT:
        (value,) = torch.autograd.grad(value, r, create_graph=True)
        found.append(value.item())
    return found


def row(values):
    return "  ".join(f"{value:8.5f}" for value in values)


print("torch", torch.__version__)
print("derivatives 1 to 6 of i0, the radial solution of a plate or a rod on a foundation")
print("expected at r = 0:      ", row(EXACT))
axis, beside = derivatives(0.0), derivatives(0.02)
print("seen     at r = 0:      ", row(axis))
print("seen     at r = 0.02:   ", row(beside))
stands = (
    all(abs(a - b) < 1e-12 for a, b in zip(axis[:3], EXACT))
    and axis[3] == axis[5] == 0
    and abs(beside[3] - EXACT[3]) < 1e-3
)
print("stands: wrong on the axis, right beside it" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
