"""Burgers' equation: pseudo-time by one more callback in an ordinary DeepXDE script.

u_t + u u_x = nu u_xx on [-1, 1], nu = 0.1, u = 0 at both ends, u = -sin(pi x) at the start. What is
printed and tested is the loss of the equation: the term is in the training alone.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde
import numpy as np

import pinn_ext

dde.config.set_random_seed(0)
NU = 0.1


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
data = dde.data.TimePDE(time, pde, [bc, ic], num_domain=200, num_boundary=40, num_initial=40)
net = dde.nn.FNN([2] + [20] * 2 + [1], "tanh", "Glorot normal")

model = dde.Model(data, net)
model.compile("adam", lr=1e-2, decay=("cosine", 1500, 0.0), loss_weights=[1, 10, 10])
model.train(iterations=1500, display_every=500, callbacks=[pinn_ext.PseudoTime()])

x = time.uniform_points(1000)
error = dde.metrics.l2_relative_error(exact(x), model.predict(x))
print(f"relative L2 error of u: {error:.2e}")
