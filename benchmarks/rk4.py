"""What a step of graph RK4 costs, beside peers and beside what the memory's bandwidth allows.

Gray-Scott, state [N, 2], on a periodic `grid` (5 points), a random `triangulation` with the order-2
operator (about 18 neighbours) and the same mesh with the linear `finite_element` (about 6). The
meshes are renumbered by `solvers.operators.reorder`, for all rows alike: the peers get the same
matrix with the same nonzeros. Nodes on the boundary of a mesh keep their values.

`ours` is the compiled step, `ours_eager` the same without compiling. `scipy_solve_ivp` is RK45 at a
fixed step, its time per right-hand side times 4; numpy and scipy use one thread whatever is asked
for. `py_pde` does regular grids only. A peer that is not installed (`pip install pinn-ext[bench]`)
is a row that says so. Times are medians of samples taken in turns, after warming up: without
compiling and without the transposed tables, which ours makes once.

`difference` is the largest difference of the first step to ours, not compiled, by the same method:
torchdiffeq's "rk4" is the 3/8 rule and is compared with that one. `ms_per_step_with_gradient` is a
step and its gradient with respect to the state (null for those without, and for peers that take
more than 2 s a step); `gradient_difference` compares the gradients with the first row's.

With `--device` the graph and torch's rows lie there, numpy, scipy and py-pde are left out, and
clocks are read once the device is done.

The roofline is what a step takes if it moves, at the bandwidth of a triad measured in the same run
(on another device than the CPU, of a copy), each array once a stage: in float64
256 + 4 (12 E/N + 4) bytes a node, in float32 128 + 4 (8 E/N + 4), with E directed edges of a 4-byte
index and a weight. `gb_per_s` is those bytes over the time. On a regular grid the weights are the
same at all nodes and ours keeps them once, so there it moves fewer bytes than the formula says.

glibc gives arrays above 32 MB back to the system at once, and a step on more than 4 million nodes
then spends half of its time on fresh pages; so this program restarts itself with glibc's limits
raised, for all rows alike (`MALLOC_LIMITS`; a user does the same by these variables).

`peak_bytes` (Linux) is the operator's tables, the state, and what stepping adds to the peak of
resident memory, in a separate process (elsewhere, to the peak of what torch has allocated there);
`(peak_bytes - operator_bytes) / state_bytes` counts it in states.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from pathlib import Path
from typing import Any

# As the program does, for all rows: threads that wait do not spin for long on cores that are taken.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import _common
import _devices
import torch
from _rk4.cases import DTYPES, GRAPHS, Case
from _rk4.measure import bandwidth_of, limited, operator_bytes, peak_growth
from _rk4.peers import RUNNERS, make
from _rk4.runners import OWN, Runner, gradient_seconds, reference, step_seconds

START = time.perf_counter()
MALLOC_LIMITS = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 33)}


def rows_of(case: Case, names: list[str], threads: int, repeats: int) -> list[dict[str, Any]]:
    """Measure all rows of a case."""
    with limited(threads):
        made = {name: make(name, case) for name in names}
        runners = {name: made[name] for name in names if isinstance(made[name], Runner)}
        first = {name: first_step(name, runner, case) for name, runner in runners.items()}
        seconds = step_seconds(runners, repeats)
        with_gradient, gradients = gradient_seconds(runners, seconds, repeats)
        finite = {n: bool(r.join(r.state).isfinite().all()) for n, r in runners.items()}
        notes = {
            name: runner.note() or (None if finite[name] else "not finite")
            for name, runner in runners.items()
        }
    reasons = {name: made[name] for name in names if name not in runners}
    del made, runners
    forget()
    growth = peak_growth(case, [name for name in names if name in OWN], threads)
    rows = []
    for name in names:
        row = row_of(name, case, threads, growth.get(name))
        row["ms_per_step"] = thousandfold(seconds.get(name))
        row["ms_per_step_with_gradient"] = thousandfold(with_gradient.get(name))
        row["difference"], row["gradient_difference"] = first.get(name), gradients.get(name)
        row["note"] = reasons.get(name) or notes.get(name)
        rows.append(row)
        taken = seconds.get(name)
        result = row["note"] if taken is None else f"{1e3 * taken:.3g} ms a step"
        say(case, threads, f"{name}: {result}")
    return rows


def first_step(name: str, runner: Runner, case: Case) -> float | None:
    """Take the first step, which compiles; return its difference to ours."""
    start = _devices.clock(case.device)
    runner.begin()
    runner.run(1)
    taken = _devices.clock(case.device) - start
    say(case, torch.get_num_threads(), f"{name}: first step {taken:.1f} s")
    if runner.tableau is None:
        return None
    return float((runner.join(runner.state) - reference(case, runner.tableau)).abs().max())


def row_of(name: str, case: Case, threads: int, growth: int | None) -> dict[str, Any]:
    """Return a row with what needs no timing, in the order of the table."""
    row: dict[str, Any] = {
        "name": name,
        "graph": case.graph,
        "nodes": case.nodes,
        "edges": case.edges,
        "dtype": case.dtype,
        "threads": threads,
    }
    later = ["ms_per_step", "ms_per_step_with_gradient", "ns_per_node", "ratio_to_ours", "gb_per_s"]
    row.update(dict.fromkeys([*later, "ratio_to_roofline", "difference", "gradient_difference"]))
    row.update(dict.fromkeys(["peak_bytes", "operator_bytes", "state_bytes", "note"]))
    if name in OWN:
        row["state_bytes"] = case.state.numel() * case.state.element_size()
        row["operator_bytes"] = operator_bytes(case)
        if growth is not None:
            row["peak_bytes"] = row["operator_bytes"] + row["state_bytes"] + growth
    row["_roofline_bytes"] = case.roofline_bytes
    return row


def compare(rows: list[dict[str, Any]], bandwidth: dict[int, float]) -> None:
    """Fill in the columns that need other rows and the bandwidth."""
    keys = ("graph", "nodes", "dtype", "threads")
    own = {tuple(row[k] for k in keys): row["ms_per_step"] for row in rows if row["name"] == "ours"}
    for row in rows:
        moved, ms = row.pop("_roofline_bytes"), row["ms_per_step"]
        if ms is None:
            continue
        row["ns_per_node"] = 1e6 * ms / row["nodes"]
        row["gb_per_s"] = 1e-6 * moved / ms
        row["ratio_to_roofline"] = 1e-3 * ms * bandwidth[row["threads"]] / moved
        ours = own.get(tuple(row[k] for k in keys))
        row["ratio_to_ours"] = None if ours is None else ms / ours


def thousandfold(seconds: float | None) -> float | None:
    """Milliseconds of seconds."""
    return None if seconds is None else 1e3 * seconds


def forget() -> None:
    """Free what compiled steps hold."""
    torch._dynamo.reset()
    gc.collect()


def say(case: Case, threads: int, text: str) -> None:
    """Write a line of progress."""
    clock = f"{time.perf_counter() - START:6.0f} s"
    what = f"{case.graph} {case.nodes} {case.dtype} {threads} threads"
    print(f"{clock}  {what}  {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Measure every name on every graph, size, type and number of threads."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--nodes", default="1048576", metavar="N[,N]")
    parser.add_argument("--graphs", default=",".join(GRAPHS), metavar="NAME[,NAME]")
    parser.add_argument("--threads", default="1", metavar="N[,N]")
    parser.add_argument("--dtype", default="float64", metavar="NAME[,NAME]")
    parser.add_argument("--only", default=",".join(RUNNERS), metavar="NAME[,NAME]")
    parser.add_argument("--repeats", type=int, default=7, metavar="N")
    parser.add_argument("--triad", default="33554432", metavar="N", help="elements of its arrays")
    _devices.add_argument(parser)
    args = parser.parse_args()
    names = _common.chosen("--only", args.only, RUNNERS)
    graphs = _common.chosen("--graphs", args.graphs, GRAPHS)
    dtypes = _common.chosen("--dtype", args.dtype, DTYPES)
    sizes = _common.numbers("--nodes", args.nodes, 100)
    threads = _common.numbers("--threads", args.threads, 1)
    (elements,) = _common.numbers("--triad", args.triad, 1)
    device = _devices.named(args.device)
    before = {count: bandwidth_of(device, count, elements) for count in threads}
    rows = []
    for nodes in sizes:
        for graph in graphs:
            built = GRAPHS[graph](nodes)
            for dtype in dtypes:
                case = Case.make(graph, built, dtype, device)
                for count in threads:
                    rows += rows_of(case, names, count, args.repeats)
    after = {count: bandwidth_of(device, count, elements) for count in threads}
    bandwidth = {count: max(before[count], after[count]) for count in threads}
    compare(rows, bandwidth)
    measured = "triad_gb_per_s" if device.type == "cpu" else "copy_gb_per_s"
    facts = _common.machine(
        device,
        problem="Gray-Scott",
        **{measured: {str(count): 1e-9 * bytes_ for count, bytes_ in bandwidth.items()}},
        **{name: _common.version_of(name) for name in ("torch-geometric", "torchdiffeq", "py-pde")},
    )
    _common.report(rows, args.out, facts)


if __name__ == "__main__":
    if sys.platform == "linux" and MALLOC_LIMITS.keys() - os.environ.keys():
        # Read by glibc when a process starts, hence not to be set later.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**MALLOC_LIMITS, **os.environ})
    main()
