"""Where the host waits for the device: the waits of one training step, by kind.

An accelerator is asked for work ahead of time; each number that is read from it lets it run dry.
The table has one step between two updates of the weights: the median of those of a short training,
or for Gauss-Newton the one with the fewest waits, which has one trial.

By default the steps run on the make-believe device of tests/device, which needs a C++ compiler and
no GPU: what it counts does not depend on the machine. With `--device cuda` torch's own warnings are
counted on a GPU, which tell no kinds and leave out events. `item` is a number read, `to_host` and
`to_device` are copies, `mask` is an index by booleans, `other` what has to know the size or the
success of a result; `operators` are the calls that the device is given in that step.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("DDE_BACKEND", "pytorch")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import _common
import deepxde as dde
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

import pinn_ext
from pinn_ext import cli
from tests.device import build, pretend

Place = tuple[str, tuple[str, ...]]
"""Kind of a wait, and the lines of Python it came from, the innermost first."""

STEPS = 12
PROGRAM = (
    "dataset.num_graphs=24",
    "dataset.batch_size=2",
    "dataset.num_validation=2",
    "dataset.nodes_per_side=8",
    "network.hidden=[8]",
    "training.epochs=2",
)


class Steps:
    """The waits of the steps of a training.

    Args:
        waits: a list that grows by one at each wait.
        submitted: tells how many operators the device was given so far.
    """

    def __init__(self, waits: list[Any], submitted: Callable[[], int]) -> None:
        self._waits, self._submitted = waits, submitted
        self._marks: list[tuple[int, int]] = []

    def mark(self, *_: Any) -> None:
        """Take note of the end of a step."""
        self._marks.append((len(self._waits), self._submitted()))

    def choose(self, fewest: bool) -> tuple[list[Any], int]:
        """Return the waits and the number of operators of the median step, or of the least."""
        pairs = itertools.pairwise(self._marks)
        steps = [(self._waits[a:b], end - start) for (a, start), (b, end) in pairs]
        steps.sort(key=lambda step: len(step[0]))
        return steps[0 if fewest else len(steps) // 2]


# ---- The trainings -------------------------------------------------------------------------------


def model_of() -> dde.Model:
    """Return a compiled model of two fields with two conditions each."""
    dde.config.set_random_seed(0)
    line = dde.geometry.Interval(0, 1)
    domain = dde.geometry.GeometryXTime(line, dde.geometry.TimeDomain(0, 1))

    def equations(x, y):
        rates = [dde.grad.jacobian(y, x, i=k, j=1) for k in (0, 1)]
        second = [dde.grad.hessian(y, x, component=k, i=0, j=0) for k in (0, 1)]
        return [rates[0] - second[0] - y[:, 1:], rates[1] - second[1] + y[:, :1]]

    conditions = [
        kind(domain, lambda x: x[:, :1] * (1 - x[:, :1]), lambda _, on: on, component=k)
        for kind in (dde.icbc.IC, dde.icbc.DirichletBC)
        for k in (0, 1)
    ]
    counts = {"num_domain": 50, "num_boundary": 10, "num_initial": 10}
    data = dde.data.TimePDE(domain, equations, conditions, **counts)
    model = dde.Model(data, dde.nn.FNN([2, 8, 8, 2], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0)
    return model


def plain(*strategy: str) -> None:
    """Train with DeepXDE, without or with the callback."""
    callbacks = [pinn_ext.AdaptiveWeights(name, period=100, verbose=0) for name in strategy]
    model_of().train(iterations=STEPS, callbacks=callbacks, verbose=0, display_every=10**9)


def program(device: str, *arguments: str) -> None:
    """Run the program on the Brusselator; 12 steps an epoch."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        where = (f"device={device}", f"hydra.run.dir={folder}/run")
        status = cli.main([*PROGRAM, *arguments, *where])
    if status:
        sys.exit(f"the program ended with status {status}")


def gauss_newton(mark: Callable[[], None]) -> None:
    """Train with Gauss-Newton."""
    dde.config.set_default_float("float64")
    at_end = dde.callbacks.Callback()
    at_end.on_epoch_end = mark
    pinn_ext.train_gauss_newton(
        model_of(), STEPS, callbacks=[at_end], verbose=0, display_every=10**9
    )
    dde.config.set_default_float("float32")


