"""Korteweg's and de Vries' u_t + u u_x + mu^2 u_xxx = 0, mu = 0.022, of period 2, t <= 1.

From cos(pi x), which steepens and breaks into a train of solitons (Zabusky and Kruskal 1965). Slabs
in time, each with a network of its own that sees x by waves of the period, and begins where the
former one ends. The reference is ETDRK4 with 1024 nodes, converged to 3e-10
(`pinn_ext.references`).

Error: relative L2 of u on a grid of 512 x 201 points, as in jaxpi's file.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")  # before the first import of deepxde

import deepxde as dde
import numpy as np
import torch
from _clock import SlabTraining
from scipy.stats import qmc

import pinn_ext
from pinn_ext import references

SECONDS = 150.0  # of one core
EDGES = (0.0, 0.2, 0.3, *np.linspace(0.37, 1.0, 10))
POINTS, WIDTH, WAVES = 3000, 18, 4  # points of a slab
MU = 0.022


def pde(x, u):
    u_x, u_t = dde.grad.jacobian(u, x, j=0), dde.grad.jacobian(u, x, j=1)
    u_xxx = dde.grad.hessian(u_x, x, i=0, j=0)
    return u_t + u * u_x + MU**2 * u_xxx


def truth():
    """Return the points of the measure and the solution there."""
    x, t = np.meshgrid(np.linspace(-1, 1, 512, endpoint=False), np.linspace(0, 1, 201))
    points = np.column_stack((x.ravel(), t.ravel()))
    return points, references.load("kdv/jaxpi").evaluate(points[:, :1], points[:, 1])


def trivial(points):
    """Return the start, held: what a network scores that returns zero."""
    return np.cos(np.pi * points[:, :1])


def errors(found, true):
    """Return the relative L2 error."""
    return {"u": np.linalg.norm(found - true) / np.linalg.norm(true)}


def initial(x):
    return torch.cos(np.pi * x[:, :1])


def build(slab, seed):
    """Return a compiled model on the times of a slab."""
    line, times = dde.geometry.Interval(-1, 1), dde.geometry.TimeDomain(slab.lower, slab.upper)
    domain = dde.geometry.GeometryXTime(line, times)
    x, t = qmc.Halton(2, seed=seed).random(POINTS).T
    anchors = np.column_stack((2 * x - 1, slab.lower + (slab.upper - slab.lower) * t))
    data = dde.data.TimePDE(domain, pde, [], num_domain=0, anchors=anchors)
    net = dde.nn.FNN([2 * WAVES + 1, WIDTH, WIDTH, WIDTH, 1], "tanh", "Glorot normal")

    def features(x):
        angle = np.pi * x[:, :1]
        bands = [f(k * angle) for k in range(1, WAVES + 1) for f in (torch.cos, torch.sin)]
        return torch.cat((*bands, 2 * slab.ramp(x) - 1), dim=1)

    net.apply_feature_transform(features)
    net.apply_output_transform(slab.transform)
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-3, verbose=0)  # makes no step here
    return model


def solve(seconds=SECONDS, seed=0, look=None):
    """Train; return what gives u [N, 1] at points [N, 2], and facts for the table.

    There is nothing to `look` at before the last slab is done.
    """
    dde.config.set_default_float("float64")  # before data and network are built
    dde.config.set_random_seed(seed)
    train = SlabTraining(seconds, POINTS, block=100)
    solution = pinn_ext.march(lambda slab: build(slab, seed), EDGES, initial, train=train, order=3)
    return solution.predict, train.facts


if __name__ == "__main__":
    grid, true = truth()
    predict, facts = solve()
    print(facts, errors(predict(grid), true))
