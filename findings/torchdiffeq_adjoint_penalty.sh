#!/bin/sh
# torchdiffeq: under odeint_adjoint the gradient of a term with a derivative of the solution in it
# is missing from backward().
# Documentation:
#   https://github.com/rtqichen/torchdiffeq#readme (odeint_adjoint takes the place of odeint and
#   needs less memory; the one demand it states is that func is an nn.Module)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 torchdiffeq==0.2.5 numpy==2.4.6 scipy==1.17.1
cd "$dir"
cat > finding.py <<'PY'
import sys
import warnings
from importlib.metadata import version

import torch
from torchdiffeq import odeint, odeint_adjoint

torch.set_default_dtype(torch.float64)


class Growth(torch.nn.Module):
    """y' = a y, so that y(1) = y0 e^a and dy(1)/dy0 = e^a."""

    def __init__(self):
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, t, y):
        return self.a * y


def gradient(solve):
    """Return d/da of y(1)^2 + (dy(1)/dy0)^2, a fit with a penalty on the sensitivity."""
    field = Growth()
    start = torch.tensor([2.0], requires_grad=True)
    end = solve(field, start, torch.tensor([0.0, 1.0]), rtol=1e-10, atol=1e-10)[-1]
    (slope,) = torch.autograd.grad(end.sum(), start, create_graph=True)
    (end.square() + slope.square()).sum().backward()
    return field.a.grad.item()


print("torchdiffeq", version("torchdiffeq"), "torch", torch.__version__)
whole = 2 * torch.e * (4 + 1)  # both terms: y0^2 e^2a and e^2a, differentiated by a
fit = 2 * torch.e * 4  # the first term alone
print(f"expected: {whole:.6f} from either solver (the fit alone has {fit:.6f})")
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    direct, adjoint = gradient(odeint), gradient(odeint_adjoint)
print(f"seen:     odeint {direct:.6f}, odeint_adjoint {adjoint:.6f}, {len(said)} warnings")
stands = abs(direct - whole) < 1e-6 and abs(adjoint - fit) < 1e-6 and not said
print("stands: the penalty has no gradient, no word is said" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
