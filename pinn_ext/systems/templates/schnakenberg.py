"""Schnakenberg's reaction with a manufactured solution.

u_t = d_u lap u + g (a - u + u^2 v) + s_u, v_t = d_v lap v + g (b - u^2 v) + s_v on [-1, 1]^2
(Schnakenberg 1979, J. Theor. Biol. 81). The sources s_u, s_v are those that make decaying waves
around the steady state exact, which is all that is known in closed form (Roache 2002, J. Fluids
Eng. 124); without sources, and with a larger d_v, the reaction makes Turing patterns. `rate` is g.
"""

import math

import torch

LOWER, UPPER = (-1.0, -1.0), (1.0, 1.0)
FINAL_TIME = 1.0
NODES = 25
PARAMETERS = {"a": 0.1, "b": 0.9, "rate": 2.0, "diffusion_u": 0.01, "diffusion_v": 0.1}
BOUNDARY = "periodic"


def reaction(u, v, a, b, rate):
    turnover = u * u * v
    return rate * (a - u + turnover), rate * (b - turnover)


def rhs(u, v, d, x, t, *, a, b, rate, diffusion_u, diffusion_v):
    f, g = reaction(u, v, a, b, rate)
    # A wave's time derivative is -1 times the wave, its Laplacian -2 pi^2 times.
    wave_u, wave_v = waves(x, t)
    mean_u, mean_v = steady(a, b)
    f_wave, g_wave = reaction(mean_u + wave_u, mean_v + wave_v, a, b, rate)
    source_u = (2.0 * math.pi**2 * diffusion_u - 1.0) * wave_u - f_wave
    source_v = (2.0 * math.pi**2 * diffusion_v - 1.0) * wave_v - g_wave
    du = diffusion_u * d.laplacian(u) + f + source_u
    dv = diffusion_v * d.laplacian(v) + g + source_v
    return du, dv


def steady(a, b):
    return a + b, b / (a + b) ** 2


def waves(x, t):
    x, y = x.unbind(dim=-1)
    common = torch.exp(-t) * torch.cos(math.pi * y)
    return 0.3 * common * torch.cos(math.pi * x), 0.2 * common * torch.sin(math.pi * x)


def exact(x, t, *, a, b):
    wave_u, wave_v = waves(x, t)
    mean_u, mean_v = steady(a, b)
    return torch.stack((mean_u + wave_u, mean_v + wave_v), dim=-1)


def initial(x, *, a, b):
    return exact(x, torch.zeros_like(x[..., 0]), a=a, b=b)
