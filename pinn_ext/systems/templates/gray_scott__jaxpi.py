"""The Gray-Scott model from two displaced Gaussians, as in the examples of jaxpi.

u_t = d_u lap u + b (1 - u) - c u v^2, v_t = d_v lap v - k v + c u v^2, periodic on [-1, 1]^2 up to
t = 2 (Wang et al. 2023, arXiv 2308.08468). No solution is known in closed form. `feed` is b,
`loss` k and `rate` c.
"""

import torch

LOWER, UPPER = (-1.0, -1.0), (1.0, 1.0)
FINAL_TIME = 2.0
NODES = 25
PARAMETERS = {"diffusion_u": 0.2, "diffusion_v": 0.1, "feed": 40.0, "loss": 100.0, "rate": 1000.0}
BOUNDARY = "periodic"


def rhs(u, v, d, *, diffusion_u, diffusion_v, feed, loss, rate):
    turnover = rate * u * v * v
    du = diffusion_u * d.laplacian(u) + feed * (1.0 - u) - turnover
    dv = diffusion_v * d.laplacian(v) - loss * v + turnover
    return du, dv


def initial(x):
    x, y = x.unbind(dim=-1)
    hole = torch.exp(-10.0 * ((x + 0.05) ** 2 + (y + 0.02) ** 2))
    seed = torch.exp(-10.0 * ((x - 0.05) ** 2 + (y - 0.02) ** 2))
    return torch.stack((1.0 - hole, seed), dim=-1)
