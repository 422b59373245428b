"""Murray's model of the Belousov-Zhabotinsky reaction, with its travelling front.

u_t = u_xx + u (1 - u - r v), v_t = v_xx - (1 - r) u v on [-15, 15]; Murray, Mathematical Biology
(1989), section 12.2. `ratio` is r, in (0, 1).
"""

import math

import torch

from pinn_ext.systems import dirichlet

LOWER, UPPER = -15.0, 15.0
FINAL_TIME = 4.0
NODES = 61
PARAMETERS = {"ratio": 0.5}


def rhs(u, v, d, *, ratio):
    du = d.laplacian(u) + u * (1.0 - u - ratio * v)
    dv = d.laplacian(v) - (1.0 - ratio) * u * v
    return du, dv


def exact(x, t, *, ratio):
    s = math.sqrt((1.0 - ratio) / 6.0)
    u = torch.sigmoid(s * (5.0 * s * t - x[..., 0])) ** 2
    return torch.stack((u, 1.0 - u), dim=-1)


def initial(x, *, ratio):
    return exact(x, torch.zeros_like(x[..., 0]), ratio=ratio)


BOUNDARY = dirichlet(exact)
