"""The cubic Schroedinger equation for h = u + i v, with a breather.

i h_t + h_xx / 2 + |h|^2 h = 0 on [-12, 12] up to t = pi / 2, from 2 sech x; Satsuma and Yajima
1974, Prog. Theor. Phys. Suppl. 55.
"""

import math

import torch

from pinn_ext.systems import dirichlet

LOWER, UPPER = -12.0, 12.0
FINAL_TIME = math.pi / 2
NODES = 193
# Of |h| for both, as the phase turns one field into the other.
SCALES = (0.3282606248415132, 0.3282606248415132)


def rhs(u, v, d):
    square = u * u + v * v
    return -0.5 * d.laplacian(v) - square * v, 0.5 * d.laplacian(u) + square * u


def exact(x, t):
    x = x[..., 0]
    wide, narrow = torch.cosh(x), torch.cosh(3.0 * x)
    under = torch.cosh(4.0 * x) + 4.0 * torch.cosh(2.0 * x) + 3.0 * torch.cos(4.0 * t)
    real = narrow * torch.cos(0.5 * t) + 3.0 * wide * torch.cos(4.5 * t)
    imaginary = narrow * torch.sin(0.5 * t) + 3.0 * wide * torch.sin(4.5 * t)
    return 4.0 * torch.stack((real / under, imaginary / under), dim=-1)


def initial(x):
    return exact(x, torch.zeros_like(x[..., 0]))


BOUNDARY = dirichlet(exact)
