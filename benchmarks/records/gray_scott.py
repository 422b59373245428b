"""Gray-Scott with the numbers of jaxpi (arXiv:2308.08468), t <= 0.5, periodic on [-1, 1]^2.

    u_t = 0.2 lap u + 40 (1 - u) - 1000 u v^2,    v_t = 0.1 lap v - 100 v + 1000 u v^2

from u = 1 - exp(-10 |x - p|^2), v = exp(-10 |x + p|^2), p = (-0.05, -0.02). The two react within
0.01 and then move outward as a ring. So slabs of time are short at first, each starts where the
former one ends, and half of the points lie where the ring is. Period and start are built into the
output. Waves too short for a network decay by diffusion alone, but would be handed on from slab to
slab for ever: so the start of a slab diffuses, as 64 x 64 waves, and the network adds what is left.

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

SECONDS = 2000.0  # of one core
POINTS, WIDTH = 6000, 22  # of a slab
SPREAD = 0.05  # of the points around the ring
DIFFUSION = 0.2, 0.1
EDGES = (0, 0.004, 0.01, 0.02, 0.035, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)


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


def start_at_nodes(slab):
    """Return 64 x 64 nodes [N, 2] and the start of a slab there [N, 2]."""
    axis = torch.linspace(-1, 1, 65)[:-1]
    nodes = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        return nodes, slab.start(torch.cat((nodes, torch.zeros(len(nodes), 1)), dim=1))


def diffused(nodes, start, lower):
    """Return how far the start of a slab has diffused, a function of points and times [N, 3]."""
    waves = torch.fft.fft2(start.T.reshape(2, 64, 64)) / 64**2
    k = np.pi * 64 * torch.fft.fftfreq(64)  # each node is counted from the corner at -1

    def one_way(place, time, diffusion):
        return torch.exp(1j * k * (place + 1) - diffusion * k**2 * time)

    def field(x, time, waves, diffusion):
        along, across = (one_way(x[:, i : i + 1], time, diffusion) for i in (0, 1))
        return ((along @ waves) * across).real.sum(dim=1)

    def since_start(x):
        times = x[:, 2:] - lower, 0 * x[:, 2:]
        each = list(zip(waves, DIFFUSION, strict=True))
        then, before = (torch.stack([field(x, t, *one) for one in each], dim=1) for t in times)
        return then - before

    return since_start


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
    nodes, start = start_at_nodes(slab)
    kept = KeptStart(diffused(nodes, start, slab.lower), order=2)  # once for each set of points
    anchors = places(slab, seed, nodes, start)
    data = dde.data.TimePDE(domain, pde, [], num_domain=0, anchors=anchors)

    def features(x):
        angle = np.pi * x[:, :2]
        waves = [f(k * angle) for k in (1, 2, 3, 4) for f in (torch.cos, torch.sin)]
        return torch.cat((*waves, 2 * slab.ramp(x) - 1), dim=1)

    net = dde.nn.FNN([17, WIDTH, WIDTH, WIDTH, 2], Sine(2.0), "Glorot normal")
    init_sine(net, 2.0, seed=seed)
    net.apply_feature_transform(features)
    net.apply_output_transform(lambda x, y: slab.transform(x, y) + kept(x))
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
    # With the default rule for the damping the first four slabs end alike.
    train = SlabTraining(seconds, POINTS, first=0.5, damping="nielsen")
    solution = pinn_ext.march(
        lambda slab: build(slab, seed), EDGES, initial, train=train, warm_start=False
    )
    return solution.predict, train.facts


if __name__ == "__main__":
    grid, solution = truth()
    predict, facts = solve()
    print(facts, errors(predict(grid), solution))
