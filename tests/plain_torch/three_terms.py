"""A small network with three loss terms, and loops over an aggregator."""

import torch

from pinn_ext import strategies
from pinn_ext.strategies import Strategy

NAMES = ["pde", "bc", "ic"]
OF_TERMS = [name for name in strategies.names() if isinstance(strategies.create(name), Strategy)]
SEEN_BY_GRADIENTS = [
    name
    for name in OF_TERMS
    if strategies.create(name).needs <= {"losses", "gradients", "gradient_vectors"}
]


def network(seed=0, outputs=1):
    torch.manual_seed(seed)
    layers = torch.nn.Linear(1, 6), torch.nn.Tanh(), torch.nn.Linear(6, outputs)
    return torch.nn.Sequential(*layers)


def residuals_of(net):
    x = torch.linspace(0, 1, 7)[:, None]
    return {"ic": net(0 * x[:1]) - 1, "pde": 30 * (net(x) - x.sin()), "bc": 0.1 * net(1 + 0 * x)}


def losses_of(net):
    """Return three losses by name, in another order than the names."""
    return {name: r.square().mean() for name, r in residuals_of(net).items()}


def constants(*values):
    return {
        name: torch.tensor(v, dtype=torch.float64) for name, v in zip(NAMES, values, strict=True)
    }


def weights_of(aggregator):
    return list(aggregator.manager.get_weights().values())


def train(net, aggregator, steps, lr=1e-2, optimizer=None):
    optimizer = optimizer or torch.optim.Adam(net.parameters(), lr=lr)
    for step in steps:
        optimizer.zero_grad()
        aggregator(losses_of(net), step).backward()
        optimizer.step()
    return optimizer
