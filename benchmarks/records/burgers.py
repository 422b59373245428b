"""Burgers' equation u_t + u u_x = nu u_xx, nu = 0.01/pi, from -sin(pi x) on [-1, 1], t <= 1.

u = 0 at both ends. A front of width 0.006 forms at x = 0. The reference is the transformation of
Cole and Hopf with the trapezoidal rule, converged to 2e-13 (`pinn_ext.references`).

Start and ends are built into the network, and that u is odd in x, so that half the interval is
enough. Half of the points lie near the front, and the network sees x once more, stretched there.

Error: relative L2 of u on a grid of 256 x 100 points, as in Raissi's file.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")  # before the first import of deepxde

import deepxde as dde
import numpy as np
import torch
from _clock import CoreSeconds

import pinn_ext
from pinn_ext import references

SECONDS = 300.0  # of one core
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


def build(points=6000, width=20, seed=0, act="tanh", near=0.02, stretch=0.05, odd=True, part=0.5):
    dde.config.set_default_float("float64")  # before data and network are built
    dde.config.set_random_seed(seed)
    draw = np.random.default_rng(seed)
    x = draw.uniform(0, 1, points)
    k = int(part * points)
    x[:k] = np.minimum(abs(near * np.tan(np.pi / 2 * 0.97 * x[:k])), 1)
    anchors = np.column_stack((x, draw.uniform(0, 1, points)))
    line, times = dde.geometry.Interval(0, 1), dde.geometry.TimeDomain(0, 1)
    domain = dde.geometry.GeometryXTime(line, times)
    data = dde.data.TimePDE(domain, pde, [], num_domain=0, anchors=anchors)

    def features(x):
        r = abs(x[:, :1])
        return torch.cat((r, torch.tanh(r / stretch), 2 * x[:, 1:] - 1), dim=1)

    def start_and_ends(x, y):
        y0 = y[:, :1]
        return -torch.sin(np.pi * x[:, :1]) + x[:, 1:] * torch.tanh(x[:, :1]/stretch) * (1 - x[:, :1] ** 2) * y0

    net = dde.nn.FNN([3, width, width, width, 1], act, "Glorot normal")
    if act != "tanh":
        from pinn_ext.networks import init_sine
        init_sine(net, act.w0 if hasattr(act, "w0") else 1.0, seed=seed)
    net.apply_feature_transform(features)
    net.apply_output_transform(start_and_ends)
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-3, verbose=0)  # makes no step here
    return model
