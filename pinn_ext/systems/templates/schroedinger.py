"""The cubic Schroedinger equation for h = u + i v, with a soliton.

i h_t + h_xx / 2 + |h|^2 h = 0 on [-12, 12] up to t = pi / 2. The soliton
h = n sech(n (x - c t)) exp(i (c x + (n^2 - c^2) t / 2)) is exact.
"""

import math

import torch

from pinn_ext.systems import dirichlet

AMPLITUDE, SPEED = 1.0, 1.0  # n and c
LOWER, UPPER = -12.0, 12.0
FINAL_TIME = math.pi / 2
NODES = 193
# Of |h| for both, as the phase turns one field into the other.
SCALES = (0.16413031326667568, 0.16413031326667568)


def rhs(u, v, d):
    square = u * u + v * v
    return -0.5 * d.laplacian(v) - square * v, 0.5 * d.laplacian(u) + square * u


def exact(x, t):
    x, n, c = x[..., 0], AMPLITUDE, SPEED
    envelope = n / torch.cosh(n * (x - c * t))
    phase = c * x + 0.5 * (n**2 - c**2) * t
    return torch.stack((envelope * torch.cos(phase), envelope * torch.sin(phase)), dim=-1)


def initial(x):
    return exact(x, torch.zeros_like(x[..., 0]))


BOUNDARY = dirichlet(exact)
