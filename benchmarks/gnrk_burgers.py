"""A network that steps on GNRK's coupled Burgers equations (Choi et al. 2023, arXiv 2310.00618).

Their problem: `u_t = -u u_x - v u_y + nu lap u`, v alike, nu = 0.01, periodic on the unit square
with 100 x 100 nodes, up to t = 1, from `sin(2 pi x - p) sin(2 pi y - q) exp(-|x - o|^2)` a field,
over its largest value. Their network is trained on solutions; ours on none of them, nor on their
initial states: it sees random smooth fields on small periodic patches with the same spacing. Its
time step is several stable Runge-Kutta steps long.

Rows are relative L2 errors at t = 1 against scipy's DOP853 (rtol 1e-10) on the same nodes: of the
network, of Runge-Kutta steps of 0.9 of the longest stable one, of such steps on half the nodes a
side, and of the state at the start; `seconds` is CPU time of all problems. They are errors of the
steps, not of the nodes: how large those are shows the row with half as many.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import _common
import torch
from torch import Tensor

from pinn_ext.datasets.families import (
    Family,
    FamilyBatch,
    FamilyBatches,
    FamilyGraphs,
    NodeSet,
    Spectrum,
    longest_step,
)
from pinn_ext.datasets.families.trajectories import trajectory
from pinn_ext.dde.data.family_data import FamilyData
from pinn_ext.losses.rollout import relative, roll_out
from pinn_ext.losses.step_loss import StepLoss
from pinn_ext.networks.graph_networks import GraphStepper, create
from pinn_ext.systems.burgers_2d import Burgers2d
from solvers.operators import grid_graph
from solvers.rk4 import integrate

END, SPACING = 1.0, 0.01


class Burgers(Burgers2d):
    """The equations on a periodic square from 0."""

    def __init__(self, side: float) -> None:
        super().__init__("periodic", 0.01)
        self.lower, self.upper = (0.0, 0.0), (side, side)


def patches(args: Any) -> Family:
    """Return the family that is trained on."""
    return Family(
        Burgers(args.patch * SPACING),
        {},
        mean=(0.0, 0.0),
        spread=(0.5, 0.5),
        positive=False,
        spectrum=Spectrum("fourier", 2),
        nodes=NodeSet(per_side=args.patch),
        horizon=args.tau,
        steps=1,
        seed=args.seed,
    )


def trained(family: Family, step: float, args: Any) -> GraphStepper:
    """Train a network on patches, by physics alone."""
    graphs = FamilyBatches(FamilyGraphs(None, family, "train", args.graphs), step)
    unseen = FamilyBatches(FamilyGraphs(None, family, "validation", 2), step)
    network = create(
        "gnn", 2, family.mean, family.deviations, family.horizon, layers=args.layers, seed=args.seed
    )
    loss = StepLoss(family, step)
    data = FamilyData(
        loss,
        graphs,
        unseen,
        network,
        batch_size=2,
        rollout=args.rollout,
        noise=args.noise,
        seed=args.seed,
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    steps = args.epochs * data.batches_per_epoch
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for number in range(steps):
        batch = data.training_batch(number)
        terms = torch.stack(loss(network, batch, loss.outputs(network, batch)))
        optimizer.zero_grad()
        terms.sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if (number + 1) % data.batches_per_epoch == 0:
            pairs = zip(loss.names, terms.tolist(), strict=True)
            told = ", ".join(f"{name} {value:.2e}" for name, value in pairs)
            print(f"epoch {(number + 1) // data.batches_per_epoch}: {told}", flush=True)
    return network.requires_grad_(False)


def started(per_side: int, problems: int, seed: int) -> list[Any]:
    """Return graphs with GNRK's initial states: phases 0, then random ones."""
    generator = torch.Generator().manual_seed(seed)
    graphs = []
    for number in range(problems):
        phases = math.pi * (2.0 * torch.rand(2, 2, generator=generator, dtype=torch.float64) - 1.0)
        graph = grid_graph([per_side, per_side], [0.0, 0.0], [1.0, 1.0])
        graph.x = torch.stack([_start(graph.pos, p if number else 0 * p) for p in phases], dim=1)
        graph.parameters = torch.zeros(1, 0, dtype=torch.float64)  # no constant varies
        graphs.append(graph)
    return graphs


