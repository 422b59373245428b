"""The Gray-Scott model with a steady pulse.

u_t = (e lap u + k (1 - u)) / g - u v^2, v_t = e lap v - k v + u v^2 on [-1, 1]^2. With Q = sqrt(1
- 9 g k / 2) the pulse v = 3 k / (1 + Q cosh(x sqrt(k / e))), u = 1 - g v is exact for k < 2 / (9
g). `diffusion` is e, `loss` k, `ratio` g.
"""

import math

import torch

from pinn_ext.systems import dirichlet

LOWER, UPPER = (-1.0, -1.0), (1.0, 1.0)
FINAL_TIME = 1.0
NODES = 25
PARAMETERS = {"diffusion": 0.01, "loss": 0.1, "ratio": 0.5}


def rhs(u, v, d, *, diffusion, loss, ratio):
    turnover = u * v * v
    du = diffusion / ratio * d.laplacian(u) + loss / ratio * (1.0 - u) - turnover
    dv = diffusion * d.laplacian(v) - loss * v + turnover
    return du, dv


def initial(x, *, diffusion, loss, ratio):
    depth = math.sqrt(1.0 - 4.5 * ratio * loss)
    shape = torch.cosh(x[..., 0] * math.sqrt(loss / diffusion))
    v = 3.0 * loss / (1.0 + depth * shape)
    return torch.stack((1.0 - ratio * v, v), dim=-1)


def exact(x, t, *, diffusion, loss, ratio):
    return initial(x, diffusion=diffusion, loss=loss, ratio=ratio)


BOUNDARY = dirichlet(exact)
