"""Burgers equations of a plane velocity, with a decaying flow by Cole and Hopf.

u_t + u u_x + v u_y = nu lap u, and v alike, on the unit square. u = -2 nu phi_x / phi and v = -2
nu phi_y / phi are exact for phi = 2 + exp(-5 pi^2 nu t) sin(2 pi x) sin(pi y), which solves phi_t
= nu lap phi but for a constant. `viscosity` is nu.
"""

import math

import torch

from pinn_ext.systems import dirichlet

LOWER, UPPER = (0.0, 0.0), (1.0, 1.0)
FINAL_TIME = 1.0
NODES = 25
PARAMETERS = {"viscosity": 0.05}


def rhs(u, v, d, *, viscosity):
    (u_x, u_y), (v_x, v_y) = d.gradient(u), d.gradient(v)
    du = viscosity * d.laplacian(u) - u * u_x - v * u_y
    dv = viscosity * d.laplacian(v) - u * v_x - v * v_y
    return du, dv


def exact(x, t, *, viscosity):
    x, y = x.unbind(dim=-1)
    a, b = 2.0 * math.pi, math.pi
    along, across = torch.sin(a * x), torch.sin(b * y)
    phi_x, phi_y = a * torch.cos(a * x) * across, b * along * torch.cos(b * y)
    decay = torch.exp(-(a**2 + b**2) * viscosity * t)
    factor = -2.0 * viscosity * decay / (2.0 + decay * along * across)
    return torch.stack((factor * phi_x, factor * phi_y), dim=-1)


def initial(x, *, viscosity):
    return exact(x, torch.zeros_like(x[..., 0]), viscosity=viscosity)


BOUNDARY = dirichlet(exact)
