"""Kovasznay's flow behind a grid at Re = 40: (w . grad) w + grad p = lap w / Re, div w = 0.

w = (u, v) on [-0.5, 1] x [-0.5, 1.5] (L. I. G. Kovasznay, Proc. Camb. Phil. Soc. 44, 1948, 58):
u = 1 - e^(l x) cos(2 pi y), v = l / (2 pi) e^(l x) sin(2 pi y), p = (1 - e^(2 l x)) / 2, with
l = Re / 2 - sqrt(Re^2 / 4 + 4 pi^2). u and v are given on the boundary, as loss terms; p nowhere.

Errors: relative L2 of u, v and p on 101 x 101 points, the mean of p removed, jointly and each.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")  # before the first import of deepxde

import deepxde as dde
import numpy as np
import torch
from _clock import train_for

from pinn_ext.networks import Sine, init_sine

SECONDS = 240.0  # of one core
RE = 40.0
LOW, HIGH = [-0.5, -0.5], [1.0, 1.5]


def pde(x, y):
    u, v = y[:, :1], y[:, 1:2]

    def d(field, axis):
        return dde.grad.jacobian(y, x, i=field, j=axis)

    def laplacian(field):
        return sum(dde.grad.hessian(y, x, component=field, i=k, j=k) for k in (0, 1))

    along = u * d(0, 0) + v * d(0, 1) + d(2, 0) - laplacian(0) / RE
    upward = u * d(1, 0) + v * d(1, 1) + d(2, 1) - laplacian(1) / RE
    return [along, upward, d(0, 0) + d(1, 1)]


def exact(points):
    """Return u, v and p [N, 3]."""
    rate = RE / 2 - np.sqrt(RE**2 / 4 + 4 * np.pi**2)
    decay, angle = np.exp(rate * points[:, 0]), 2 * np.pi * points[:, 1]
    u, v = 1 - decay * np.cos(angle), rate / (2 * np.pi) * decay * np.sin(angle)
    return np.column_stack((u, v, (1 - decay**2) / 2))


def truth():
    """Return the points of the measure and the solution there."""
    axes = [np.linspace(low, high, 101) for low, high in zip(LOW, HIGH, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    return points, exact(points)


def trivial(points):
    """Return what a network scores that returns zero."""
    return np.zeros((len(points), 3))


def errors(found, true):
    """Return relative L2 errors, of all fields together and of each."""
    found, true = (f - [0, 0, f[:, 2].mean()] for f in (found, true))
    size, miss = (np.linalg.norm(f, axis=0) for f in (true, found - true))
    each = dict(zip("uvp", miss / size, strict=True))
    return {"uvp": np.linalg.norm(miss) / np.linalg.norm(size), **each}


def solve(seconds=SECONDS, seed=0, look=None, width=30, count=2000):
    """Train; return what gives u, v and p [N, 3] at points [N, 2], and facts for the table."""
    dde.config.set_default_float("float64")  # before data and network are built
    dde.config.set_random_seed(seed)
    box = dde.geometry.Rectangle(LOW, HIGH)
    walls = [
        dde.icbc.DirichletBC(box, lambda x: exact(x)[:, :1], lambda _, on: on, component=0),
        dde.icbc.DirichletBC(box, lambda x: exact(x)[:, 1:2], lambda _, on: on, component=1),
    ]
    data = dde.data.PDE(box, pde, walls, num_domain=count, num_boundary=400)
    low, high = torch.tensor(LOW), torch.tensor(HIGH)
    net = dde.nn.FNN([2, width, width, width, 3], Sine(3.0), "Glorot normal")
    init_sine(net, 3.0, seed=seed)
    net.apply_feature_transform(lambda x: (2 * x - low - high) / (high - low))
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-3, verbose=0)  # makes no step here
    return model.predict, train_for(seconds, model, count + 400, look)


if __name__ == "__main__":
    grid, solution = truth()
    predict, facts = solve(look=lambda predict: errors(predict(grid), solution))
    print(facts, errors(predict(grid), solution))
