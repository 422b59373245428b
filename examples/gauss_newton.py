"""Burgers' equation: one call of Gauss-Newton in place of L-BFGS.

u_t + u u_x = nu u_xx on [-1, 1], nu = 0.05 / pi, u = 0 at both ends, u = -sin(pi x) at the start.
All but the float type and the call of `train_gauss_newton` is an ordinary DeepXDE script.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde
import numpy as np

import pinn_ext

dde.config.set_default_float("float64")  # float32 would end at errors of about 1e-4
dde.config.set_random_seed(0)
NU = 0.05 / np.pi


def exact(x):
    """Return the solution of Cole and Hopf, a quotient of integrals, by Gauss-Hermite rules."""
    nodes, weights = np.polynomial.hermite.hermgauss(100)
    y = x[:, :1] - np.sqrt(4 * NU * x[:, 1:]) * nodes
    heat = weights * np.exp(-np.cos(np.pi * y) / (2 * np.pi * NU))
    return -np.sum(heat * np.sin(np.pi * y), 1, keepdims=True) / np.sum(heat, 1, keepdims=True)


def pde(x, u):
    u_x = dde.grad.jacobian(u, x, i=0, j=0)
    u_t = dde.grad.jacobian(u, x, i=0, j=1)
    u_xx = dde.grad.hessian(u, x, i=0, j=0)
    return u_t + u * u_x - NU * u_xx


geom = dde.geometry.Interval(-1, 1)
time = dde.geometry.GeometryXTime(geom, dde.geometry.TimeDomain(0, 1))
bc = dde.icbc.DirichletBC(time, lambda x: 0, lambda x, on_boundary: on_boundary)
ic = dde.icbc.IC(time, lambda x: -np.sin(np.pi * x[:, :1]), lambda x, on_initial: on_initial)
data = dde.data.TimePDE(time, pde, [bc, ic], num_domain=1000, num_boundary=80, num_initial=100)
net = dde.nn.FNN([2] + [20] * 3 + [1], "tanh", "Glorot normal")
model = dde.Model(data, net)
x = time.uniform_points(2000)

model.compile("adam", lr=1e-3)
model.train(iterations=500, display_every=500)
print(f"after Adam: {dde.metrics.l2_relative_error(exact(x), model.predict(x)):.2e}")

pinn_ext.train_gauss_newton(model, 80)  # instead of model.compile("L-BFGS") and model.train()
error = dde.metrics.l2_relative_error(exact(x), model.predict(x))
print(f"relative L2 error of u: {error:.2e}")
