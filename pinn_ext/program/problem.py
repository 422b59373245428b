"""The problem of a run where it comes from files: a Python file, a reference, and their checks."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinn_ext.checks import ArgumentError
from pinn_ext.files import RunError
from pinn_ext.schema import Config
from pinn_ext.schema.keys import keys_set_by

if TYPE_CHECKING:  # torch is loaded once the configuration is known to be sound
    from pinn_ext.datasets.node_graphs import NodeGraph
    from pinn_ext.losses.known_solution import KnownSolution
    from pinn_ext.systems import System

FROM_FILE = "from_file"
BY_RK4 = "rk4"
"""The value of `problem.reference` that asks for the solver's own answer."""

_KEY = "problem.file"
_SHOWN = 3  # lines of a difference


def refuse_unnamed(cfg: Config, overrides: Iterable[str]) -> None:
    """Refuse a problem file that does not stand on the command line, as it is code.

    Args:
        cfg: the configuration, of which a recipe may have named the file.
        overrides: what the user wrote.

    Raises:
        ArgumentError: if the file is named elsewhere alone.
    """
    named = any(_KEY in keys_set_by(override) for override in overrides)
    if cfg.problem.file is not None and not named:
        wanted = f"stand on the command line, as the file is code ({_KEY}={cfg.problem.file})"
        raise ArgumentError(_KEY, wanted, "it from a recipe")


def check_same_file(saved: Mapping[str, Any] | None, system: System) -> None:
    """Refuse a problem file that has changed since a run was made.

    Args:
        saved: what `description` returned then; None of a run without a problem file.
        system: that the run goes on with.

    Raises:
        RunError: saying how many lines differ, and which is the first.
    """
    now = description(system)
    if saved is None or now is None or saved["sha256"] == now["sha256"]:
        return
    before, after = str(saved["text"]).splitlines(), now["text"].splitlines()
    lines = [
        line
        for line in difflib.unified_diff(before, after, lineterm="", n=0)
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    shown = "; ".join(lines[:_SHOWN]) or "ends of lines alone"
    more = f"; and {len(lines) - _SHOWN} lines more" if len(lines) > _SHOWN else ""
    raise RunError(
        f"The problem file {now['path']} has changed since the run was made ({shown}{more}): put "
        "it back as it was, or start a new run."
    )


def description(system: System) -> dict[str, str] | None:
    """Return what a checkpoint says of the problem file of a system, None for one without."""
    source = getattr(system, "source", None)
    if source is None:
        return None
    return {"path": str(source.path), "sha256": source.digest, "text": source.text}


def reference_of(cfg: Config, system: System, nodes: NodeGraph) -> KnownSolution | None:
    """Return what `problem.reference` asks to compare a network with.

    Args:
        cfg: the configuration.
        system: its problem.
        nodes: the graph of its snapshots.

    Returns:
        The solution; None takes the system's own, if it has one.

    Raises:
        ArgumentError: if the file cannot be read or does not fit the problem, or the problem cannot
            be solved on the graph; it names the key.
    """
    asked = cfg.problem.reference
    if asked is None:
        return None
    try:
        if asked == BY_RK4:
            return _by_rk4(cfg, system, nodes)
        return _from_file(cfg, system, Path(asked))
    except ArgumentError as error:
        keys = {"columns": "reference_columns", "time": "reference_time"}
        raise error.renamed(f"problem.{keys.get(error.name, 'reference')}") from None


def _from_file(cfg: Config, system: System, path: Path) -> KnownSolution:
    from pinn_ext.datasets.reference_files import read_reference
    from pinn_ext.losses.known_solution import within

    problem = cfg.problem
    data = read_reference(
        path,
        columns=dict(problem.reference_columns) or None,
        dimension=system.dimension,
        time=problem.reference_time,
    )
    return within(data, system)


def _by_rk4(cfg: Config, system: System, nodes: NodeGraph) -> KnownSolution:
    from pinn_ext.datasets.node_graphs import node_graph
    from pinn_ext.losses.known_solution import by_runge_kutta

    dataset = cfg.dataset
    per_side = dataset.nodes_per_side or system.default_nodes
    try:  # an estimate of its error is worth a second solution, where there is one
        other = node_graph(system, dataset.name, per_side, 4 if dataset.order == 2 else 2)
    except ValueError:
        other = None
    return by_runge_kutta(system, nodes, other)
