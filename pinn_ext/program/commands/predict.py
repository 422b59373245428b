"""`pinn-ext predict RUN --out FILE`: u and v of a trained network, at any points and times."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from pinn_ext.program.commands.options import (
    Options,
    check_run,
    existing_file,
    load_run,
    refusing,
)
from pinn_ext.program.terminal.progress import say
from pinn_ext.program.terminal.refusals import refusals
from pinn_ext.program.trained.places import check_targets


def predict(arguments: list[str]) -> int:
    """Write the fields of a trained network into a file.

    Args:
        arguments: of the command line, those after `predict`.

    Returns:
        The exit status 0.

    Raises:
        Refused: if an argument, the run or a file cannot be used, in one sentence.
    """
    given = _options().parse_args(arguments)
    out = Path(given.out)
    check_run(given)
    with refusals():
        check_targets(out, given.overwrite, times=len(given.times or [None]))
    source = next((name for name in ("mesh", "points") if getattr(given, name) is not None), "grid")
    where = getattr(given, source)
    if source != "grid":
        existing_file(f"--{source}", where)
    run = load_run(given)
    from pinn_ext.program.trained.field_files import write
    from pinn_ext.program.trained.locations import Locations, at_points, on_grid, on_mesh
    from pinn_ext.program.trained.prediction import check_times
    from pinn_ext.program.trained.prediction import predict as fields_at

    with refusing(times="--times", grid="--grid", path=f"--{source}", points=f"--{source}"):
        times = check_times(run, given.times)
        ways: dict[str, Callable[..., Locations]]
        ways = {"grid": on_grid, "points": at_points, "mesh": on_mesh}
        at = ways[source](run, where)
        found = fields_at(run, at, times.tolist())
    for note in at.notes:
        say(note)
    if found.outside:
        say(
            f"{found.outside} of {len(at.x)} points lie outside of the domain: u and v are NaN "
            "there."
        )
    with refusals():
        say(write(found, out))
    return 0


def _options() -> Options:
    options = Options("predict", "Write u and v of a trained network into a file.")
    options.add_run()
    options.add_argument(
        "--times",
        type=_times,
        metavar="T,…",
        help="times of the fields (default: the final one)",
    )
    where = options.add_mutually_exclusive_group()
    where.add_argument(
        "--grid",
        type=int,
        metavar="N",
        help="a grid of N points along each side (default: 1001 in one dimension, 101 in two)",
    )
    where.add_argument(
        "--points", metavar="FILE", help="points of a file: csv with columns x, y, npz with x, …"
    )
    where.add_argument("--mesh", metavar="FILE", help="nodes of a triangle mesh")
    options.add_argument("--out", required=True, metavar="FILE", help=".npz, .csv or .vtu")
    options.add_overwrite()
    return options


def _times(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be numbers with commas between them, got {text!r}"
        ) from None
