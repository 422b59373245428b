"""Coupled viscous Burgers equations in one dimension, periodic, with a decaying sine.

u_t = u_xx + 2 u u_x - (u v)_x, and v alike, on [-pi, pi]; u = v = exp(-t) sin x is exact.
"""

import math

import torch

LOWER, UPPER = -math.pi, math.pi
FINAL_TIME = 1.0
NODES = 48
BOUNDARY = "periodic"


def rhs(u, v, d):
    (u_x,), (v_x,) = d.gradient(u), d.gradient(v)
    cross = u * v_x + v * u_x
    du = d.laplacian(u) + 2.0 * u * u_x - cross
    dv = d.laplacian(v) + 2.0 * v * v_x - cross
    return du, dv


def exact(x, t):
    wave = torch.exp(-t) * torch.sin(x[..., 0])
    return torch.stack((wave, wave), dim=-1)


def initial(x):
    return exact(x, torch.zeros_like(x[..., 0]))
