"""The Gray-Scott model with a travelling front.

u_t = e lap u + k (1 - u) - u v^2, v_t = e lap v - k v + u v^2 on [-1, 1]^2. The front along the
diagonal is exact for k < 1/4. `diffusion` is e, `loss` k.
"""

import math

import torch

from pinn_ext.systems import dirichlet

LOWER, UPPER = (-1.0, -1.0), (1.0, 1.0)
FINAL_TIME = 4.0
NODES = 25
PARAMETERS = {"diffusion": 0.02, "loss": 0.09}


def rhs(u, v, d, *, diffusion, loss):
    turnover = u * v * v
    du = diffusion * d.laplacian(u) + loss * (1.0 - u) - turnover
    dv = diffusion * d.laplacian(v) - loss * v + turnover
    return du, dv


def exact(x, t, *, diffusion, loss):
    root = math.sqrt(1.0 - 4.0 * loss)
    high, low = 0.5 * (1.0 + root), 0.5 * (1.0 - root)
    speed = math.sqrt(0.5 * diffusion) * (high - 2.0 * low)
    along = x.sum(dim=-1) / math.sqrt(2.0)
    v = high * torch.sigmoid(high * (speed * t - along) / math.sqrt(2.0 * diffusion))
    return torch.stack((1.0 - v, v), dim=-1)


def initial(x, *, diffusion, loss):
    return exact(x, torch.zeros_like(x[..., 0]), diffusion=diffusion, loss=loss)


BOUNDARY = dirichlet(exact)
