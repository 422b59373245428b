"""Adaptive loss weights in a training loop of your own, without DeepXDE.

A simply supported beam as a coupled pair of deflection u and moment v: u'' = v, v'' = q on [0, 1],
all zero at the ends. For the load q = pi^4 sin(pi x), u = sin(pi x) and v = -pi^2 sin(pi x); the
load makes one loss thousands of times larger than the others.
"""

import math

import torch

from pinn_ext import AdaptiveLossWeights

EPOCHS, BATCHES = 120, 10
torch.manual_seed(0)
net = torch.nn.Sequential(
    torch.nn.Linear(1, 24), torch.nn.Tanh(), torch.nn.Linear(24, 24), torch.nn.Tanh(),
    torch.nn.Linear(24, 2),
)  # fmt: skip
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)


def second(f, x):
    """Return the second derivative of f by x."""
    for _ in range(2):
        (f,) = torch.autograd.grad(f.sum(), x, create_graph=True)
    return f


def terms(x):
    """Return the mean squared residual of every term by name."""
    u, v = net(x).split(1, dim=1)
    u_ends, v_ends = net(torch.tensor([[0.0], [1.0]])).unbind(dim=1)
    return {
        "pde_u": (second(u, x) - v).square().mean(),
        "pde_v": (second(v, x) - math.pi**4 * torch.sin(math.pi * x)).square().mean(),
        "ends_u": u_ends.square().mean(),
        "ends_v": v_ends.square().mean(),
    }


names = ["pde_u", "pde_v", "ends_u", "ends_v"]
adaptive = AdaptiveLossWeights(
    names, dict.fromkeys(names, 1.0), "equal_init_ema", normalization="total", max_ratio=100
)
weights = adaptive.get_weights()
for epoch in range(1, EPOCHS + 1):
    means = dict.fromkeys(names, 0.0)
    for _ in range(BATCHES):
        losses = terms(torch.rand(64, 1, requires_grad=True))
        optimizer.zero_grad()
        sum(weights[name] * losses[name] for name in names).backward()
        optimizer.step()
        for name in names:
            means[name] += losses[name].item() / BATCHES
    weights = adaptive.update(epoch, means)
    schedule.step()

x = torch.linspace(0, 1, 201)[:, None]
exact = torch.sin(math.pi * x) * torch.tensor([1.0, -(math.pi**2)])
errors = (net(x) - exact).norm(dim=0) / exact.norm(dim=0)
print(f"relative L2 error, larger of u and v: {errors.max():.2e}")
