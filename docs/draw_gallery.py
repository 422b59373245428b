"""Draw `docs/pictures/gallery/*.png`: what each script of `examples/` ends with.

    python docs/draw_gallery.py [NAME …]

Each example runs as it stands, in a process and a folder of its own; its picture is made of what it
has left, and the last line that it has printed stands above it. All of them take some minutes of
one core, which is why they are not run when the pages are built.
"""

from __future__ import annotations

import contextlib
import io
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("DDE_BACKEND", "pytorch")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import LogNorm

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
FOLDER = ROOT / "docs" / "pictures" / "gallery"
# Okabe and Ito's colours, and the dashes that go with them.
LINES = (("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-."), ("#CC79A7", ":"))
SIZE, DPI = (7.0, 2.6), 90
Scope = dict[str, Any]


def maps(values: np.ndarray, exact: np.ndarray, extent: Any, labels: tuple[str, str]) -> Any:
    """Return a figure of a field `[rows, columns]` and of its distance from the exact one."""
    figure, (left, right) = plt.subplots(1, 2, figsize=SIZE, layout="constrained")
    shape = {"origin": "lower", "extent": extent, "aspect": "auto"}
    picture = left.imshow(values, **shape)
    figure.colorbar(picture, ax=left, label="network")
    distance = np.abs(values - exact)
    top = distance.max()
    picture = right.imshow(
        distance.clip(1e-3 * top), norm=LogNorm(1e-3 * top, top), cmap="magma", **shape
    )
    figure.colorbar(picture, ax=right, label="absolute error")
    for panel in (left, right):
        panel.set(xlabel=labels[0], ylabel=labels[1])
    return figure


def over_time(scope: Scope, low: float, high: float, shift: float = 0.0) -> Any:
    """Return the maps of u over x and t, for t up to 1, in float64: rounding is no error of u."""
    t, x = np.meshgrid(np.linspace(0, 1, 121), np.linspace(low, high, 121))
    points = np.column_stack((x.ravel(), t.ravel()))
    if "solution" in scope:
        found = scope["solution"].predict(points)
    else:
        found = scope["model"].net.double()(torch.as_tensor(points)).detach().numpy()
    fields = [values.reshape(x.shape) - shift for values in (found, scope["exact"](points))]
    return maps(*fields, (0, 1, low, high), ("t", "x"))


def on_square(scope: Scope) -> Any:
    """Return the maps of u over the unit square."""
    axis = torch.linspace(0, 1, 121)
    grid = torch.cartesian_prod(axis, axis)
    fields = [f(grid).detach().reshape(121, 121).T.numpy() for f in (scope["net"], scope["exact"])]
    return maps(*fields, (0, 1, 0, 1), ("x", "y"))


def beam(scope: Scope) -> Any:
    """Return u and v of the beam, and their errors."""
    figure, (left, right) = plt.subplots(1, 2, figsize=SIZE, layout="constrained")
    x, exact = scope["x"], scope["exact"]
    found = scope["net"](x).detach()
    for place, ((colour, dashes), name, size) in enumerate(
        zip(LINES, ("deflection u", "moment v / pi^2"), (1.0, np.pi**2), strict=False)
    ):
        left.plot(x, found[:, place] / size, dashes, color=colour, label=name)
        error = (found - exact)[:, place].abs() / size
        right.semilogy(x, error, dashes, color=colour)
    left.set(xlabel="x", title="network")
    figure.legend(loc="outside right upper", frameon=False)
    right.set(xlabel="x", title="absolute error", ylim=(1e-7, None))
    return figure


