"""Pressure in pascals: L-BFGS after Adam ends early, says why, and one line goes on.

p_t = p_xx - 10 exp(-t) (1 - pi^2) sin(pi x) on [-1, 1], p = 100000 at both ends; the solution is
100000 + 10 exp(-t) sin(pi x). All but the last lines is an ordinary DeepXDE script, in float32 and
with the default options of L-BFGS: near 100000 the numbers of float32 are 0.008 apart.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde
import numpy as np
import torch

import pinn_ext

dde.config.set_random_seed(0)


def exact(x):
    return 1e5 + 10 * np.exp(-x[:, 1:]) * np.sin(np.pi * x[:, :1])


def pde(x, p):
    p_t = dde.grad.jacobian(p, x, i=0, j=1)
    p_xx = dde.grad.hessian(p, x, i=0, j=0)
    source = 10 * (1 - np.pi**2) * torch.exp(-x[:, 1:]) * torch.sin(np.pi * x[:, :1])
    return p_t - p_xx + source


geom = dde.geometry.Interval(-1, 1)
time = dde.geometry.GeometryXTime(geom, dde.geometry.TimeDomain(0, 1))
bc = dde.icbc.DirichletBC(time, lambda x: 1e5, lambda x, on_boundary: on_boundary)
ic = dde.icbc.IC(time, exact, lambda x, on_initial: on_initial)
data = dde.data.TimePDE(time, pde, [bc, ic], num_domain=150, num_boundary=30, num_initial=30)
net = dde.nn.FNN([2] + [16] * 2 + [1], "tanh", "Glorot normal")
net.apply_output_transform(lambda x, y: 1e5 + 10 * y)
model = dde.Model(data, net)
x = time.uniform_points(2000)


def error():
    return dde.metrics.l2_relative_error(exact(x) - 1e5, model.predict(x) - 1e5)


model.compile("adam", lr=5e-3)
model.train(iterations=1000, display_every=1000)
print(f"after Adam: {error():.2e}")

model.compile("L-BFGS")
model.train(display_every=1000)
print(f"after L-BFGS: {error():.2e}")
print(pinn_ext.why_lbfgs_ended(model))

pinn_ext.train_quasi_newton(model, 500)  # in the place of the two lines of L-BFGS, or after them
print(f"relative L2 error of p - 100000: {error():.2e}")
