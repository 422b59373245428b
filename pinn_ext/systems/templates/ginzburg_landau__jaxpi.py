"""The complex Ginzburg-Landau equation for A = u + i v from a localised start, as in jaxpi.

A_t = e lap A + k A - k (1 + 1.5 i) |A|^2 A, periodic on [-1, 1]^2, from
A = 10 (y + i x) exp(-25 (x^2 + y^2)) (Wang et al. 2023, arXiv 2308.08468). No solution is known in
closed form. `diffusion` is e, `rate` k and `shift` the 1.5.
"""

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


def initial(x):
    x, y = x.unbind(dim=-1)
    bump = 10.0 * torch.exp(-25.0 * (x * x + y * y))
    return torch.stack((y * bump, x * bump), dim=-1)
