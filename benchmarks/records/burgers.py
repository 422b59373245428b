"""Burgers' equation u_t + u u_x = nu u_xx, nu = 0.01/pi, from -sin(pi x) on [-1, 1], t <= 1.

u = 0 at both ends. A front of width 0.006 forms at x = 0. u is odd, so half of the interval is
enough: it is trained on [0, 1] and continued. Start and ends are built into the network's output.
It sees x twice, as it is and as tanh(x / 0.05), which stretches the front, and half of the points
lie near it.

The reference is the transformation of Cole and Hopf with the trapezoidal rule, converged to 2e-13
(`pinn_ext.references`). Error: relative L2 of u on a grid of 256 x 100 points, as in Raissi's file.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")  # before the first import of deepxde

import deepxde as dde
import numpy as np
import torch
from _clock import train_for
from scipy.stats import qmc

from pinn_ext import references

SECONDS = 200.0  # of one core
POINTS, WIDTH = 4096, 20
NU = 0.01 / np.pi


def pde(x, u):
    u_x, u_t = dde.grad.jacobian(u, x, j=0), dde.grad.jacobian(u, x, j=1)
    return u_t + u * u_x - NU * dde.grad.hessian(u, x, i=0, j=0)


def truth():
    """Return the points of the measure and the solution there."""
    x, t = np.meshgrid(np.linspace(-1, 1, 256), np.linspace(0, 0.99, 100))
    points = np.column_stack((x.ravel(), t.ravel()))
    return points, references.load("burgers/raissi").evaluate(points[:, :1], points[:, 1])


def trivial(points):
    """Return the start, held: what a network scores that returns zero."""
    return -np.sin(np.pi * points[:, :1])


def errors(found, true):
    """Return the relative L2 error."""
    return {"u": np.linalg.norm(found - true) / np.linalg.norm(true)}


def draw_points(seed):
    """Return points of half the interval, every second one near the front."""
    x, t = qmc.Sobol(2, seed=seed).random(POINTS).T
    near = np.arange(POINTS) < POINTS // 2
    x[near] = np.minimum(0.02 * np.tan(0.485 * np.pi * x[near]), 1)
    return np.column_stack((x, t))


def features(x):
    half = abs(x[:, :1])
    return torch.cat((half, torch.tanh(half / 0.05), 2 * x[:, 1:] - 1), dim=1)


def start_and_ends(x, y):
    x, t = x[:, :1], x[:, 1:]
    return -torch.sin(np.pi * x) + t * torch.tanh(x / 0.05) * (1 - x**2) * y


def build(seed):
    """Return a compiled model."""
    dde.config.set_default_float("float64")  # before data and network are built
    dde.config.set_random_seed(seed)
    line, times = dde.geometry.Interval(0, 1), dde.geometry.TimeDomain(0, 1)
    domain = dde.geometry.GeometryXTime(line, times)
    data = dde.data.TimePDE(domain, pde, [], num_domain=0, anchors=draw_points(seed))
    net = dde.nn.FNN([3, WIDTH, WIDTH, WIDTH, 1], "tanh", "Glorot normal")
    net.apply_feature_transform(features)
    net.apply_output_transform(start_and_ends)
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-3, verbose=0)  # makes no step here
    return model


def solve(seconds=SECONDS, seed=0, look=None):
    """Train; return what gives u [N, 1] at points [N, 2], and facts for the table.

    `look(predict)` may return errors by name, which are printed in the course of it.
    """
    model = build(seed)
    return model.predict, train_for(seconds, model, POINTS, look)


if __name__ == "__main__":
    grid, solution = truth()
    predict, facts = solve(look=lambda predict: errors(predict(grid), solution))
    print(facts, errors(predict(grid), solution))
