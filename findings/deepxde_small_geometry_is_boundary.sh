#!/bin/sh
# DeepXDE: on an interval of a few micrometres, given in metres, inner points count as its boundary.
# Documentation:
#   https://deepxde.readthedocs.io/en/latest/modules/deepxde.geometry.html (on_boundary tells whether
#   points lie on the boundary; no word of a length below which it does not)
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

sys.stderr = sys.__stderr__


def seen(length):
    """Return how many of 100 inner points are on the boundary, and points that the walls get."""
    line = dde.geometry.Interval(0, length)
    square = dde.geometry.Rectangle([0, 0], [length, length])
    walls = dde.icbc.DirichletBC(line, lambda x: 0 * x, lambda _, on: on)
    data = dde.data.PDE(line, dde.grad.hessian, walls, num_domain=100, num_boundary=2)
    inner = line.uniform_points(100, boundary=False)
    of_square = square.uniform_points(100, boundary=False)
    return (
        int(line.on_boundary(inner).sum()),
        int(square.on_boundary(of_square).sum()) * 100 // len(of_square),
        int(data.num_bcs[0]),
    )


print("deepxde", dde.__version__)
print("inner points on the boundary of an interval, of a square (of 100), points of the walls' loss")
print("expected: 0, 0, 2 whatever the unit of length")
rows = {length: seen(length) for length in (1.0, 1e-3, 1e-5, 1e-6)}
for length, row in rows.items():
    print(f"seen:     {row} for a length of {length:g}")
stands = rows[1.0] == rows[1e-3] == (0, 0, 2) and rows[1e-5][0] > 10 and rows[1e-5][2] > 10
stands = stands and rows[1e-6] == (100, 100, 102)
print("stands: the wall's value is trained inside" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
