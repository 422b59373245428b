"""The problem of a run where it comes from files: a Python file, a reference, and their checks."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinn_ext.checks import ArgumentError
from pinn_ext.files import RunError, exists, shortened
from pinn_ext.schema import Config
from pinn_ext.schema.plain_values import keys_set_by

if TYPE_CHECKING:  # torch is loaded once the configuration is known to be sound
    from pinn_ext.datasets.initial_states import InitialState
    from pinn_ext.datasets.node_graphs import NodeGraph
    from pinn_ext.losses.known_solution import KnownSolution
    from pinn_ext.systems import System

BY_RK4 = "rk4"
"""The value of `problem.reference` that asks for the solver's own answer."""

Inputs = dict[str, dict[str, str]]
"""By the key that names a file: its path, and a digest of what was read of it."""

_KEY = "problem.file"
_SHOWN = 3  # lines of a difference
_APART = 1e-3  # of a field, by which initial and boundary data may differ unsaid


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


def files_of(system: System, others: Inputs | None = None) -> dict[str, Any]:
    """Return the parts of a checkpoint that say which files a run is made of.

    Args:
        system: the problem.
        others: files beside those of the system.

    Returns:
        `problem_file` and `inputs`, those that there are.
    """
    inputs = {**inputs_of(system), **(others or {})}
    found = {"problem_file": description(system), "inputs": inputs}
    return {key: part for key, part in found.items() if part}


def check_same_files(saved: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse files that have changed since a run was made.

    Args:
        saved: the checkpoint.
        own: of `files_of`, what is made of the files now.

    Raises:
        RunError: naming the file.
    """
    check_same_file(saved.get("problem_file"), own.get("problem_file"))
    check_same_inputs(saved.get("inputs"), own.get("inputs", {}))


def check_same_file(saved: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> None:
    """Refuse a problem file that has changed since a run was made.

    Args:
        saved: what `description` returned then; None of a run without a problem file.
        now: what it returns.

    Raises:
        RunError: saying how many lines differ, and which is the first.
    """
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


def check_files(cfg: Config) -> None:
    """Refuse paths that lead nowhere, before torch is loaded.

    Args:
        cfg: the configuration.

    Raises:
        ArgumentError: naming the key.
    """
    given = {"dataset.path": cfg.dataset.path, "problem.initial": cfg.problem.initial}
    for key, path in given.items():
        if path is not None and "*" not in path and not exists(Path(path)):
            raise ArgumentError(key, "name a file", f"nothing at {shortened(Path(path))}")


def inputs_of(system: System) -> Inputs:
    """Return what a checkpoint says of the mesh and the initial state of a system.

    Args:
        system: the problem.

    Returns:
        By the key that names the file: its path, and a digest of what was read of it.
    """
    from pinn_ext.datasets.initial_states import InitialState
    from pinn_ext.datasets.meshes import MeshDomain

    domain, start = system.geometry, getattr(system, "start", None)
    found: Inputs = {}
    if isinstance(domain, MeshDomain):
        found |= as_input("dataset.path", domain.mesh.source, domain.digest)
    if isinstance(start, InitialState):
        found |= as_input("problem.initial", start.source, start.digest)
    return found


def as_input(key: str, path: str, digest: str) -> Inputs:
    """Return what a checkpoint says of a file.

    Args:
        key: of the configuration, that names it.
        path: of the file.
        digest: of what was read of it.
    """
    return {key: {"path": path, "sha256": digest}}


def check_same_inputs(saved: Any, own: Inputs) -> None:
    """Refuse a mesh, an initial state or another file of numbers that has changed since then.

    Args:
        saved: what was known when the run was made; a file that it says nothing of, and None, is
            taken as it is.
        own: what is made of the files now.

    Raises:
        RunError: naming the file.
    """
    for key, now in ({} if saved is None else own).items():
        before = saved.get(key, now) if isinstance(saved, Mapping) else None
        if not isinstance(before, Mapping) or before.get("sha256") != now["sha256"]:
            raise RunError(
                f"{now['path']} ({key}) has changed since the run was made: put it back as it was, "
                "or start a new run."
            )


def notes_on_input(system: System, nodes: NodeGraph) -> list[str]:
    """Return what is to be said of a mesh and of an initial state before the training.

    Args:
        system: the problem.
        nodes: the graph of its snapshots.

    Returns:
        A sentence each.
    """
    from pinn_ext.datasets.initial_states import InitialState

    start = getattr(system, "start", None)
    if not isinstance(start, InitialState):
        return list(system.notes)
    return [*system.notes, *start.notes(nodes.pos), *_apart(system, nodes, start)]


def _apart(system: System, nodes: NodeGraph, start: InitialState) -> list[str]:
    """Say how far an initial state is from the values given on the boundary at t = 0."""
    x = nodes.pos[nodes.boundary_mask]
    if not len(x):
        return []
    given, measured = system.data(x, x.new_zeros(len(x))), start(x)
    most = (given - measured).abs().amax(dim=0)
    if not bool((most > _APART * measured.abs().amax(dim=0)).any()):
        return []
    u, v = most.tolist()
    return [
        f"On the boundary {start.source} differs from the values that are given there by up to "
        f"{u:.2g} in u and {v:.2g} in v: the given ones hold."
    ]


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


def inputs_of_reference(cfg: Config, against: KnownSolution | None) -> Inputs:
    """Return what a checkpoint says of the file that `problem.reference` names, if it names one.

    Args:
        cfg: the configuration.
        against: of `reference_of`.
    """
    path = cfg.problem.reference
    if path is None or against is None or path == BY_RK4:
        return {}
    return as_input("problem.reference", path, against.digest)


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
    try:  # an estimate of its error is worth a second solution, where there is one
        order = 4 if dataset.order == 2 else 2
        other = node_graph(system, dataset.name, dataset.nodes_per_side, order)
    except ValueError:
        other = None
    return by_runge_kutta(system, nodes, other)
