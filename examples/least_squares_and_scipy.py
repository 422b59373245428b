"""Rates of a chemical reaction fitted by `solvers.least_squares` and by scipy, side by side.

2 A -> B <-> C: A' = -2 k1 A^2, B' = k1 A^2 - k2 B + k3 C, C' = k2 B - k3 C. Each of 120
concentrations has an error of 1 %, and some are far off, which the robust loss bears. Ours
differentiates through the Runge-Kutta steps; scipy takes finite differences.
"""

import numpy as np
import scipy.optimize
import torch

from solvers.gauss_newton import least_squares

TRUE = torch.tensor([0.9, 0.5, 0.2], dtype=torch.float64)
START, STEP, SUBSTEPS, TIMES = [0.5, 0.5, 0.5], 0.125, 2, 40


def rates(state, k):
    a, b, c = state
    twice, over = k[0] * a * a, k[1] * b - k[2] * c
    return torch.stack((-2 * twice, twice - over, over))


def concentrations(k):
    """Return A, B and C at the times of measurement [40, 3] by Runge-Kutta steps."""
    state, answer = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64), []
    for step in range(1, TIMES * SUBSTEPS + 1):
        k1 = rates(state, k)
        k2 = rates(state + STEP / 2 * k1, k)
        k3 = rates(state + STEP / 2 * k2, k)
        k4 = rates(state + STEP * k3, k)
        state = state + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        if step % SUBSTEPS == 0:
            answer.append(state)
    return torch.stack(answer)


generator = torch.Generator().manual_seed(0)
noise = torch.randn(TIMES, 3, generator=generator, dtype=torch.float64)
far = torch.rand(TIMES, 3, generator=generator, dtype=torch.float64) < 0.05
measured = concentrations(TRUE) + 0.01 * noise + 0.3 * far


def residual(k):
    return (concentrations(k) - measured).reshape(-1)


calls = []


def residual_in_numpy(k):
    calls.append(k)
    return residual(torch.from_numpy(k)).numpy()


options = {"loss": "soft_l1", "f_scale": 0.02, "ftol": 1e-12, "xtol": 1e-12, "gtol": 1e-12}
plain = least_squares(residual, START)
ours = least_squares(residual, START, **options)
scipys = scipy.optimize.least_squares(residual_in_numpy, START, jac="3-point", **options)

print(f"{'':8}{'k1':>10}{'k2':>10}{'k3':>10}{'cost':>16}{'nfev':>6}{'njev':>6}")
for name, fit in (("ours", ours), ("scipy", scipys), ("no loss", plain)):
    values = "".join(f"{float(value):10.5f}" for value in fit.x)
    print(f"{name:8}{values}{fit.cost:16.12f}{fit.nfev:6}{fit.njev:6}")
print(f"{'true':8}" + "".join(f"{value:10.5f}" for value in TRUE.tolist()))
print(f"ours ended: {ours.message}")
print(f"scipy ended: {scipys.message} ({len(calls)} calls, those for differences included)")

difference = np.linalg.norm(ours.x.numpy() - scipys.x) / np.linalg.norm(scipys.x)
print(f"relative L2 error of ours against scipy's: {difference:.2e}")
