"""Forced viscous Burgers equation with one callback that adapts the loss weights.

u_t + u u_x = u_xx + f on [0, 1], with f such that u = exp(-t) sin(2 pi x) is exact. The forcing
makes the loss of the equation hundreds of times larger than those of the conditions.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde
import numpy as np
import torch

import pinn_ext

dde.config.set_random_seed(0)


def exact(x):
    return np.exp(-x[:, 1:]) * np.sin(2 * np.pi * x[:, :1])


def pde(x, u):
    u_x = dde.grad.jacobian(u, x, i=0, j=0)
    u_t = dde.grad.jacobian(u, x, i=0, j=1)
    u_xx = dde.grad.hessian(u, x, i=0, j=0)
    phase, decay = 2 * np.pi * x[:, :1], torch.exp(-x[:, 1:])
    wave = decay * torch.sin(phase)
    force = (4 * np.pi**2 - 1) * wave + 2 * np.pi * wave * decay * torch.cos(phase)
    return u_t + u * u_x - u_xx - force


geom = dde.geometry.Interval(0, 1)
time = dde.geometry.GeometryXTime(geom, dde.geometry.TimeDomain(0, 1))
bc = dde.icbc.DirichletBC(time, lambda x: 0, lambda x, on_boundary: on_boundary)
ic = dde.icbc.IC(time, exact, lambda x, on_initial: on_initial)
data = dde.data.TimePDE(time, pde, [bc, ic], num_domain=300, num_boundary=60, num_initial=60)
net = dde.nn.FNN([2] + [20] * 3 + [1], "tanh", "Glorot normal")

model = dde.Model(data, net)
model.compile("adam", lr=5e-3, decay=("step", 750, 0.3))
model.train(
    iterations=1500,
    display_every=1000,
    callbacks=[pinn_ext.AdaptiveWeights("ema", period=50)],
)

x = time.uniform_points(2000)
error = dde.metrics.l2_relative_error(exact(x), model.predict(x))
print(f"relative L2 error of u: {error:.2e}")
