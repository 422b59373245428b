"""The Brusselator with its travelling exponentials.

u_t = u^2 v - 2 u + lap u / 4, v_t = u - u^2 v + lap v / 4 on [0, 2]^2. The fields u = exp(-x - y -
t / 2), v = 1 / u are exact for these numbers alone; they differ in size by up to e^9.
"""

import torch

from pinn_ext.systems import dirichlet

LOWER, UPPER = (0.0, 0.0), (2.0, 2.0)
FINAL_TIME = 1.0
NODES = 17


def rhs(u, v, d):
    turnover = u * u * v
    du = turnover - 2.0 * u + 0.25 * d.laplacian(u)
    dv = u - turnover + 0.25 * d.laplacian(v)
    return du, dv


def exact(x, t):
    phase = x.sum(dim=-1) + 0.5 * t
    return torch.stack((torch.exp(-phase), torch.exp(phase)), dim=-1)


def initial(x):
    return exact(x, torch.zeros_like(x[..., 0]))


BOUNDARY = dirichlet(exact)
