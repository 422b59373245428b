"""Training of a graph network on a family of problems: the program's machinery beside plain loops.

All ways train the same network on the same graphs with the same four terms and Adam. `program` is
what `network=gnn` does: DeepXDE's `Model.train` with the weights callback. `plain` is a loop of
one's own on the same batches: loss, backward pass, step, nothing else. `collated` is what a
torch-geometric loop does by itself: a `DataLoader` collates the graphs of each batch, whose
operators are joined anew in each step.

`graphs_per_second` is the median over the repeats, in which the ways take turns; `ratio_to_plain`
is the median of the ratios of their times within a repeat. With one thread the clock is the CPU
time of the process. `program` is one call of `Model.train` for all repeats: the others take their
turns between two of its steps, with its clock stopped. What DeepXDE does once a training, its test
of losses before the first step and after the last, is a row of its own, `tests`: milliseconds,
twice those until the first step, and how many steps of `plain` these are.

`epoch` rows are whole epochs of `program` over data sets of several sizes: `ms_per_graph` stays, if
an epoch is linear in the number of graphs. `bytes_per_graph` is what the program holds of a
problem for the training, states and constants; `shared_bytes` is what all graphs of a batch share.

`processes` rows are runs of the program by torchrun, with one process and with several that share
each mini-batch: graphs per second of what a run's report counts as training, by the wall clock, so
on a machine with other work or fewer cores than processes they say little.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import _common
import deepxde as dde
import torch
from torch_geometric.loader import DataLoader

from pinn_ext.datasets.families import FamilyBatch
from pinn_ext.dde.data.family_data import FamilyData
from pinn_ext.dde.phases import Epochs, GraphModel, configure
from pinn_ext.plain_torch.physics_step import weighted_total
from pinn_ext.program import build
from pinn_ext.schema import Config

WARM_UP = 3
EPOCHS = 5  # of a run in a row of processes
MAIN = Path(__file__).resolve().parents[1] / "main.py"


class Program(dde.callbacks.Callback):
    """The program's own training, in one call of DeepXDE's `Model.train`."""

    def __init__(self, built: build.Built) -> None:
        super().__init__()
        self.data = built.data
        shared = GraphModel(built.data, built.network, built.weights, built.initial)
        self.phase = Epochs(shared, 10**6, "adam", 1e-3)
        self.phase.compile()
        self.shared = shared

    def train(self, steps: int, repeats: int, others: Callable[[float], None]) -> float:
        """Train for as many steps a repeat.

        Args:
            steps: in a row, of a repeat.
            repeats: their number, after some steps to warm up.
            others: called after each repeat with its seconds; not counted.

        Returns:
            Seconds from the call to the first step.
        """
        self._steps, self._others, self._made = steps, others, -WARM_UP
        begin = now()
        self.data.peek()
        self.shared.model.train(
            iterations=WARM_UP + repeats * steps + 1,  # DeepXDE's test is within the last step
            callbacks=[self.shared.weights, self.phase, self],
            verbose=0,
            display_every=10**9,
        )
        return self._start - begin

    def on_train_begin(self) -> None:
        """Note when the first step begins."""
        self._start = self._since = now()

    def on_epoch_end(self) -> None:
        """Let the others take their turn after so many steps."""
        self._made += 1
        if self._made > 0 and self._made % self._steps == 0:
            self._others(now() - self._since)
        if self._made % self._steps == 0:
            self._since = now()


class Plain:
    """A loop of one's own on the program's batches."""

    def __init__(self, built: build.Built) -> None:
        self.data, self.loss, self.network = built.data, built.loss, built.network
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3)
        self.weights = torch.tensor(list(built.initial.values()))
        self.made = 0

    def batch(self) -> Any:
        """Return the batch of the next step."""
        self.made += 1
        return self.data.training_batch(self.made - 1)

    def __call__(self, steps: int) -> None:
        """Make so many steps."""
        for _ in range(steps):
            batch = self.batch()
            terms = self.loss(self.network, batch, self.loss.outputs(self.network, batch))
            self.optimizer.zero_grad()
            weighted_total(terms, self.weights).backward()
            self.optimizer.step()


class Collated(Plain):
    """The same with torch-geometric's `DataLoader`, which collates each batch."""

    def __init__(self, built: build.Built) -> None:
        super().__init__(built)
        assert isinstance(built.data, FamilyData)
        self.batches = built.data.graphs
        self.loader = DataLoader(self.batches.graphs, built.data.batch_size, shuffle=True)
        self.iterator = iter(self.loader)

    def batch(self) -> Any:
        """Return the next batch of the loader."""
        graphs = next(self.iterator, None)
        if graphs is None:
            self.iterator = iter(self.loader)
            graphs = next(self.iterator)
        family = self.batches.graphs.family
        times = torch.rand(graphs.num_graphs) * family.horizon
        return FamilyBatch.from_graphs(graphs, family, times, self.batches.step)


LOOPS: dict[str, Callable[[build.Built], Plain]] = {"plain": Plain, "collated": Collated}


