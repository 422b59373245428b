"""Heat on a rod in slabs: u = exp(-0.1 pi^2 t) sin(pi x), walls and start built in."""

import contextlib

import deepxde as dde
import numpy as np
import torch

import pinn_ext

EDGES = [0.0, 0.25, 0.6, 1.0]


def heat(x, u):
    return dde.grad.jacobian(u, x, 0, 1) - 0.1 * dde.grad.hessian(u, x, i=0, j=0)


def initial(x):
    return torch.sin(np.pi * x[:, :1])


def exact(x):
    return np.exp(-0.1 * np.pi**2 * x[:, 1:]) * np.sin(np.pi * x[:, :1])


def builder(pde=heat, points=40, outputs=1, hard=None, **options):
    """Return a function that builds a small model of a slab."""

    def build(slab):
        times = dde.geometry.TimeDomain(slab.lower, slab.upper)
        domain = dde.geometry.GeometryXTime(dde.geometry.Interval(0, 1), times)
        data = dde.data.TimePDE(domain, pde, [], num_domain=points, **options)
        net = dde.nn.FNN([2, 6, outputs], "tanh", "Glorot normal")

        def walled(x, y):
            return slab.start(x) + slab.ramp(x) * x[:, :1] * (1 - x[:, :1]) * y

        net.apply_output_transform(hard(slab) if hard else walled)
        model = dde.Model(data, net)
        model.compile("adam", lr=1e-2, verbose=0)
        return model

    return build


def march(build=None, edges=EDGES, start=initial, **options):
    options.setdefault("verbose", 0)
    return pinn_ext.march(build or builder(), edges, start, **options)


def untrained(build=None, **options):
    """Return the solution of networks as they were drawn."""
    options.setdefault("warm_start", False)
    return march(build, train=lambda model, slab: "not trained", **options)


def by_hand(solution, x, number):
    """Return the start of a slab as one expression of all networks before, for autograd."""
    u = initial(x)
    for model, slab in zip(solution.models[:number], solution.slabs, strict=False):
        at_end = torch.cat((x, torch.full_like(x, slab.upper)), dim=1)
        net, transform = model.net, model.net._output_transform
        net._output_transform = None
        u = u + x * (1 - x) * net(at_end)
        net._output_transform = transform
    return u


def numbers(solution):
    """Return all parameters of all networks as one vector."""
    tensors = [p.detach().reshape(-1) for model in solution.models for p in model.net.parameters()]
    return torch.cat(tensors)


@contextlib.contextmanager
def float64():
    """Compute in float64 for the length of a block, for fixtures that last longer than a test."""
    dde.config.set_default_float("float64")
    try:
        yield
    finally:
        dde.config.set_default_float("float32")
