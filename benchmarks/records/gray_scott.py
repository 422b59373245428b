"""Gray-Scott with the numbers of jaxpi (arXiv:2308.08468), t <= 0.5, periodic on [-1, 1]^2.

    u_t = 0.2 lap u + 40 (1 - u) - 1000 u v^2,    v_t = 0.1 lap v - 100 v + 1000 u v^2

from u = 1 - exp(-10 |x - p|^2), v = exp(-10 |x + p|^2), p = (-0.05, -0.02). The two react within
0.01 and then move outward as a ring. So slabs of time are short at first, each starts where the
former one ends, and most points lie where the ring is. Period and start are built into the output.

Errors: relative L2 of u and v together and of each, over all times and at the last one, at 64 x 64
nodes and 26 times, against the stored reference `gray_scott/jaxpi` (exponential Runge-Kutta).
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")  # before the first import of deepxde

import deepxde as dde
import numpy as np
import torch
from _clock import CoreSeconds

import pinn_ext
from pinn_ext import references
from pinn_ext.networks import Sine, init_sine

SECONDS = 560.0  # of one core
EDGES = (0, 0.004, 0.01, 0.02, 0.035, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)


def pde(x, y):
    u, v = y[:, :1], y[:, 1:]

    def laplacian(field):
        return sum(dde.grad.hessian(y, x, component=field, i=k, j=k) for k in (0, 1))

    turnover = 1000 * u * v**2
    u_t = dde.grad.jacobian(y, x, i=0, j=2)
    v_t = dde.grad.jacobian(y, x, i=1, j=2)
    return [
        u_t - 0.2 * laplacian(0) - 40 * (1 - u) + turnover,
        v_t - 0.1 * laplacian(1) + 100 * v - turnover,
    ]


def initial(x):
    """Return u and v at t = 0, of the nearest image of x."""
    s, t = x[:, :1], x[:, 1:2]
    hole = torch.exp(-10 * ((s + 0.05) ** 2 + (t + 0.02) ** 2))
    seed = torch.exp(-10 * ((s - 0.05) ** 2 + (t - 0.02) ** 2))
    return torch.cat((1 - hole, seed), dim=1)


def truth():
    """Return the points of the measure, time by time, and the reference there."""
    nodes = np.linspace(-1, 1, 64, endpoint=False)
    grid = np.meshgrid(np.linspace(0, 0.5, 26), nodes, nodes, indexing="ij")
    t, x, y = (axis.ravel() for axis in grid)
    fields = references.load("gray_scott/jaxpi").evaluate(np.column_stack((x, y)), t)
    return np.column_stack((x, y, t)), fields


def trivial(points):
    """Return the start, held: what networks score that return zero."""
    return initial(torch.as_tensor(points)).numpy()


def errors(found, true):
    """Return relative L2 errors over all times and at the last one."""
    size, miss = (f.reshape(26, -1, 2) for f in (true, found - true))
    result = {}
    for when, some in (("", slice(None)), ("_last", slice(-1, None))):
        result["uv" + when] = np.linalg.norm(miss[some]) / np.linalg.norm(size[some])
    for when, some in (("", slice(None)), ("_last", slice(-1, None))):
        for k, name in enumerate("uv"):
            one, other = miss[some, :, k], size[some, :, k]
            result[name + when] = np.linalg.norm(one) / np.linalg.norm(other)
    return result


def places(slab, count, seed):
    """Return points and times [N, 3]: half of them anywhere, the others around the middle."""
    draw = np.random.default_rng([seed, slab.number])
    anywhere = draw.uniform(-1, 1, (count, 2))
    middle = draw.normal(0, 0.3 + 0.2 * slab.upper, (count, 2))
    outside = (abs(middle) > 1).any(axis=1) | (np.arange(count) % 2 == 0)
    middle[outside] = anywhere[outside]
    return np.column_stack((middle, draw.uniform(slab.lower, slab.upper, count)))


def build(slab, count, width, seed):
    """Return a compiled model on the times of a slab."""
    square = dde.geometry.Rectangle([-1, -1], [1, 1])
    times = dde.geometry.TimeDomain(slab.lower, slab.upper)
    domain = dde.geometry.GeometryXTime(square, times)
    data = dde.data.TimePDE(domain, pde, [], num_domain=0, anchors=places(slab, count, seed))

    def features(x):
        angle = np.pi * x[:, :2]
        waves = [f(k * angle) for k in (1, 2) for f in (torch.cos, torch.sin)]
        return torch.cat((*waves, 2 * slab.ramp(x) - 1), dim=1)

    net = dde.nn.FNN([9, width, width, width, 2], Sine(2.0), "Glorot normal")
    init_sine(net, 2.0, seed=seed)
    net.apply_feature_transform(features)
    net.apply_output_transform(slab.transform)
    model = dde.Model(data, net)
    length = slab.upper - slab.lower
    model.compile("adam", lr=1e-3, loss_weights=[length**2] * 2, verbose=0)  # makes no step here
    return model


def solve(seconds=SECONDS, seed=0, look=None, count=4000, width=20):
    """Train; return what gives u and v [N, 2] at points [N, 3], and facts for the table."""
    dde.config.set_default_float("float64")  # before data and network are built
    dde.config.set_random_seed(seed)
    whole = CoreSeconds(seconds)
    facts = {"iterations": 0}

    def train(model, slab):
        clock = CoreSeconds(whole.left / (slab.count - slab.number))
        pinn_ext.train_gauss_newton(
            model, 10**6, tolerance=0, damping="nielsen", callbacks=[clock], verbose=0
        )
        facts["iterations"] += clock.steps

    def builder(slab):
        return build(slab, count, width, seed)

    solution = pinn_ext.march(builder, EDGES, initial, train=train)
    nets = [model.net for model in solution.models]
    facts["parameters"] = sum(p.numel() for net in nets for p in net.parameters())
    facts["points"] = count * len(nets)
    return solution.predict, facts


if __name__ == "__main__":
    grid, solution = truth()
    predict, facts = solve(look=lambda predict: errors(predict(grid), solution))
    print(facts, errors(predict(grid), solution))
