"""Driven string: Adam with adaptive weights, then L-BFGS with the weights that Adam ended with.

u_tt = u_xx + f on [0, 1], u = 0 at both ends, at rest at the start. The driving force
f = 3 pi^2 sin(2 pi x) cos(pi t) makes u = sin(2 pi x) cos(pi t) the exact solution.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde
import numpy as np
import torch

import pinn_ext

dde.config.set_random_seed(0)


def exact(x):
    return np.sin(2 * np.pi * x[:, :1]) * np.cos(np.pi * x[:, 1:])


def pde(x, u):
    force = 3 * np.pi**2 * torch.sin(2 * np.pi * x[:, :1]) * torch.cos(np.pi * x[:, 1:])
    return dde.grad.hessian(u, x, i=1, j=1) - dde.grad.hessian(u, x, i=0, j=0) - force


geom = dde.geometry.Interval(0, 1)
time = dde.geometry.GeometryXTime(geom, dde.geometry.TimeDomain(0, 1))
bc = dde.icbc.DirichletBC(time, lambda x: 0, lambda x, on_boundary: on_boundary)
ic = dde.icbc.IC(time, exact, lambda x, on_initial: on_initial)
rest = dde.icbc.OperatorBC(
    time, lambda x, u, _: dde.grad.jacobian(u, x, i=0, j=1), lambda x, on_boundary: x[1] == 0
)
data = dde.data.TimePDE(time, pde, [bc, ic, rest], num_domain=300, num_boundary=60, num_initial=60)
net = dde.nn.FNN([2] + [20] * 3 + [1], "tanh", "Glorot normal")

model = dde.Model(data, net)
weights = pinn_ext.AdaptiveWeights("equal_init_ema", period=50)
model.compile("adam", lr=5e-3)
model.train(iterations=800, display_every=800, callbacks=[weights])

# Compiling again without loss_weights would drop them; the callback hands them over.
dde.optimizers.set_LBFGS_options(maxiter=300)
model.compile("L-BFGS")
model.train(display_every=1000, callbacks=[weights])

x = time.uniform_points(2000)
error = dde.metrics.l2_relative_error(exact(x), model.predict(x))
print(f"relative L2 error of u: {error:.2e}")
