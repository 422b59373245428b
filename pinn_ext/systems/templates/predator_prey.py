"""Prey and predators that diffuse, with a manufactured solution.

u_t = d_u lap u + u (1 - u) - p + s_u, v_t = d_v lap v + k p - m v + s_v on [-1, 1]^2 with the
predation p = u v / (u + h), u the prey (Medvinsky et al. 2002, SIAM Review 44). The sources s_u,
s_v are those that make decaying waves around (0.5, 0.3) exact, as nothing in closed form is known
(Roache 2002, J. Fluids Eng. 124); take them out of `rhs`, and `exact` with them, to solve the
equations themselves. `saturation` is h, `conversion` k, `mortality` m.
"""

import math

import torch

LOWER, UPPER = (-1.0, -1.0), (1.0, 1.0)
FINAL_TIME = 1.0
NODES = 25
PARAMETERS = {
    "saturation": 0.3,
    "conversion": 2.0,
    "mortality": 0.8,
    "diffusion_u": 0.01,
    "diffusion_v": 0.02,
}
BOUNDARY = "periodic"


def reaction(u, v, saturation, conversion, mortality):
    eaten = u * v / (u + saturation)
    return u * (1.0 - u) - eaten, conversion * eaten - mortality * v


def rhs(u, v, d, x, t, *, saturation, conversion, mortality, diffusion_u, diffusion_v):
    f, g = reaction(u, v, saturation, conversion, mortality)
    # A wave's time derivative is -1 times the wave, its Laplacian -2 pi^2 times.
    wave_u, wave_v = waves(x, t)
    f_wave, g_wave = reaction(0.5 + wave_u, 0.3 + wave_v, saturation, conversion, mortality)
    source_u = (2.0 * math.pi**2 * diffusion_u - 1.0) * wave_u - f_wave
    source_v = (2.0 * math.pi**2 * diffusion_v - 1.0) * wave_v - g_wave
    du = diffusion_u * d.laplacian(u) + f + source_u
    dv = diffusion_v * d.laplacian(v) + g + source_v
    return du, dv


def waves(x, t):
    x, y = x.unbind(dim=-1)
    common = torch.exp(-t) * torch.cos(math.pi * y)
    return 0.3 * common * torch.cos(math.pi * x), 0.15 * common * torch.sin(math.pi * x)


def exact(x, t):
    wave_u, wave_v = waves(x, t)
    return torch.stack((0.5 + wave_u, 0.3 + wave_v), dim=-1)


def initial(x):
    return exact(x, torch.zeros_like(x[..., 0]))
