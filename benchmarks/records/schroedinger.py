"""The breather of Satsuma and Yajima: i h_t + h_xx / 2 + |h|^2 h = 0 from h = 2 sech x.

h = u + i v on the whole line, t in [0, pi/2], one period of |h|, which rises to 4 at pi/4. The
solution is known (J. Satsuma and N. Yajima, Prog. Theor. Phys. Suppl. 55, 1974, 284). It is even
in x and falls like exp(-|x|), as its start does. So the network sees x as sech x, which has both
properties, and its output is multiplied by it: the ends at infinity need no condition. Slabs in
time, each with a network of its own that begins where the former one ends.

Error: |h - exact| / |exact| on a grid of 481 x 201 points of [-12, 12] x [0, pi/2].
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")  # before the first import of deepxde

import deepxde as dde
import numpy as np
import torch
from _clock import SlabTraining
from scipy.stats import norm, qmc

import pinn_ext

SECONDS = 110.0  # of one core
END = np.pi / 2
SLABS, POINTS, WIDTH = 4, 2048, 18  # points of a slab


def pde(x, y):
    u, v = y[:, :1], y[:, 1:]
    u_t = dde.grad.jacobian(y, x, i=0, j=1)
    v_t = dde.grad.jacobian(y, x, i=1, j=1)
    u_xx = dde.grad.hessian(y, x, component=0, i=0, j=0)
    v_xx = dde.grad.hessian(y, x, component=1, i=0, j=0)
    square = u**2 + v**2
    return [u_t + v_xx / 2 + square * v, v_t - u_xx / 2 - square * u]


def exact(points):
    """Return u and v, [N, 2]: a quotient of sums of exponentials, divided by the largest."""
    x, t = abs(points[:, 0]), points[:, 1]
    e = np.exp(-2 * x)
    top = 1 + e**3 + 3 * np.exp(4j * t) * (e + e**2)
    below = 1 + e**4 + 4 * (e + e**3) + 6 * e**2 * np.cos(4 * t)
    h = 4 * np.exp(0.5j * t) * np.exp(-x) * top / below
    return np.column_stack((h.real, h.imag))


def truth():
    """Return the points of the measure and the solution there."""
    x, t = np.meshgrid(np.linspace(-12, 12, 481), np.linspace(0, END, 201))
    points = np.column_stack((x.ravel(), t.ravel()))
    return points, exact(points)


def trivial(points):
    """Return the start, held: what a network scores that returns zero."""
    return np.column_stack((2 / np.cosh(points[:, 0]), np.zeros(len(points))))


def errors(found, true):
    """Return relative L2 errors: of h, of each field, and of |h|."""
    both = {"h": (found, true), "u": (found[:, 0], true[:, 0]), "v": (found[:, 1], true[:, 1])}
    both["abs_h"] = (np.hypot(*found.T), np.hypot(*true.T))
    return {name: np.linalg.norm(f - r) / np.linalg.norm(r) for name, (f, r) in both.items()}


def build(slab, seed):
    """Return a compiled model on the times of a slab."""
    part, t = qmc.Sobol(2, seed=seed).random(POINTS).T
    x = np.minimum(2 * norm.isf(part / 2), 12)  # half the line, as all is even
    anchors = np.column_stack((x, slab.lower + (slab.upper - slab.lower) * t))
    line, times = dde.geometry.Interval(0, 12), dde.geometry.TimeDomain(slab.lower, slab.upper)
    domain = dde.geometry.GeometryXTime(line, times)
    data = dde.data.TimePDE(domain, pde, [], num_domain=0, anchors=anchors)
    net = dde.nn.FNN([2, WIDTH, WIDTH, WIDTH, 2], "tanh", "Glorot normal")

    def features(x):
        return torch.cat((2 / torch.cosh(x[:, :1]) - 1, 2 * slab.ramp(x) - 1), dim=1)

    def start_and_decay(x, y):
        return slab.start(x) + slab.ramp(x) / torch.cosh(x[:, :1]) * y

    net.apply_feature_transform(features)
    net.apply_output_transform(start_and_decay)
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-3, verbose=0)  # makes no step here
    return model


def initial(x):
    return torch.cat((2 / torch.cosh(x[:, :1]), 0 * x[:, :1]), dim=1)


def solve(seconds=SECONDS, seed=0, look=None):
    """Train; return what gives u and v [N, 2] at points [N, 2], and facts for the table.

    There is nothing to `look` at before the last slab is done.
    """
    dde.config.set_default_float("float64")  # before data and network are built
    dde.config.set_random_seed(seed)
    train, edges = SlabTraining(seconds, POINTS), np.linspace(0, END, SLABS + 1)
    # A network that has learnt one slab is a bad start for the next, where h turns on.
    solution = pinn_ext.march(
        lambda slab: build(slab, seed), edges, initial, train=train, warm_start=False
    )
    return solution.predict, train.facts


if __name__ == "__main__":
    grid, true = truth()
    predict, facts = solve()
    print(facts, errors(predict(grid), true))
