"""The training whose overhead is measured: a coupled system on a small network."""

from __future__ import annotations

from dataclasses import dataclass

import deepxde as dde
import torch


@dataclass(frozen=True)
class Case:
    """Loss terms, 3 or 8, and points for the equation; a tenth of them for the conditions."""

    terms: int
    points: int = 2000


def model_of(case: Case) -> dde.Model:
    """Return a compiled model with 2 residuals, 1 or 2 initial and 0 or 4 boundary terms."""
    dde.config.set_random_seed(0)
    square = dde.geometry.Rectangle([0, 0], [2, 2])
    domain = dde.geometry.GeometryXTime(square, dde.geometry.TimeDomain(0, 1))

    def brusselator(x, y):
        u, v = y[:, :1], y[:, 1:]

        def laplacian(k):
            return sum(dde.grad.hessian(y, x, component=k, i=i, j=i) for i in (0, 1))

        def rate(k):
            return dde.grad.jacobian(y, x, i=k, j=2)

        return [
            rate(0) - (u * u * v - 2 * u + 0.25 * laplacian(0)),
            rate(1) - (u - u * u * v + 0.25 * laplacian(1)),
        ]

    def field(sign):
        return lambda x: torch.exp(sign * (x[:, :1] + x[:, 1:2] + x[:, 2:] / 2)).numpy()

    def exact(sign):
        return lambda x: field(sign)(torch.as_tensor(x, device="cpu"))

    def side(axis):
        return lambda x, on: on and min(x[axis], 2 - x[axis]) < 1e-6

    initial = [
        dde.icbc.IC(domain, exact(sign), lambda _, on: on, component=k)
        for k, sign in enumerate((-1, 1))
    ]
    walls = [
        dde.icbc.DirichletBC(domain, exact(sign), side(axis), component=k)
        for k, sign in enumerate((-1, 1))
        for axis in (0, 1)
    ]
    conditions = initial[:1] if case.terms == 3 else [*initial, *walls]
    data = dde.data.TimePDE(
        domain,
        brusselator,
        conditions,
        num_domain=case.points,
        num_initial=case.points // 10,
        num_boundary=0 if case.terms == 3 else case.points // 10,
    )
    net = dde.nn.FNN([3, 64, 64, 64, 64, 2], "tanh", "Glorot normal")
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-3, verbose=0)
    return model
