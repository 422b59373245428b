"""Lorenz' system: three unknown coefficients from 26 values of each field, to six digits.

x' = s (y - x), y' = x (r - z) - y, z' = x y - b z with s = 10, r = 15, b = 8/3; scipy makes the
observations. Gauss-Newton trains the coefficients, which start at 1, along with the network.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde
import numpy as np
from scipy.integrate import solve_ivp

import pinn_ext

dde.config.set_default_float("float64")
dde.config.set_random_seed(0)
TRUE, END = np.array([10, 15, 8 / 3]), 2.0


def rates(t, state):
    (x, y, z), (s, r, b) = state, TRUE
    return [s * (y - x), x * (r - z) - y, x * y - b * z]


times = np.linspace(0, END, 26)
start = [-8, 7, 27]
observed = solve_ivp(rates, (0, END), start, "DOP853", times, rtol=1e-12, atol=1e-12).y.T

s, r, b = (dde.Variable(1.0) for _ in range(3))


def lorenz(t, fields):
    x, y, z = fields[:, 0:1], fields[:, 1:2], fields[:, 2:3]
    x_t, y_t, z_t = (dde.grad.jacobian(fields, t, i=i) for i in range(3))
    return [x_t - s * (y - x), y_t - x * (r - z) + y, z_t - x * y + b * z]


geom = dde.geometry.TimeDomain(0, END)
conditions = [
    dde.icbc.PointSetBC(times[:, None], observed[:, i : i + 1], component=i) for i in range(3)
]
data = dde.data.PDE(geom, lorenz, conditions, num_domain=400, num_boundary=2)
net = dde.nn.FNN([1] + [16] * 3 + [3], "sin", "Glorot normal")
net.apply_feature_transform(lambda t: t - END / 2)
net.apply_output_transform(lambda t, fields: 10 * fields)

model = dde.Model(data, net)
model.compile("adam", lr=1e-3, external_trainable_variables=[s, r, b])
watch = dde.callbacks.VariableValue([s, r, b], period=40, precision=8)
pinn_ext.train_gauss_newton(
    model, 200, weights="balance", display_every=40, callbacks=[watch]
)  # residuals of 1e2 and observations of 1e1 need weights: "balance" finds them

found = np.array([s.item(), r.item(), b.item()])
print("found:", *(f"{value:.8f}" for value in found))
print(f"relative L2 error of the coefficients: {dde.metrics.l2_relative_error(TRUE, found):.2e}")