def _start(x: Tensor, phases: Tensor) -> Tensor:
    wave = torch.sin(2.0 * math.pi * x - phases).prod(dim=1)
    field = wave * torch.exp(-(x - 0.5).square().sum(dim=1))
    return field / field.abs().max()


def batch_of(graphs: list[Any], family: Family, dtype: torch.dtype) -> FamilyBatch:
    """Return problems on the whole square as one batch."""
    return FamilyBatch.from_graphs(graphs, family, torch.zeros(1), SPACING, dtype=dtype)


def by_runge_kutta(per_side: int, family: Family, args: Any) -> tuple[Tensor, float]:
    """Return the states at the end of all problems `[N, 2]`, and the CPU seconds."""
    family = replace(family, nodes=NodeSet(per_side=per_side))
    graphs = started(per_side, args.problems, args.seed)
    batch = batch_of(graphs, family, torch.float64)
    limit = 0.9 * longest_step(family, graphs)
    return timed(
        lambda: integrate(batch.equation, batch.x, 0.0, END, END, limit=limit, compile=False)
    )


def timed(make: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """Return what is made and its CPU seconds."""
    begin = time.process_time()
    return make(), time.process_time() - begin


def row(name: str, states: Tensor, known: Tensor, seconds: float | None) -> dict[str, Any]:
    """Return the errors of one answer."""
    u, v = relative(states.double(), known).tolist()
    return {"answer": name, "u": u, "v": v, "seconds": seconds}


def arguments() -> Any:
    """Return the command line."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=100, help="a side, an even number")
    parser.add_argument("--patch", type=int, default=32, help="nodes a side in training")
    parser.add_argument("--graphs", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--tau", type=float, default=0.01, help="time of a step, a part of 1")
    parser.add_argument("--rollout", type=int, default=10, help="dataset.family.rollout")
    parser.add_argument("--noise", type=float, default=0.02, help="dataset.family.noise")
    parser.add_argument("--problems", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def reference(graphs: list[Any], family: Family) -> Tensor:
    """Return the states at the end by DOP853 `[N, 2]`, problem after problem."""
    each = (batch_of([graph], family, torch.float64) for graph in graphs)
    return torch.cat([trajectory(alone.equation, alone.x, END, 1)[:, -1] for alone in each])


def main() -> None:
    """Train and compare."""
    args = arguments()
    torch.set_num_threads(1)
    family = patches(args)
    longest = longest_step(family, [family.problem(0, i) for i in range(min(args.graphs, 8))])
    network, training = timed(lambda: trained(family, 0.9 * longest, args))
    whole = replace(family, system=Burgers(1.0), nodes=NodeSet(per_side=args.nodes))
    graphs = started(args.nodes, args.problems, args.seed)
    known, single = reference(graphs, whole), batch_of(graphs, whole, torch.float32)
    steps = round(END / args.tau)
    own, seconds = timed(lambda: roll_out(network, single, args.tau, steps)[-1])
    fine, fine_seconds = by_runge_kutta(args.nodes, whole, args)
    coarse, coarse_seconds = by_runge_kutta(args.nodes // 2, whole, args)
    halved = known.view(args.problems, args.nodes, args.nodes, 2)[:, ::2, ::2].reshape(-1, 2)
    rows = [
        row(f"network, {steps} steps", own, known, seconds),
        row("Runge-Kutta", fine, known, fine_seconds),
        row("Runge-Kutta, half the nodes a side", coarse, halved, coarse_seconds),
        row("frozen", torch.cat([graph.x for graph in graphs]), known, None),
    ]
    print(f"Training took {training:.0f} s; a step is {args.tau / longest:.1f} stable ones.")
    facts = {key: value for key, value in vars(args).items() if key != "out"}
    facts |= {"training_seconds": training, "tau_over_stable": args.tau / longest}
    _common.report(rows, args.out, _common.machine(**facts))


if __name__ == "__main__":
    main()
