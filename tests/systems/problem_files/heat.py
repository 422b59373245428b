"""Two fields that diffuse on a strip with a given slope, given values and a periodic direction.

`u = exp(-a k t) sin(x) cos(y)` and `v = exp(-a k t) cos(2 x) sin(y) + x`, with k = 2 and 5.
"""

import torch

from pinn_ext.systems import dirichlet, neumann

LOWER, UPPER = (0.0, 0.0), (1.0, 2 * torch.pi)
FINAL_TIME = 0.5
PARAMETERS = {"a": 0.3}
NODES = 12


def rhs(u, v, d, *, a):
    return a * d.laplacian(u), a * d.laplacian(v)


def exact(x, t, *, a):
    x, y = x.unbind(dim=1)
    u = torch.exp(-2 * a * t) * torch.sin(x) * torch.cos(y)
    v = torch.exp(-5 * a * t) * torch.cos(2 * x) * torch.sin(y) + x
    return torch.stack((u, v), dim=1)


def initial(x):
    return exact(x, torch.zeros_like(x[:, 0]), a=0.0)


def slopes(x, t, *, a):
    """Minus the derivatives along x, as the normal at x = 0 points down the axis."""
    u = -torch.exp(-2 * a * t) * torch.cos(x[:, 1])
    return torch.stack((u, -torch.ones_like(t)), dim=1)


BOUNDARY = {"x-": neumann(slopes), "x+": dirichlet(exact), "y": "periodic"}
