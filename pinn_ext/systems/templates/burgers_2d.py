"""Burgers equations of a plane velocity, with an oblique front.

u_t + u u_x + v u_y = nu lap u, and v alike, on the unit square; Fletcher 1983. `viscosity` is nu;
the front is about 8 nu wide.
"""

import torch

from pinn_ext.systems import dirichlet

LOWER, UPPER = (0.0, 0.0), (1.0, 1.0)
FINAL_TIME = 1.0
NODES = 25
PARAMETERS = {"viscosity": 0.01}


def rhs(u, v, d, *, viscosity):
    (u_x, u_y), (v_x, v_y) = d.gradient(u), d.gradient(v)
    du = viscosity * d.laplacian(u) - u * u_x - v * u_y
    dv = viscosity * d.laplacian(v) - u * v_x - v * v_y
    return du, dv


def exact(x, t, *, viscosity):
    x, y = x.unbind(dim=-1)
    step = 0.25 * torch.sigmoid((4.0 * x - 4.0 * y + t) / (32.0 * viscosity))
    return torch.stack((0.75 - step, 0.75 + step), dim=-1)


def initial(x, *, viscosity):
    return exact(x, torch.zeros_like(x[..., 0]), viscosity=viscosity)


BOUNDARY = dirichlet(exact)
