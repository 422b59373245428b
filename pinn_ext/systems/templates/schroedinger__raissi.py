"""The cubic Schroedinger equation for h = u + i v, from 2 sech x on a periodic interval.

i h_t + h_xx / 2 + |h|^2 h = 0 on [-5, 5] up to t = pi / 2; Raissi, Perdikaris and Karniadakis
2019. No solution is known in closed form: the start has a kink at the ends, and the breather of
the whole line is 7e-3 away.
"""

import math

import torch

LOWER, UPPER = -5.0, 5.0
FINAL_TIME = math.pi / 2
NODES = 193
# Of |h| for both, as the phase turns one field into the other.
SCALES = (0.8807422282583481, 0.8807422282583481)
BOUNDARY = "periodic"


def rhs(u, v, d):
    square = u * u + v * v
    return -0.5 * d.laplacian(v) - square * v, 0.5 * d.laplacian(u) + square * u


def initial(x):
    start = 2.0 / torch.cosh(x[..., 0])
    return torch.stack((start, torch.zeros_like(start)), dim=-1)
