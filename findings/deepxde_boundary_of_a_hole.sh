#!/bin/sh
# DeepXDE: half of the boundary points lie on a hole, however small it is.
# Documentation:
#   https://deepxde.readthedocs.io/en/latest/modules/deepxde.geometry.html (random_boundary_points:
#   random locations on the boundary; another density than a uniform one is not stated)
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
import numpy as np

sys.stderr = sys.__stderr__
dde.config.set_random_seed(0)
print("deepxde", dde.__version__)
print("boundary points of a unit disk with a hole, 20000 asked for")
parts = []
for radius in (0.5, 0.1, 0.01):
    plate = dde.geometry.Disk([0, 0], 1) - dde.geometry.Disk([0, 0], radius)
    points = plate.random_boundary_points(20000)
    part = (np.hypot(*points.T) < (1 + radius) / 2).mean()
    parts.append(part)
    wanted = radius / (1 + radius)
    print(f"  radius {radius}: expected on the hole {wanted:6.1%}, seen {part:6.1%}")
strip = dde.geometry.Rectangle([0, 0], [10, 1])
points = strip.random_boundary_points(20000)
short = ((points[:, 0] == 0) | (points[:, 0] == 10)).mean()
print(f"  a rectangle 10 x 1 beside it: expected on short sides {2 / 22:.1%}, seen {short:.1%}")
stands = all(abs(part - 0.5) < 0.02 for part in parts) and abs(short - 2 / 22) < 0.01
print("stands: each part gets one half, whatever its length" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
