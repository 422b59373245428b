"""Korteweg's and de Vries' u_t + u u_x + mu^2 u_xxx = 0, mu = 0.022, of period 2, t <= 1.

From cos(pi x), which steepens and breaks into a train of solitons (Zabusky and Kruskal 1965). Slabs
in time, each with a network of its own that begins where the former one ends. It sees x by two
waves of the period and by its start there: what is steep in the solution is steep in its inputs.
A start is what 160 waves have of the end of the former slab, so that no former network is needed at
new points. The reference is ETDRK4 with 1024 nodes, converged to 3e-10 (`pinn_ext.references`).

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
from pinn_ext.networks import Sine, init_sine

SECONDS = 1900.0  # of one core
EDGES = (*np.linspace(0, 0.25, 6), *np.linspace(0.28, 1, 25))
POINTS, WIDTH = 3000, 18  # points of a slab
UNIT = 0.02  # of time
NODES, LONGEST = 512, 160  # of a start, and the waves that are kept of it
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


def at_nodes(field):
    """Return a function of positions at the nodes [N, 1]."""
    with torch.no_grad():
        return field(torch.linspace(-1, 1, NODES + 1)[:-1, None])


def as_waves(field):
    """Return the waves of a function of positions: what a slab starts from."""
    waves = torch.fft.rfft(at_nodes(field)[:, 0])[: LONGEST + 1] / NODES
    waves[1:] *= 2  # with those of the other sign
    k = np.pi * torch.arange(LONGEST + 1)
    return lambda x: (torch.exp(1j * k * (x[:, :1] + 1)) * waves).real.sum(dim=1, keepdim=True)


def build(slab, seed):
    """Return a compiled model on the times of a slab."""
    line, times = dde.geometry.Interval(-1, 1), dde.geometry.TimeDomain(slab.lower, slab.upper)
    domain = dde.geometry.GeometryXTime(line, times)
    x, t = qmc.Halton(2, seed=seed).random(POINTS).T
    anchors = np.column_stack((2 * x - 1, slab.lower + (slab.upper - slab.lower) * t))
    data = dde.data.TimePDE(domain, pde, [], num_domain=0, anchors=anchors)
    start = at_nodes(lambda nodes: slab.start(torch.cat((nodes, nodes), dim=1)))
    net = dde.nn.FNN([6, WIDTH, WIDTH, WIDTH, 1], Sine(2.0), "Glorot normal")
    init_sine(net, 2.0, seed=seed)

    def passed(x):
        return (x[:, 1:] - slab.lower) / UNIT

    def features(x):
        waves = [f(k * np.pi * x[:, :1]) for k in (1, 2) for f in (torch.cos, torch.sin)]
        seen = (slab.start(x) - start.mean()) / start.std()
        return torch.cat((*waves, seen, passed(x)), dim=1)

    net.apply_feature_transform(features)
    net.apply_output_transform(lambda x, y: slab.start(x) + passed(x) * y)
    model = dde.Model(data, net)
    weight = (slab.upper - slab.lower) ** 2  # rows are changes over a slab
    model.compile("adam", lr=1e-3, loss_weights=[weight], verbose=0)  # makes no step here
    return model


def solve(seconds=SECONDS, seed=0, look=None):
    """Train; return what gives u [N, 1] at points [N, 2], and facts for the table.

    There is nothing to `look` at before the last slab is done.
    """
    dde.config.set_default_float("float64")  # before data and network are built
    dde.config.set_random_seed(seed)
    train = SlabTraining(seconds, POINTS)
    solution = pinn_ext.march(
        lambda slab: build(slab, seed),
        EDGES,
        as_waves(initial),
        train=train,
        order=3,
        project=as_waves,
        warm_start=False,  # with the parameters of the first slab the second would stand still
    )
    return solution.predict, train.facts


if __name__ == "__main__":
    grid, true = truth()
    predict, facts = solve()
    print(facts, errors(predict(grid), true))
