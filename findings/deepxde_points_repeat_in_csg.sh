#!/bin/sh
# DeepXDE: in a difference or an intersection the default points are few, each taken many times.
# Documentation:
#   https://deepxde.readthedocs.io/en/latest/modules/deepxde.data.html (class PDE: num_domain is the
#   number of points sampled inside, and the attribute train_x_all is said to hold no duplicates)
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


def distinct(geometry, distribution):
    """Return how many training points DeepXDE makes of 1000 asked for, and how many differ."""
    data = dde.data.PDE(
        geometry, lambda x, y: y, [], num_domain=1000, train_distribution=distribution
    )
    return len(data.train_x_all), len(np.unique(data.train_x_all, axis=0))


disk = dde.geometry.Disk([0, 0], 1)
cases = {
    "disk": disk,
    "ring, disk without the inner 90 %": disk - dde.geometry.Disk([0, 0], 0.9),
    "lens, two disks 1.5 apart": disk & dde.geometry.Disk([1.5, 0], 1),
}
print("deepxde", dde.__version__)
print("expected: 1000 training points, all different")
seen = {}
for name, geometry in cases.items():
    default, pseudo = distinct(geometry, "Hammersley"), distinct(geometry, "pseudo")
    seen[name] = default
    print(f"seen:     {name}: {default[0]} points, {default[1]} different", end="")
    print(f" (train_distribution='pseudo': {pseudo[1]})")
whole, ring, lens = seen.values()
stands = whole == (1000, 1000) and ring[0] == lens[0] == 1000 and ring[1] < 250 and lens[1] < 250
print("stands: rejected points are replaced by the same points again" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
