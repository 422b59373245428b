"""The regularised lid-driven cavity at Re = 100: (w . grad) w + grad p = lap w / Re, div w = 0.

w = (u, v) on the unit square, at rest on three walls, u = 4 x (1 - x) on the lid y = 1. The network
has two outputs, a stream function, u = psi_y and v = -psi_x, and p; no-slip is built into it.
In the lid's corners the velocity has no gradient and p a logarithm, as the lid's speed has a slope
of 4 where the side walls stand still. Stokes' equations have a closed solution there (`corner`
below), which the output contains: the network has to find the rest.

Errors: relative L2 of u, v and p at the middles of 200 x 200 cells, the mean of p removed, jointly
and each, against the Chebyshev polynomials of `_records/cavity.py`.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")  # before the first import of deepxde

import sys
from pathlib import Path

import deepxde as dde
import numpy as np
import torch
from _clock import train_for
from scipy.stats import qmc

from pinn_ext.networks import Sine, init_sine

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))
from _records import cavity as chebyshev

SECONDS = 400.0  # of one core
RE = 100.0


def velocity(x, y):
    """Return u, v and p [N, 3]."""
    psi_x, psi_y = (dde.grad.jacobian(y, x, i=0, j=k) for k in (0, 1))
    return torch.cat((psi_y, -psi_x, y[:, 1:]), dim=1)


def pde(x, y):
    u, v = velocity(x, y)[:, :2].split(1, dim=1)
    p_x, p_y = (dde.grad.jacobian(y, x, i=1, j=k) for k in (0, 1))
    xx, yy = (dde.grad.hessian(y, x, component=0, i=k, j=k) for k in (0, 1))
    xy = dde.grad.hessian(y, x, component=0, i=0, j=1)
    lap_x, lap_y = (dde.grad.jacobian(xx + yy, x, i=0, j=k) for k in (0, 1))
    return [u * xy + v * yy + p_x - lap_y / RE, -u * xx - v * xy + p_y + lap_x / RE]


def corner(along, down, sign):
    """Return psi and p of Stokes' flow in a corner of the lid, psi cut off at a distance of 1."""
    r2 = along**2 + down**2
    angle = torch.atan2(along, down)  # from the side wall
    psi = 2 * (r2 * angle - along * down) - np.pi * along**2
    return psi * torch.clamp(1 - r2, min=0) ** 5, sign * 4 / RE * torch.log(r2)


def no_slip(x, y):
    """Return psi and p: of both corners, of what the lid moves beside them, of the network."""
    s, t = x[:, :1], x[:, 1:]
    left, right = corner(s, 1 - t, 1.0), corner(1 - s, 1 - t, -1.0)
    moved = 4 * s * (1 - s**2) ** 5 + 4 * (1 - s) * (s * (2 - s)) ** 5
    lid = (4 * s * (1 - s) - moved) * t**2 * (t - 1)
    bubble = (16 * s * (1 - s) * t * (1 - t)) ** 2
    psi = left[0] + right[0] + lid + bubble * y[:, :1]
    return torch.cat((psi, left[1] + right[1] + y[:, 1:]), dim=1)


def places(count, seed):
    """Return points [N, 2]: three quarters anywhere, the others gathered in the lid's corners."""
    inside, near = np.split(qmc.Halton(2, seed=seed).random(count), [3 * count // 4])
    near = near**2 / 2
    near[: len(near) // 2, 0] = 1 - near[: len(near) // 2, 0]
    near[:, 1] = 1 - near[:, 1]
    return np.concatenate((inside, near))


def truth():
    """Return the points of the measure and u, v, p there."""
    points = chebyshev.middles(200)
    return points, chebyshev.stored().evaluate(points)


def trivial(points):
    """Return what a fluid at rest scores."""
    return np.zeros((len(points), 3))


def errors(found, true):
    """Return relative L2 errors, of all fields together and of each."""
    found, true = (f - [0, 0, f[:, 2].mean()] for f in (found, true))
    size, miss = (np.linalg.norm(f, axis=0) for f in (true, found - true))
    each = dict(zip("uvp", miss / size, strict=True))
    return {"uvp": np.linalg.norm(miss) / np.linalg.norm(size), **each}


def solve(seconds=SECONDS, seed=0, look=None, width=22, count=6000):
    """Train; return what gives u, v and p [N, 3] at points [N, 2], and facts for the table."""
    dde.config.set_default_float("float64")  # before data and network are built
    dde.config.set_random_seed(seed)
    square = dde.geometry.Rectangle([0, 0], [1, 1])
    data = dde.data.PDE(square, pde, [], num_domain=0, anchors=places(count, seed))
    net = dde.nn.FNN([2, width, width, width, 2], Sine(3.0), "Glorot normal")
    init_sine(net, 3.0, seed=seed)
    net.apply_feature_transform(lambda x: 2 * x - 1)
    net.apply_output_transform(no_slip)
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-3, verbose=0)  # makes no step here

    def predict(points):
        return model.predict(points, operator=velocity)

    return predict, train_for(seconds, model, count, look and (lambda _: look(predict)))


if __name__ == "__main__":
    grid, solution = truth()
    predict, facts = solve(look=lambda predict: errors(predict(grid), solution))
    print(facts, errors(predict(grid), solution))
