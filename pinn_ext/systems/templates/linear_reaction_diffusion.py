"""Linear coupled reaction and diffusion in one dimension.

u_t = d u_xx - a u + v, v_t = d v_xx - b v, periodic on [-pi, pi], a and b different. With a - b =
0.01 the field v is 200 times smaller than u.
"""

import math

import torch

LOWER, UPPER = -math.pi, math.pi
FINAL_TIME = 1.0
NODES = 48
PARAMETERS = {"a": 0.11, "b": 0.10, "diffusion": 0.5}
BOUNDARY = "periodic"


def rhs(u, v, d, *, a, b, diffusion):
    du = diffusion * d.laplacian(u) - a * u + v
    dv = diffusion * d.laplacian(v) - b * v
    return du, dv


def exact(x, t, *, a, b, diffusion):
    shape = torch.cos(x[..., 0])
    slow = torch.exp(-(b + diffusion) * t)
    fast = torch.exp(-(a + diffusion) * t)
    return torch.stack(((fast + slow) * shape, (a - b) * slow * shape), dim=-1)


def initial(x, *, a, b, diffusion):
    return exact(x, torch.zeros_like(x[..., 0]), a=a, b=b, diffusion=diffusion)
