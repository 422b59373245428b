"""A graph network of one's own that steps a Brusselator, trained by physics, without solutions."""

import torch
from torch.nn.functional import softplus
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GraphSAGE

from pinn_ext import AdaptiveLossWeights, train_physics
from pinn_ext.datasets.families import FamilyBatch, longest_step
from pinn_ext.losses.families_from_config import family_of
from pinn_ext.schema import Config
from solvers.operators import grid_graph
from solvers.rk4 import integrate

cfg = Config()
cfg.dataset.name, cfg.network.name, cfg.dataset.nodes_per_side = "family", "gnn", 12
family = family_of(cfg)  # the equation, and 0.25 as the longest time of a step
EVEN = torch.tensor([1.0, 2.65])  # the state without waves
torch.manual_seed(0)


def problem():
    """Return a periodic grid with two random waves for a state."""
    graph = grid_graph([12, 12], [0.0, 0.0], [2.0, 2.0])
    phase = torch.pi * graph.pos.sum(dim=1, keepdim=True) + 6.0 * torch.rand(2)
    graph.x = EVEN * torch.exp(0.2 * torch.sin(phase) + 0.1 * torch.randn(2))
    return graph


class Stepper(torch.nn.Module):
    """`U0 + tau (rates / (1 + tau D) + tau N)`, D and N from states and rates near by."""

    def __init__(self):
        super().__init__()
        self.near = GraphSAGE(5, 32, num_layers=3, out_channels=4, act="silu")

    def forward(self, batch, tau):
        state, t = batch.x - EVEN.to(batch.x), 4.0 * tau[:, None]
        inputs = torch.cat((state, torch.asinh(0.25 * batch.rates), t), 1)
        damping, own = self.near(inputs, batch.edge_index).split(2, dim=1)
        return batch.x + tau[:, None] * (batch.rates / (1.0 + t * softplus(damping)) + t * own)


graphs, unseen = [problem() for _ in range(40)], [problem() for _ in range(10)]
cfg.dataset.family.step = 0.3 * longest_step(family, graphs)
model, names = Stepper(), ["PI_loss1", "PI_loss2", "RK4_loss1", "RK4_loss2"]
optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
weights = AdaptiveLossWeights(names, dict.fromkeys(names, 1.0), "equal_init")
for epoch in range(1, 41):
    means = dict.fromkeys(names, 0.0)
    for batch in DataLoader(graphs, batch_size=4, shuffle=True):
        _, raw = train_physics(batch, model, optimizer, "cpu", cfg, adaptive_weights=weights)
        means = {name: mean + raw[name] / 10 for name, mean in means.items()}
    weights.update(epoch, means)

batch = FamilyBatch.from_graphs(unseen, family, torch.tensor([0.25]), 0.01, dtype=torch.float64)
exact = integrate(batch.equation, batch.x, 0.0, 0.25, 0.25, limit=1e-3, compile=False)
stepped = model.double()(batch, batch.inputs[:, 0]).detach()
frozen, error = (((x - exact).norm(dim=0) / exact.norm(dim=0)).max() for x in (batch.x, stepped))
print(f"relative L2 error after a step, larger of u and v (frozen {frozen:.2e}): {error:.2e}")
