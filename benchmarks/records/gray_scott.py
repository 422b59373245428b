"""Gray-Scott with the numbers of jaxpi (arXiv:2308.08468), t <= 0.5, periodic on [-1, 1]^2.

    u_t = 0.2 lap u + 40 (1 - u) - 1000 u v^2,    v_t = 0.1 lap v - 100 v + 1000 u v^2

from u = 1 - exp(-10 |x - p|^2), v = exp(-10 |x + p|^2), p = (-0.05, -0.02). The two react within
0.01 and then move outward as a ring. Half of the points lie where the ring is. Period and start are
built into the output. A slab starts from the end of the former one as 97 x 97 waves, which need no
former network, and diffuse: waves too short for a network would else be handed on for ever. The
network adds what is left, in units of a time that is the same in all slabs. It sees the start as
well, as it is and diffused: what it learns is what becomes of a start, which is much the same in
each slab, so that it begins with the parameters of the former one. Short slabs are best: what
becomes of a start in little time depends on what is there, and hardly on what is elsewhere.

Errors: relative L2 of u and v together and of each, over all times and at the last one, at 64 x 64
nodes and 26 times, against the stored reference `gray_scott/jaxpi` (exponential Runge-Kutta).
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")  # before the first import of deepxde

import deepxde as dde
import numpy as np
import torch
from _clock import SlabTraining

import pinn_ext
from pinn_ext import references
from pinn_ext.networks import Sine, init_sine
from pinn_ext.slabs import KeptStart

SECONDS = 3400.0  # of one core
POINTS, WIDTH = 6000, 22  # of a slab
SPREAD = 0.05  # of the points around the ring
DIFFUSION = 0.2, 0.1
NODES, LONGEST = 128, 48  # of a start in each direction, and the waves that are kept of it
UNIT = 0.01  # of time
SLABS = (5, 0.0005), (6, 0.00125), (8, 0.0025), (6, 0.005), (44, 0.01)  # how many of which length
EDGES = np.cumsum([0, *(length for count, length in SLABS for _ in range(count))])


def pde(x, y):
    u, v = y[:, :1], y[:, 1:]

    def laplacian(field):
        return sum(dde.grad.hessian(y, x, component=field, i=k, j=k) for k in (0, 1))

    turnover = 1000 * u * v**2
    u_t = dde.grad.jacobian(y, x, i=0, j=2)
    v_t = dde.grad.jacobian(y, x, i=1, j=2)
    return [
        u_t - DIFFUSION[0] * laplacian(0) - 40 * (1 - u) + turnover,
        v_t - DIFFUSION[1] * laplacian(1) + 100 * v - turnover,
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


def at_nodes(field):
    """Return the nodes [N, 2], and a function of positions there [N, 2]."""
    axis = torch.linspace(-1, 1, NODES + 1)[:-1]
    nodes = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        return nodes, field(nodes)


def diffusing(values):
    """Return u and v as they diffuse from values at the nodes: a function of positions, times."""
    kept = torch.arange(-LONGEST, LONGEST + 1)
    waves = torch.fft.fft2(values.T.reshape(2, NODES, NODES))[:, kept][:, :, kept] / NODES**2
    k = np.pi * kept  # each node is counted from the corner at -1

    def fields(x, time):
        found = []
        for wave, diffusion in zip(waves, DIFFUSION, strict=True):
            along, across = (
                torch.exp(1j * k * (x[:, i : i + 1] + 1) - diffusion * k**2 * time) for i in (0, 1)
            )
            found.append(((along @ wave) * across).real.sum(dim=1))
        return torch.stack(found, dim=1)

    return fields


def as_waves(field):
    """Return the waves of a function of positions: what a slab starts from."""
    fields = diffusing(at_nodes(field)[1])
    return lambda x: fields(x, 0.0)


def places(slab, seed, nodes, start):
    """Return points and times [N, 3]: half of them anywhere, the others where the two react.

    That is near nodes where it starts with much u v^2; a normal deviate lets the ring move on.
    """
    draw, nodes = np.random.default_rng([seed, slab.number]), nodes.numpy()
    u, v = start.numpy().T
    rate = np.maximum(u * v**2, 0)
    near = nodes[draw.choice(len(nodes), POINTS // 2, p=rate / rate.sum())]
    near = (near + draw.normal(0, SPREAD, near.shape) + 1) % 2 - 1
    where = np.concatenate((near, draw.uniform(-1, 1, (POINTS - len(near), 2))))
    return np.column_stack((where, draw.uniform(slab.lower, slab.upper, POINTS)))


def build(slab, seed):
    """Return a compiled model on the times of a slab."""
    square = dde.geometry.Rectangle([-1, -1], [1, 1])
    times = dde.geometry.TimeDomain(slab.lower, slab.upper)
    domain = dde.geometry.GeometryXTime(square, times)
    nodes, start = at_nodes(lambda nodes: slab.start(torch.cat((nodes, nodes[:, :1]), dim=1)))
    fields, mean, size = diffusing(start), start.mean(dim=0), start.std(dim=0)
    spread = KeptStart(lambda x: fields(x, x[:, 2:] - slab.lower), order=2)  # once a set of points
    anchors = places(slab, seed, nodes, start)
    data = dde.data.TimePDE(domain, pde, [], num_domain=0, anchors=anchors)

    def passed(x):
        return (x[:, 2:] - slab.lower) / UNIT

    def features(x):
        angle = np.pi * x[:, :2]
        waves = [f(k * angle) for k in (1, 2) for f in (torch.cos, torch.sin)]
        seen = [(field - mean) / size for field in (slab.start(x), spread(x))]
        return torch.cat((*waves, *seen, passed(x)), dim=1)

    net = dde.nn.FNN([13, WIDTH, WIDTH, WIDTH, 2], Sine(2.0), "Glorot normal")
    init_sine(net, 2.0, seed=seed)
    net.apply_feature_transform(features)
    net.apply_output_transform(lambda x, y: spread(x) + passed(x) * y)
    model = dde.Model(data, net)
    length = slab.upper - slab.lower
    model.compile("adam", lr=1e-3, loss_weights=[length**2] * 2, verbose=0)  # makes no step here
    return model


def solve(seconds=SECONDS, seed=0, look=None):
    """Train; return what gives u and v [N, 2] at points [N, 3], and facts for the table.

    There is nothing to `look` at before the last slab is done.
    """
    dde.config.set_default_float("float64")  # before data and network are built
    dde.config.set_random_seed(seed)
    train = SlabTraining(seconds, POINTS, first=3)
    solution = pinn_ext.march(
        lambda slab: build(slab, seed), EDGES, as_waves(initial), train=train, project=as_waves
    )
    return solution.predict, train.facts


if __name__ == "__main__":
    grid, solution = truth()
    predict, facts = solve()
    print(facts, errors(predict(grid), solution))
