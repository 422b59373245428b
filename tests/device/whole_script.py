"""A user's script on a GPU, with the make-believe one in its place; with "load" its second half.

`whole_script.py train FILE` builds a cloud, trains with the callback and with Gauss-Newton, saves.
`whole_script.py load FILE` goes on from the file on the CPU, where torch does not know the device.
"""

import os
import sys

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde
import numpy as np
import torch

import pinn_ext
from solvers.operators import GraphOperators, cloud_graph

SPACING = 0.0249


def cloud():
    """Return points [N, 2] of the unit disk and how many, the first, lie on its rim."""
    count = round(2 * np.pi / SPACING)
    rim = np.exp(2j * np.pi * np.arange(count) / count)
    k = np.arange(int(np.pi / SPACING**2)) + 0.5
    seeds = np.sqrt(k / len(k)) * np.exp(1j * np.pi * (1 + np.sqrt(5)) * k)
    points = np.concatenate([rim, seeds[np.abs(seeds) < 1 - 0.6 * SPACING]])
    return np.stack([points.real, points.imag], 1), count


def model_on(points):
    """Return laplacian u = v, laplacian v = 1 on the disk, u = v = 0 on its rim."""

    def equations(x, y):
        laplacian_u, laplacian_v = (
            sum(dde.grad.hessian(y, x, component=k, i=i, j=i) for i in (0, 1)) for k in (0, 1)
        )
        return [laplacian_u - y[:, 1:], laplacian_v - 1]

    disk = dde.geometry.Disk([0, 0], 1)
    walls = [
        dde.icbc.DirichletBC(disk, lambda x: 0 * x[:, :1], lambda _, on: on, component=k)
        for k in (0, 1)
    ]
    data = dde.data.PDE(disk, equations, walls, 0, 40, anchors=points)
    model = dde.Model(data, dde.nn.FNN([2, 12, 12, 2], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-2, verbose=0)
    return model


def train(file):
    points, count = cloud()
    graph = cloud_graph(points, dirichlet=np.arange(len(points)) < count)
    d = GraphOperators.from_graph(graph.to("pretend"))
    model = model_on(points[count::20])
    weights = pinn_ext.AdaptiveWeights("ema", period=20, verbose=0)
    model.train(iterations=100, callbacks=[weights], verbose=0, display_every=100)
    pinn_ext.train_gauss_newton(model, 15, verbose=0)
    u, v = torch.as_tensor(model.predict(points)).unbind(1)
    inner = ~d.boundary_mask
    error = (d.laplacian(u) - v)[inner].norm() / v[inner].norm()
    print(f"{d.num_nodes} nodes on {u.device}, defect on the graph {error.item():.1e}")
    state = {"net": model.net.state_dict(), "weights": weights.state_dict()}
    torch.save({**state, "u": u}, file)


def load(file):
    saved = torch.load(file, map_location="cpu", weights_only=True)
    points, count = cloud()
    model = model_on(points[count::20])
    model.net.load_state_dict(saved["net"])
    weights = pinn_ext.AdaptiveWeights("ema", period=20, verbose=0)
    weights.load_state_dict(saved["weights"], model)
    difference = np.abs(model.predict(points)[:, 0] - saved["u"].numpy()).max()
    model.train(iterations=20, callbacks=[weights], verbose=0, display_every=100)
    print(f"loaded on the CPU, largest difference {difference:.1e}")


def main():
    dde.config.set_default_float("float64")
    dde.config.set_random_seed(0)
    what, file = sys.argv[1:]
    if what == "train":
        from tests.device import pretend

        pretend.register()
        torch.set_default_device("pretend")
        train(file)
    else:
        load(file)


if __name__ == "__main__":
    main()
