#!/bin/sh
# py-pde: beside a wall with a given value the Laplacian is 25 % off, however fine the grid.
# Documentation:
#   https://py-pde.readthedocs.io/en/latest/manual/mathematical_basics.html (operators are
#   second-order central differences on cell centres, boundary conditions act by virtual points)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    py-pde==0.59.0 numpy==2.4.6 scipy==1.17.1
cd "$dir"
cat > finding.py <<'PY'
import sys

import numpy as np
import pde

print("py-pde", pde.__version__)
print("Laplacian of x^2 on [0, 1], exact value 2 everywhere, exact data at both ends")
print("expected: an error that falls with the grid, as finite differences of second order have")
wall, slope, inside = [], [], []
for cells in (16, 64, 256):
    square = pde.ScalarField.from_expression(pde.CartesianGrid([[0, 1]], cells), "x**2")
    by_value = square.laplace(bc={"x-": {"value": 0}, "x+": {"value": 1}}).data
    by_slope = square.laplace(bc={"x-": {"derivative": 0}, "x+": {"derivative": 2}}).data
    wall.append(by_value[[0, -1]])
    slope.append(by_slope[[0, -1]])
    inside.append(by_value[1:-1])
    print(f"seen:     {cells:3d} cells: value given, at the walls {wall[-1].round(6)}", end="")
    print(f", others {by_value[1:-1].min():.6f}; slope given, at the walls {slope[-1].round(6)}")
stands = (
    np.allclose(wall, 1.5) and np.allclose(slope, 2) and all(np.allclose(row, 2) for row in inside)
)
print("stands: no convergence at the walls" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