def built_for(network: str, graphs: int, nodes: int, folder: Path) -> build.Built:
    """Return what a run of a network on so many problems is made of."""
    cfg = Config()
    cfg.network.name, cfg.dataset.name, cfg.dataset.family.root = network, "family", str(folder)
    cfg.dataset.num_graphs, cfg.dataset.nodes_per_side = graphs, nodes
    cfg.dataset.num_validation = cfg.dataset.num_test = 2
    cfg.dataset.family.rollout = 0  # steps of one cost
    cfg.device = "cpu"
    configure("float32", 0)
    return build.build(build.check(cfg), folder)


def rows_of_ways(
    args: argparse.Namespace, networks: list[str], folder: Path
) -> list[dict[str, Any]]:
    """Measure all ways in turns."""
    rows = []
    for network in networks:
        builts = {
            way: built_for(network, args.graphs, args.nodes, folder) for way in ("program", *LOOPS)
        }
        loops = {way: make(builts[way]) for way, make in LOOPS.items()}
        for loop in loops.values():
            loop(WARM_UP)
        times: dict[str, list[float]] = {way: [] for way in builts}

        def take_turns(own: float, times: Any = times, loops: Any = loops) -> None:
            times["program"].append(own)
            for way, loop in loops.items():
                begin = now()
                loop(args.steps)
                times[way].append(now() - begin)

        test = Program(builts["program"]).train(args.steps, args.repeats, take_turns)
        for way, own in times.items():
            batch = builts[way].data.batch_size
            ratios = [a / b for a, b in zip(own, times["plain"], strict=True)]
            rows.append(
                {
                    "what": "step",
                    "network": network,
                    "way": way,
                    "graphs": args.graphs,
                    "graphs_per_second": batch * args.steps / statistics.median(own),
                    "ratio_to_plain": statistics.median(ratios),
                }
            )
        step = statistics.median(times["plain"]) / args.steps
        tests = {"what": "tests", "network": network, "way": "program", "graphs": args.graphs}
        rows.append({**tests, "ms": 2e3 * test, "steps": 2.0 * test / step})
    return rows


def rows_of_epochs(args: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Measure one epoch of the program over data sets of several sizes."""
    rows = []
    for count in _common.numbers("--epoch-graphs", args.epoch_graphs, 10):
        built = built_for("gnn", count, args.nodes, folder)
        times: list[float] = []
        Program(built).train(built.data.batches_per_epoch, 1, times.append)
        each, shared = held_bytes(built.data)
        rows.append(
            {
                "what": "epoch",
                "network": "gnn",
                "way": "program",
                "graphs": count,
                "graphs_per_second": count / times[0],
                "ms_per_graph": 1e3 * times[0] / count,
                "bytes_per_graph": each,
                "shared_bytes": shared,
            }
        )
    return rows


def rows_of_processes(args: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Measure whole runs of the program with several numbers of processes."""
    rows = []
    for count in _common.numbers("--processes", args.processes, 1) if args.processes else []:
        out = folder / f"processes_{count}"
        command = [
            *(sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={count}"),
            *(str(MAIN), "network=gnn", f"dataset.num_graphs={args.graphs}"),
            *(f"dataset.nodes_per_side={args.nodes}", f"training.epochs={EPOCHS}"),
            *("dataset.num_validation=2", "dataset.num_test=2"),
            *(f"dataset.family.root={folder}", f"hydra.run.dir={out}"),
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": str(args.threads), "MPLBACKEND": "Agg"}
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        seconds = json.loads((out / "report.json").read_text("utf-8"))["seconds_training"]
        rows.append(
            {
                "what": "processes",
                "network": "gnn",
                "way": "program",
                "graphs": args.graphs,
                "processes": count,
                "graphs_per_second": EPOCHS * args.graphs / seconds,
                "ms_per_graph": 1e3 * seconds / (EPOCHS * args.graphs),
            }
        )
    return rows


def held_bytes(data: Any) -> tuple[float, int]:
    """Return the bytes that the training holds of each problem, and what a batch's graphs share."""
    batches = data.graphs
    own = sum(t.numel() * t.element_size() for t in batches._held)
    shared = 0
    for nodes in batches._nodes.values():
        for tensor in (nodes.edge_index, nodes.edge_attr, nodes.owner):
            shared += tensor.numel() * tensor.element_size()
    return own / len(batches), shared


def now() -> float:
    """Return the time of the clock that is measured by."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--networks", default="gnn,mesh_graph_net")
    parser.add_argument("--graphs", type=int, default=200, help="problems to train on")
    parser.add_argument("--nodes", type=int, default=16, help="along a side")
    parser.add_argument("--epoch-graphs", default="100,1000,10000")
    parser.add_argument("--processes", default="1,2", help="of runs by torchrun; '' for none")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=50, help="steps in a row of one way")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Measure steps and epochs."""
    args = arguments()
    networks = _common.chosen("--networks", args.networks, ("gnn", "mesh_graph_net"))
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rows = rows_of_ways(args, networks, place) + rows_of_epochs(args, place)
        rows += rows_of_processes(args, place)
    keys = list(dict.fromkeys(key for row in rows for key in row))
    rows = [{key: row.get(key) for key in keys} for row in rows]
    _common.report(rows, args.out, _common.machine(nodes=args.nodes**2, steps=args.steps))


if __name__ == "__main__":
    main()
