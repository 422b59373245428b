"""A lambda-omega system, the normal form of oscillating reactions, with a plane wave.

With r^2 = u^2 + v^2 (Kopell and Howard 1973):

    u_t = lap u + (1 - r^2) u - (w - b r^2) v
    v_t = lap v + (w - b r^2) u + (1 - r^2) v

The box is one wavelength along each axis; the wave is exact for a wave number below 1 / sqrt 2.
`frequency` is w, `slope` b.
"""

import math

import torch

WAVE_NUMBER = 0.5  # along each axis
LOWER, UPPER = (0.0, 0.0), (2.0 * math.pi / WAVE_NUMBER, 2.0 * math.pi / WAVE_NUMBER)
FINAL_TIME = 1.0
NODES = 25
PARAMETERS = {"frequency": 1.0, "slope": 1.0}
BOUNDARY = "periodic"


def rhs(u, v, d, *, frequency, slope):
    square = u * u + v * v
    growth, rotation = 1.0 - square, frequency - slope * square
    du = d.laplacian(u) + growth * u - rotation * v
    dv = d.laplacian(v) + rotation * u + growth * v
    return du, dv


def exact(x, t, *, frequency, slope):
    square = 1.0 - 2.0 * WAVE_NUMBER**2
    phase = (frequency - slope * square) * t - WAVE_NUMBER * x.sum(dim=-1)
    radius = math.sqrt(square)
    return torch.stack((radius * torch.cos(phase), radius * torch.sin(phase)), dim=-1)


def initial(x, *, frequency, slope):
    return exact(x, torch.zeros_like(x[..., 0]), frequency=frequency, slope=slope)