def aggregator(device: str) -> None:
    """Train in a loop without DeepXDE."""
    torch.manual_seed(0)
    layers = torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
    net = torch.nn.Sequential(*layers).to(device)
    x = torch.linspace(0, 1, 20)[:, None].to(device)
    weigh = pinn_ext.LossAggregator("ema", ["fit", "start"], period=100).to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(STEPS):
        y = net(x)
        optimizer.zero_grad()
        losses = {"fit": (y - x).square().mean(), "start": y[:1].square().mean()}
        weigh(losses, step).backward()
        optimizer.step()


def trainings(device: str) -> dict[str, Callable[[Steps], None]]:
    """Return what the table has a row of."""
    soft = "problem.conditions=soft"
    return {
        "DeepXDE, no callback": lambda _: plain(),
        "DeepXDE, ema": lambda _: plain("ema"),
        "DeepXDE, sa_pinn": lambda _: plain("sa_pinn"),
        "program, hard": lambda _: program(device, "training=adaptive_ema"),
        "program, soft": lambda _: program(device, "training=adaptive_ema", soft),
        "program, soft, sa_pinn": lambda _: program(device, "training=adaptive_sa_pinn", soft),
        "Gauss-Newton, one trial": lambda steps: gauss_newton(steps.mark),
        "LossAggregator": lambda _: aggregator(device),
    }


# ---- Counting ------------------------------------------------------------------------------------


@contextlib.contextmanager
def on_pretend() -> Iterator[Steps]:
    """Record the waits on the make-believe device."""
    with pretend.count_waits(places=True) as waits:
        yield Steps(waits.places, lambda: torch.ops.pretend.submitted(0))


@contextlib.contextmanager
def on_cuda() -> Iterator[Steps]:
    """Record torch's warnings of waits on a GPU."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("ignore")
        warnings.filterwarnings("always", message=".*synchronizing CUDA operation.*")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield Steps(caught, lambda: 0)
        finally:
            torch.cuda.set_sync_debug_mode("default")


def place_of(wait: Any) -> Place:
    """Return the kind of a wait and where it came from."""
    if isinstance(wait, warnings.WarningMessage):
        return "wait", (f"{wait.filename}:{wait.lineno}",)
    return pretend.short(wait)


def row_of(name: str, train: Callable[[Steps], None], device: str) -> tuple[dict, list[Place]]:
    """Measure one training; return its row and where each wait of the step came from."""
    torch.set_default_device(device)
    with on_cuda() if device == "cuda" else on_pretend() as steps:
        hook = register_optimizer_step_post_hook(steps.mark)
        try:
            train(steps)
        finally:
            hook.remove()
            torch.set_default_device(None)
        waits, operators = steps.choose(fewest="Gauss-Newton" in name)
    places = [place_of(wait) for wait in waits]
    counts = Counter(kind for kind, _ in places)
    row: dict[str, Any] = {"training": name}
    if device != "cuda":
        row |= {kind: counts[kind] for kind in pretend.KINDS} | {"operators": operators}
    return {**row, "sum": len(places)}, places


def prepare(device: str) -> None:
    """Make the device ready; end the program with the reason where there is none."""
    if device == "cuda":
        if not torch.cuda.is_available():
            sys.exit("`--device cuda` needs a GPU that torch sees; the default device needs none.")
        return
    try:
        pretend.register()
    except build.UnavailableError as reason:
        sys.exit(f"The make-believe device cannot be built: {reason}.")


def main() -> None:
    """Measure all trainings."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["pretend", "cuda"], default="pretend")
    parser.add_argument("--places", action="store_true", help="print where each wait comes from")
    parser.add_argument("--only", metavar="WORD", default="", help="rows whose name has this word")
    args = parser.parse_args()
    chosen = {name: train for name, train in trainings(args.device).items() if args.only in name}
    if not chosen:
        sys.exit(f"`--only` must be a part of {' | '.join(trainings('cpu'))}, got {args.only}.")
    prepare(args.device)
    torch.set_num_threads(1)
    rows = []
    for name, train in chosen.items():
        row, places = row_of(name, train, args.device)
        rows.append(row)
        if args.places:
            print(f"{name}: {row['sum']} waits in a step")
            for (kind, lines), count in Counter(places).most_common():
                print("\n    ".join([f"  {count} x {kind}", *lines]))
    _common.report(rows, args.out, _common.machine(torch.device(args.device)))


if __name__ == "__main__":
    main()