def lorenz(scope: Scope) -> Any:
    """Return the three fields between their observations, and the coefficients."""
    figure, panel = plt.subplots(figsize=SIZE, layout="constrained")
    times = np.linspace(0, scope["END"], 301)[:, None]
    fields = scope["model"].predict(times)
    for place, ((colour, dashes), name) in enumerate(zip(LINES, "xyz", strict=False)):
        panel.plot(times, fields[:, place], dashes, color=colour, label=f"{name}, network")
        panel.plot(scope["times"], scope["observed"][:, place], "o", color=colour, ms=3)
    found = ", ".join(
        f"{name} = {value:.6f}" for name, value in zip("srb", scope["found"], strict=True)
    )
    panel.set(xlabel="t", title=f"found: {found}")
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def reaction(scope: Scope) -> Any:
    """Return measured concentrations with both fits."""
    figure, panel = plt.subplots(figsize=SIZE, layout="constrained")
    times = scope["STEP"] * scope["SUBSTEPS"] * np.arange(1, scope["TIMES"] + 1)
    fit = scope["concentrations"](scope["ours"].x)
    for place, ((colour, dashes), name) in enumerate(zip(LINES, "ABC", strict=False)):
        panel.plot(times, scope["measured"][:, place], "o", color=colour, ms=3)
        panel.plot(times, fit[:, place], dashes, color=colour, label=f"{name}, fitted")
    panel.set(xlabel="t", ylabel="concentration")
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def step_on_graph(scope: Scope) -> Any:
    """Return u of one unseen graph: before the step, after it, and the network's."""
    figure, panels = plt.subplots(1, 3, figsize=SIZE, sharey=True, layout="constrained")
    states = (scope["batch"].x, scope["exact"], scope["stepped"])
    fields = [state[:144, 0].detach().reshape(12, 12).T for state in states]
    span = {
        "vmin": min(float(f.min()) for f in fields),
        "vmax": max(float(f.max()) for f in fields),
    }
    for panel, field, title in zip(
        panels, fields, ("u at the start", "after 0.25, solver", "after 0.25, network"), strict=True
    ):
        picture = panel.imshow(field, origin="lower", extent=(0, 2, 0, 2), **span)
        panel.set(title=title, xlabel="x")
    figure.colorbar(picture, ax=panels)
    return figure


def patterns(scope: Scope) -> Any:
    """Return the picture that the example has drawn itself, smaller."""
    figure, panel = plt.subplots(figsize=(7.0, 2.4), layout="constrained")
    panel.imshow(plt.imread("gray_scott_on_a_graph.png"))
    panel.set_axis_off()
    return figure


DRAWN: dict[str, Callable[[Scope], Any]] = {
    "adam_then_lbfgs": lambda scope: over_time(scope, 0, 1),
    "burgers_adaptive": lambda scope: over_time(scope, 0, 1),
    "gauss_newton": lambda scope: over_time(scope, -1, 1),
    "gradient_directions": on_square,
    "gray_scott_on_a_graph": patterns,
    "inverse_gauss_newton": lorenz,
    "lbfgs_that_ends_early": lambda scope: over_time(scope, -1, 1, 1e5),
    "least_squares_and_scipy": reaction,
    "loss_aggregator": on_square,
    "plain_torch_loop": beam,
    "pseudo_time": lambda scope: over_time(scope, -1, 1),
    "slabs": lambda scope: over_time(scope, -1, 1),
    "train_physics_loop": step_on_graph,
}
"""What draws each example."""


def draw(name: str) -> None:
    """Run an example here and draw what it has left."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        scope = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    with plt.style.context("default", after_reset=True):
        figure = DRAWN[name](scope)
        figure.suptitle(said.getvalue().rstrip().splitlines()[-1], fontsize="medium")
        figure.savefig(FOLDER / f"{name}.png", dpi=DPI, metadata={"Software": None})


def main() -> None:
    """Draw the examples that are named, or all, each in a process of its own."""
    chosen = sys.argv[1:] or sorted(DRAWN)
    if unknown := [name for name in chosen if name not in DRAWN]:
        sys.exit(f"Examples are {', '.join(sorted(DRAWN))}, got {', '.join(unknown)}.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    if len(chosen) == 1:
        with tempfile.TemporaryDirectory() as folder:  # an example may leave files
            os.chdir(folder)
            draw(chosen[0])
            os.chdir(ROOT)
        print(FOLDER / f"{chosen[0]}.png", flush=True)
        return
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    failed = []
    for name in chosen:
        command = [sys.executable, str(Path(__file__).resolve()), name]
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False)
        failed += [name] if done.returncode else []
    if failed:
        sys.exit(f"Not drawn: {', '.join(failed)} (gradient_directions needs the extra conflict).")


if __name__ == "__main__":
    main()
