"""A module that adds loss terms up with adaptive weights, in a training loop without DeepXDE.

Poisson's equation on the unit square, laplacian(u) = -8 pi^2 sin(2 pi x) sin(2 pi y), u = 0 on
the walls. The source makes the loss of the equation thousands of times larger than that of the
walls; with equal weights the network gets the walls wrong, and with them all the rest.
"""

import math

import torch

from pinn_ext import LossAggregator

STEPS = 1500
torch.manual_seed(0)
net = torch.nn.Sequential(
    torch.nn.Linear(2, 24), torch.nn.Tanh(), torch.nn.Linear(24, 24), torch.nn.Tanh(),
    torch.nn.Linear(24, 1),
)  # fmt: skip
aggregator = LossAggregator("equal_init_ema", ["pde", "walls"], period=20)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)


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
    optimizer.zero_grad()
    aggregator(losses, step).backward()
    optimizer.step()
    schedule.step()

for name, weight in aggregator.manager.get_weights().items():
    print(f"weight of {name}: {weight:.3g}")
grid = torch.cartesian_prod(torch.linspace(0, 1, 41), torch.linspace(0, 1, 41))
error = (net(grid) - exact(grid)).norm() / exact(grid).norm()
print(f"relative L2 error of u: {error.item():.2e}")
