"""Weights for the sizes of the gradients, TorchJD for their directions, in one training loop.

Poisson's equation as in `loss_aggregator.py`, where the gradients of equation and walls point
against each other in most steps. `LossAggregator` weighs the terms; TorchJD (`pip install
'pinn-ext[conflict]'`) finds a direction that lowers all of them. Any of its aggregators does in the
place of `ConFIG`; `UPGrad` returns the plain mean where gradients are shorter than about 1e-2, so
that they are brought to length 1 before.
"""

import math

import torch
from torchjd.aggregation import ConFIG
from torchjd.autojac import backward, jac_to_grad

from pinn_ext import LossAggregator

STEPS = 1000
torch.manual_seed(0)
net = torch.nn.Sequential(
    torch.nn.Linear(2, 24), torch.nn.Tanh(), torch.nn.Linear(24, 24), torch.nn.Tanh(),
    torch.nn.Linear(24, 1),
)  # fmt: skip
parameters = list(net.parameters())
weigh = LossAggregator("equal_init_ema", ["pde", "walls"], period=20)
optimizer = torch.optim.Adam(parameters, lr=1e-2)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
conflicts = 0


def exact(x):
    return torch.sin(2 * math.pi * x).prod(dim=1, keepdim=True)


def laplacian(u, x):
    (gradient,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    second = [torch.autograd.grad(g.sum(), x, create_graph=True)[0] for g in gradient.T]
    return second[0][:, :1] + second[1][:, 1:]


for step in range(STEPS):
    inside = torch.rand(128, 2, requires_grad=True)
    walls = torch.rand(64, 2)
    walls[:32, 0], walls[32:, 1] = walls[:32, 0].round(), walls[32:, 1].round()
    residual = laplacian(net(inside), inside) + 8 * math.pi**2 * exact(inside)
    losses = {"pde": residual.square().mean(), "walls": net(walls).square().mean()}
    weights = weigh.weights  # in force in this step
    weigh(losses, step)  # takes the losses in; its sum is not needed
    terms = [weight * losses[name] for weight, name in zip(weights, weigh.names, strict=True)]

    optimizer.zero_grad()
    backward(terms, inputs=parameters, parallel_chunk_size=1)  # a gradient a term, in `.jac`
    rows = torch.cat([parameter.jac.flatten(1) for parameter in parameters], dim=1)
    conflicts += int(torch.cosine_similarity(rows[0], rows[1], dim=0) < 0)
    for parameter in parameters:
        parameter.jac = parameter.jac / rows.norm()
    jac_to_grad(parameters, ConFIG())
    for parameter in parameters:
        parameter.grad *= rows.norm()
    optimizer.step()
    schedule.step()

print(f"steps in which the terms were in conflict: {100 * conflicts / STEPS:.0f} %")
grid = torch.cartesian_prod(torch.linspace(0, 1, 41), torch.linspace(0, 1, 41))
error = (net(grid) - exact(grid)).norm() / exact(grid).norm()
print(f"relative L2 error of u: {error.item():.2e}")
