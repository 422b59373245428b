"""The complex Ginzburg-Landau equation for A = u + i v, with a plane wave.

A_t = e lap A + k A - k (1 + 1.5 i) |A|^2 A, periodic on [-1, 1]^2. With R^2 = 1 - 2 e pi^2 / k the
wave A = R exp(i (pi (x + y) - 1.5 k R^2 t)) is exact. `diffusion` is e, `rate` k, `shift` the 1.5.
"""

import math

import torch

LOWER, UPPER = (-1.0, -1.0), (1.0, 1.0)
FINAL_TIME = 1.0
NODES = 32
PARAMETERS = {"diffusion": 0.004, "rate": 10.0, "shift": 1.5}
BOUNDARY = "periodic"


def rhs(u, v, d, *, diffusion, rate, shift):
    square = u * u + v * v
    du = diffusion * d.laplacian(u) + rate * (u - square * (u - shift * v))
    dv = diffusion * d.laplacian(v) + rate * (v - square * (v + shift * u))
    return du, dv


def exact(x, t, *, diffusion, rate, shift):
    square = 1.0 - diffusion * math.pi**2 * 2 / rate
    radius = math.sqrt(square)
    phase = math.pi * (x[..., 0] + x[..., 1]) - shift * rate * square * t
    return torch.stack((radius * torch.cos(phase), radius * torch.sin(phase)), dim=-1)


def initial(x, *, diffusion, rate, shift):
    start = torch.zeros_like(x[..., 0])
    return exact(x, start, diffusion=diffusion, rate=rate, shift=shift)
