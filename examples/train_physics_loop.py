"""A graph network of one's own that steps a Brusselator, trained by physics in a loop of one's own.

The graphs are torch-geometric's, with the operators of `solvers` and a state x; no solution is used
for training. At the end the network takes one step on graphs that it has not seen.
"""

import math

import torch
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GraphConv

from pinn_ext import AdaptiveLossWeights, train_physics
from pinn_ext.datasets.families import FamilyBatch, longest_step
from pinn_ext.losses.families_from_config import family_of
from pinn_ext.schema import Config
from solvers.operators import grid_graph
from solvers.rk4 import integrate

cfg = Config()
cfg.dataset.name, cfg.network.name, cfg.dataset.nodes_per_side = "family", "gnn", 12
family = family_of(cfg)  # the equation, and 0.25 as the longest time of a step
torch.manual_seed(0)


def problem():
    """Return a periodic grid with two random waves for a state."""
    graph = grid_graph([12, 12], [0.0, 0.0], [2.0, 2.0])
    phase = graph.pos[:, :1] * math.pi + 6.0 * torch.rand(2) + graph.pos[:, 1:] * math.pi
    graph.x = torch.tensor([1.0, 2.65]) * torch.exp(0.2 * torch.sin(phase) + 0.1 * torch.randn(2))
    return graph


class Stepper(torch.nn.Module):
    """`U0 + tau (rates / (1 + tau D) + tau N)`, D and N from states and rates near by."""

    def __init__(self, width=32):
        super().__init__()
        self.first, self.second = GraphConv(4, width), GraphConv(width, width)
        self.rest = torch.nn.Sequential(
            torch.nn.Linear(width + 1, width), torch.nn.SiLU(), torch.nn.Linear(width, 4)
        )

    def forward(self, batch, tau):
        t, state = 4.0 * tau[:, None], batch.x - torch.tensor([1.0, 2.65]).to(batch.x)
        near = torch.cat((state, torch.asinh(0.25 * batch.rates)), 1)
        for layer in (self.first, self.second):
            near = torch.nn.functional.silu(layer(near, batch.edge_index))
        damping, own = self.rest(torch.cat((near, t), 1)).split(2, dim=1)
        rates = batch.rates / (1.0 + t * torch.nn.functional.softplus(damping))
        return batch.x + tau[:, None] * (rates + t * own)


graphs = [problem() for _ in range(40)]
cfg.dataset.family.step = 0.3 * longest_step(family, graphs)
model, names = Stepper(), ["PI_loss1", "PI_loss2", "RK4_loss1", "RK4_loss2"]
optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
weights = AdaptiveLossWeights(names, dict.fromkeys(names, 1.0), "equal_init")
for epoch in range(1, 41):
    means = dict.fromkeys(names, 0.0)
    for batch in DataLoader(graphs, batch_size=4, shuffle=True):
        _, raw = train_physics(batch, model, optimizer, "cpu", cfg, adaptive_weights=weights)
        means = {name: means[name] + raw[name] / 10 for name in names}
    weights.update(epoch, means)

unseen = [problem() for _ in range(10)]
batch = FamilyBatch.from_graphs(unseen, family, torch.tensor([0.25]), 0.01, dtype=torch.float64)
exact = integrate(batch.equation, batch.x, 0.0, 0.25, 0.25, limit=1e-3, compile=False)
stepped = model.double()(batch, batch.inputs[:, 0]).detach()
euler, frozen, errors = (
    (state - exact).norm(dim=0) / exact.norm(dim=0)
    for state in (batch.x + 0.25 * batch.rates, batch.x, stepped)
)
print(f"larger of u and v, frozen: {frozen.max():.2e}, by one Euler step: {euler.max():.2e}")
print(f"relative L2 error after a step, larger of u and v: {errors.max():.2e}")
