"""FitzHugh-Nagumo equations of an excitable medium, with a manufactured solution.

u_t = d_u lap u + u - u^3 - v + s_u, v_t = d_v lap v + eps (u - a_1 v - a_0) + s_v on [-1, 1]^2
(FitzHugh 1961). The sources s_u, s_v are those that make decaying waves exact, as nothing in
closed form is known (Roache 2002, J. Fluids Eng. 124); take them out of `rhs`, and `exact` with
them, to solve the equations themselves. `rate` is eps, `damping` a_1, `threshold` a_0.
"""

import math

import torch

LOWER, UPPER = (-1.0, -1.0), (1.0, 1.0)
FINAL_TIME = 1.0
NODES = 25
PARAMETERS = {
    "rate": 0.2,
    "damping": 0.5,
    "threshold": 0.1,
    "diffusion_u": 0.02,
    "diffusion_v": 0.01,
}
BOUNDARY = "periodic"


def reaction(u, v, rate, damping, threshold):
    return u - u**3 - v, rate * (u - damping * v - threshold)


def rhs(u, v, d, x, t, *, rate, damping, threshold, diffusion_u, diffusion_v):
    f, g = reaction(u, v, rate, damping, threshold)
    # A wave's time derivative is -1 times the wave, its Laplacian -2 pi^2 times.
    wave_u, wave_v = waves(x, t)
    f_wave, g_wave = reaction(wave_u, wave_v, rate, damping, threshold)
    source_u = (2.0 * math.pi**2 * diffusion_u - 1.0) * wave_u - f_wave
    source_v = (2.0 * math.pi**2 * diffusion_v - 1.0) * wave_v - g_wave
    du = diffusion_u * d.laplacian(u) + f + source_u
    dv = diffusion_v * d.laplacian(v) + g + source_v
    return du, dv


def waves(x, t):
    x, y = x.unbind(dim=-1)
    common = torch.exp(-t) * torch.cos(math.pi * y)
    return common * torch.cos(math.pi * x), 0.3 * common * torch.sin(math.pi * x)


def exact(x, t):
    return torch.stack(waves(x, t), dim=-1)


def initial(x):
    return exact(x, torch.zeros_like(x[..., 0]))
