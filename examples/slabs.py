"""Allen-Cahn in five slabs of time, each with a network that starts where the former one ends.

u_t = 1e-4 u_xx + 5 (u - u^3), periodic on [-1, 1], from x^2 cos(pi x). Period and start are built
into the network; what is trained is the equation alone, by Gauss-Newton.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde
import numpy as np
import torch

import pinn_ext
from pinn_ext import references

dde.config.set_default_float("float64")
dde.config.set_random_seed(0)


def pde(x, u):
    u_t = dde.grad.jacobian(u, x, i=0, j=1)
    return u_t - 1e-4 * dde.grad.hessian(u, x, i=0, j=0) - 5 * (u - u**3)


def build(slab):
    """Return a compiled model on the times of a slab."""
    line = dde.geometry.Interval(-1, 1)
    times = dde.geometry.TimeDomain(slab.lower, slab.upper)
    domain = dde.geometry.GeometryXTime(line, times)
    data = dde.data.TimePDE(domain, pde, [], num_domain=1400)
    net = dde.nn.FNN([6, 16, 16, 16, 1], "tanh", "Glorot normal")

    def features(x):
        angle = np.pi * x[:, :1]
        waves = [f(k * angle) for k in (1, 2) for f in (torch.cos, torch.sin)]
        return torch.cat((*waves, slab.start(x), 2 * slab.ramp(x) - 1), dim=1)

    net.apply_feature_transform(features)
    net.apply_output_transform(slab.transform)  # start of the slab + part of it passed * network
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-3, verbose=0)  # makes no step here
    return model


def train(model, slab):
    pinn_ext.train_gauss_newton(model, 20, verbose=0)


def initial(x):
    return x[:, :1] ** 2 * torch.cos(np.pi * x[:, :1])


def exact(x):
    return references.load("allen_cahn/jaxpi").evaluate(x[:, :1], x[:, 1])


edges = np.linspace(0, 1, 6)
solution = pinn_ext.march(build, edges, initial, train=train, reference=exact)
x, t = np.meshgrid(np.linspace(-1, 1, 201), np.linspace(0, 1, 51))
points = np.column_stack((x.ravel(), t.ravel()))
error = dde.metrics.l2_relative_error(exact(points), solution.predict(points))
print(f"relative L2 error of u: {error:.2e}")
