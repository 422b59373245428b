"""Diffusion: L-BFGS after Adam ends early, says why, and one line goes on.

u_t = u_xx - exp(-t) (1 - pi^2) sin(pi x) on [-1, 1], u = 0 at both ends, u = sin(pi x) at the start; the exact
solution is exp(-t) sin(pi x). All but the last lines is DeepXDE's own example: float32, and L-BFGS
with its default options.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde
import numpy as np
import torch

import pinn_ext

dde.config.set_random_seed(0)


def exact(x):
    return np.exp(-x[:, 1:]) * np.sin(np.pi * x[:, :1])


def pde(x, u):
    u_t = dde.grad.jacobian(u, x, i=0, j=1)
    u_xx = dde.grad.hessian(u, x, i=0, j=0)
    return u_t - u_xx + torch.exp(-x[:, 1:]) * (1 - np.pi**2) * torch.sin(np.pi * x[:, :1])


geom = dde.geometry.Interval(-1, 1)
time = dde.geometry.GeometryXTime(geom, dde.geometry.TimeDomain(0, 1))
bc = dde.icbc.DirichletBC(time, lambda x: 0, lambda x, on_boundary: on_boundary)
ic = dde.icbc.IC(time, exact, lambda x, on_initial: on_initial)
data = dde.data.TimePDE(time, pde, [bc, ic], num_domain=300, num_boundary=40, num_initial=40)
net = dde.nn.FNN([2] + [20] * 3 + [1], "tanh", "Glorot normal")
model = dde.Model(data, net)
x = time.uniform_points(2000)


def error():
    return dde.metrics.l2_relative_error(exact(x), model.predict(x))


model.compile("adam", lr=1e-3)
model.train(iterations=3000, display_every=1000)
print(f"after Adam: {error():.2e}")

model.compile("L-BFGS")
model.train(display_every=1000)
print(f"after L-BFGS: {error():.2e}")
print(pinn_ext.why_lbfgs_ended(model))

pinn_ext.train_quasi_newton(model, 1000)  # in the place of the two lines of L-BFGS, or after them
print(f"relative L2 error of u: {error():.2e}")
