"""What dimensionless fields do: raw loss terms and errors of each system, scaled and as it stands.

Each system, in its first case unless one is named, trains with each `problem.scaling` and seed by
`train_physics`, the program's step: its network, nodes, learning rate and fixed weights, on few
graphs and for a short time, on one thread. Graphs, batches and points of errors are the same for
all scalings.

`ratio` is the largest over the smallest raw loss term of the untrained network on the first batch;
`error` is the larger of the two fields' relative L2 errors at the end, on held-out points. Both are
medians over the seeds, beside the smallest and the largest. `trivial` is the error of what needs no
training. `seconds` are those of a training.

    python benchmarks/scaling.py --out scaling.json
    python benchmarks/scaling.py --systems brusselator,gray_scott/pulse --steps 1000
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _common
import torch
from torch_geometric.data import Batch

from pinn_ext import systems, train_physics
from pinn_ext.choices import CONDITIONS, SCALINGS
from pinn_ext.datasets import SnapshotGraphs, epoch_order
from pinn_ext.losses.solution_error import Evaluator
from pinn_ext.networks import FieldNetwork
from pinn_ext.schema import Config


def config_of(problem: str, scaling: str, conditions: str) -> Config:
    """Return the program's defaults for `system` or `system/case`."""
    cfg = Config()
    cfg.problem.name, _, case = problem.partition("/")
    cfg.problem.case = case or None
    cfg.problem.scaling, cfg.problem.conditions = scaling, conditions
    return cfg


def train(cfg: Config, graphs: SnapshotGraphs, args: Any, seed: int) -> tuple[float, FieldNetwork]:
    """Return the ratio of the first raw terms, and the network after all steps."""
    problem = cfg.problem
    network = FieldNetwork(
        graphs.system, scaling=problem.scaling, conditions=problem.conditions, seed=seed
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=cfg.training.learning_rate)
    first, made, epoch = 0.0, 0, 0
    while made < args.steps:
        for picked in epoch_order(len(graphs), args.batch, epoch, seed)[: args.steps - made]:
            batch = Batch.from_data_list([graphs[i] for i in picked])
            _, raw = train_physics(batch, network, optimizer, "cpu", cfg)
            first = first or ratio(raw)
            made += 1
        epoch += 1
    return first, network


def ratio(losses: dict[str, float]) -> float:
    """Return the largest over the smallest of some losses, those that are 0 left out."""
    positive = [loss for loss in losses.values() if loss > 0]
    return max(positive) / min(positive)


def rows_of(problem: str, scalings: list[str], args: Any) -> list[dict[str, Any]]:
    """Return a row a scaling."""
    start = config_of(problem, scalings[0], args.conditions).problem
    system = systems.create(start.name, case=start.case)
    measure = Evaluator(system, "cpu", torch.float32)
    found: dict[str, list[tuple[float, float, float]]] = {scaling: [] for scaling in scalings}
    for seed in range(args.seeds):
        graphs = SnapshotGraphs(system, args.graphs, conditions=args.conditions, seed=seed)
        for scaling, runs in found.items():
            begun = time.perf_counter()
            cfg = config_of(problem, scaling, args.conditions)
            first, network = train(cfg, graphs, args, seed)
            seconds = time.perf_counter() - begun
            runs.append((first, _common.worse(measure.errors(network)), seconds))
    trivial = _common.worse(measure.trivial(args.conditions))
    rows = []
    for scaling, runs in found.items():
        ratios, errors, seconds = zip(*runs, strict=True)
        own = {"system": problem, "scaling": scaling}
        for name, values in (("ratio", ratios), ("error", errors)):
            own |= _common.spread(values, (name, f"{name}_smallest", f"{name}_largest"))
        rows.append({**own, "trivial": trivial, "seconds": statistics.median(seconds)})
    return rows


def arguments() -> tuple[Any, list[str], list[str]]:
    """Return the command line, the problems and the scalings."""
    parser = _common.parser(__doc__.splitlines()[0])
    first = systems.names()
    legal = [*first, *(f"{name}/{case}" for name in first for case in systems.cases(name))]
    parser.add_argument("--systems", default=",".join(first), metavar="NAME[/CASE][,…]")
    parser.add_argument("--scalings", default="none,fields", metavar="NAME[,NAME]")
    parser.add_argument("--conditions", default="hard", choices=CONDITIONS)
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0")
    parser.add_argument("--steps", type=int, default=100, help="of Adam")
    parser.add_argument("--graphs", type=int, default=12, help="to train on")
    parser.add_argument("--batch", type=int, default=3, help="graphs of a step")
    args = parser.parse_args()
    for flag in ("seeds", "steps", "graphs", "batch"):
        if getattr(args, flag) < 1:
            sys.exit(f"`--{flag}` must be at least 1, got {getattr(args, flag)}.")
    problems = _common.chosen("--systems", args.systems, legal)
    return args, problems, _common.chosen("--scalings", args.scalings, SCALINGS)


def main() -> None:
    """Measure all systems."""
    args, problems, scalings = arguments()
    torch.set_num_threads(1)
    rows = []
    for problem in problems:
        rows += rows_of(problem, scalings, args)
        print(_common.table(rows[-len(scalings) :]), flush=True)
    settings = {key: getattr(args, key) for key in ("steps", "graphs", "batch", "seeds")}
    _common.report(rows, args.out, _common.machine(conditions=args.conditions, **settings))


if __name__ == "__main__":
    main()
