#!/bin/sh
# neurodiffeq: two bases of spherical harmonics in one module differ by the square root of pi.
# Documentation:
#   docstrings of neurodiffeq.function_basis, which its API page does not list (the zonal harmonics
#   are called spherical harmonics of order 0; no norm is stated)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 neurodiffeq==0.7.0 numpy==1.26.4 scipy==1.15.3
cd "$dir"
cat > finding.py <<'PY'
import sys
import warnings
from importlib.metadata import version

warnings.simplefilter("ignore")
import numpy as np
import torch
from neurodiffeq.function_basis import RealSphericalHarmonics, ZonalSphericalHarmonics

torch.set_default_dtype(torch.float64)
nodes, weights = np.polynomial.legendre.leggauss(20)  # cos(theta)
theta = torch.tensor(np.arccos(nodes))[:, None]
zero = torch.zeros_like(theta)
ORDER_ZERO = [0, 2, 6, 12, 20]  # m = 0 among the real harmonics of degrees 0 to 4


def norms(values):
    """Return the integral over the sphere of the square of each column."""
    return 2 * np.pi * (weights[:, None] * values.numpy() ** 2).sum(0)


real = RealSphericalHarmonics(max_degree=4)(theta, zero)[:, ORDER_ZERO]
zonal = ZonalSphericalHarmonics(max_degree=4)(theta, zero)
print("neurodiffeq", version("neurodiffeq"), "torch", torch.__version__)
print("expected: both the same functions of degree 0 to 4, order 0, with integral of square 1")
print("seen:     RealSphericalHarmonics  integrals of squares", norms(real).round(4))
print("          ZonalSphericalHarmonics integrals of squares", norms(zonal).round(4))
ratio = (real / zonal).numpy()
print("          ratio of the functions", ratio[0].round(6), "root of pi", round(np.pi**0.5, 6))
stands = np.allclose(ratio, np.pi**0.5) and np.allclose(norms(zonal), 1)
print("stands: coefficients of one cannot be taken for the other" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
