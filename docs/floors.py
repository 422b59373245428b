"""The floors of the project as data, and what is read of its imports.

An import runs down: from a unit (a package, or a file beside the packages) to one on a lower floor,
or stays inside of the unit. Units on one floor do not import each other, so there is no circle.
`tests/project/test_architecture.py` holds the sources to it, `docs/draw_floors.py` draws them.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

FLOORS: tuple[tuple[str, ...], ...] = (
    ("pinn_ext.cli",),
    ("pinn_ext.program.commands",),
    ("pinn_ext.program",),
    (
        "pinn_ext.dde.phases",
        "pinn_ext.dde.logs",
        "pinn_ext.dde.pseudo_time",
        "pinn_ext.dde.scale_outputs",
    ),
    ("pinn_ext.dde.callback",),
    ("pinn_ext.dde.auto",),
    (
        *("pinn_ext.dde.data", "pinn_ext.dde.weighting", "pinn_ext.dde.gauss_newton"),
        *("pinn_ext.dde.quasi_newton", "pinn_ext.dde.slabs"),
    ),
    ("pinn_ext.dde.own_loop",),
    ("pinn_ext.dde.model", "pinn_ext.dde.messages"),
    ("pinn_ext.plain_torch", "pinn_ext.reports"),
    ("pinn_ext.losses",),
    ("pinn_ext.datasets", "pinn_ext.slabs"),
    ("pinn_ext.networks", "pinn_ext.schema", "pinn_ext.measurements"),
    ("pinn_ext.derivatives", "pinn_ext.adaptive_weights", "pinn_ext.point_weights"),
    ("pinn_ext.systems", "pinn_ext.strategies"),
    ("solvers.rk4", "solvers.quasi_newton"),
    ("solvers.paired_sums",),
    (
        "solvers.operators",
        "pinn_ext.references",
        "pinn_ext.jacobians",
        "solvers.gauss_newton",
        "pinn_ext.random_state",
        "pinn_ext.registry",
    ),
    (
        "solvers.checks",
        "solvers.devices",
        "solvers.html_table",
        *(f"pinn_ext.{name}" for name in ("checks", "choices", "files", "lazy_names", "version")),
    ),
)
"""Units by floor, the highest floor first."""

APART = (
    ("solvers.gauss_newton", "solvers.operators"),
    ("solvers.rk4", "solvers.gauss_newton"),
    ("solvers.rk4", "solvers.quasi_newton"),
)
"""Pairs that share no import although their floors would allow it."""

FACES = {
    "pinn_ext": "hands on public names, each loaded when it is first used",
    "pinn_ext.dde": "refuses another backend of DeepXDE than PyTorch, and is otherwise empty",
    "solvers": "holds the marker by which pinn_ext knows it",
    "pinn_ext.aggregators": "former path",
    "pinn_ext.dde.tensorboard": "former path",
    "pinn_ext.gradient_plot": "former path",
    "solvers.semidiscrete": "former path",
    "solvers.stability": "former path",
    "solvers.tableaus": "former path",
}
"""Modules without a floor, for users: they import from any floor, and no unit imports them."""

_HYDRA = (
    "pinn_ext.cli",
    "pinn_ext.program.composition",
    "pinn_ext.schema.supplied_configs",
    "pinn_ext.program.sweep",
    "pinn_ext.program.sweepers",
    "pinn_ext.program.study.launch",
    "pinn_ext.reports.planned_jobs",
    "pinn_ext.schema.keys",
    "pinn_ext.schema.plain_values",
)
ONLY = {
    "deepxde": ("pinn_ext.dde",),
    "torch_geometric": (
        "solvers.operators",
        "pinn_ext.datasets",
        "pinn_ext.networks.graph_networks",
    ),
    "hydra": _HYDRA,
    "omegaconf": _HYDRA,
}
"""Libraries that only some packages or modules import."""


class Import(NamedTuple):
    """One imported name: where it stands, what it is in dotted form, and how it is written."""

    line: int
    name: str
    relative: bool
    deferred: bool


def modules() -> dict[str, Path]:
    """Return the files of `pinn_ext` and `solvers` by dotted module name."""
    found = {}
    for file in sorted([*(ROOT / "pinn_ext").rglob("*.py"), *(ROOT / "solvers").rglob("*.py")]):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(source: str, package: str) -> Iterator[Import]:
    """Yield every import in a source, also those in functions and under `TYPE_CHECKING`.

    Args:
        source: the text of a module.
        package: dotted name of the package that the module lies in.

    Yields:
        One entry a name: `from a import b` imports `a.b`, which may be a module or not.
    """
    tree = ast.parse(source)
    in_functions = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        names, relative = _names(node, package)
        for name in names:
            yield Import(node.lineno, name, relative, id(node) in in_functions)


def _names(node: ast.AST, package: str) -> tuple[list[str], bool]:
    """Return the dotted names that a node imports, and whether relatively."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names], False
    if isinstance(node, ast.ImportFrom):
        packages = package.split(".")
        base = packages[: max(len(packages) - node.level + 1, 0)] if node.level else []
        start = [*base, *filter(None, [node.module])]
        return [".".join([*start, alias.name]) for alias in node.names], bool(node.level)
    called = getattr(node, "func", None)
    if getattr(called, "attr", getattr(called, "id", None)) in {"import_module", "__import__"}:
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant):  # a name that is put together is not seen
            name = str(first.value)
            return [package + name if name.startswith(".") else name], False
    return [], False


@functools.cache
def imports_of(module: str, file: Path) -> list[Import]:
    """Return the imports of a file of the project."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    return list(imports(file.read_text("utf-8"), package))


def inside(name: str, package: str) -> bool:
    """Return whether a dotted name is a package or lies in it."""
    return name == package or name.startswith(f"{package}.")


def unit_of(name: str) -> str | None:
    """Return the unit that a dotted name lies in, None for a face and for other libraries."""
    return next((unit for floor in FLOORS for unit in floor if inside(name, unit)), None)


def floor_of(unit: str) -> int:
    """Return the number of a unit's floor, 0 for the highest."""
    return next(number for number, floor in enumerate(FLOORS) if unit in floor)


def arrows() -> set[tuple[str, str]]:
    """Return the pairs of units of which the first, the higher one, imports the second."""
    pairs = {
        (unit_of(module), unit_of(found.name))
        for module, file in modules().items()
        for found in imports_of(module, file)
    }
    return {
        (here, there)
        for here, there in pairs
        if here and there and floor_of(here) < floor_of(there)
    }


def without_shortcuts(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the pairs that do not follow from others (the transitive reduction)."""
    below = {unit: {there for here, there in pairs if here == unit} for unit, _ in pairs}

    def reached(unit: str) -> set[str]:
        return set().union(*({there} | reached(there) for there in below.get(unit, ())))

    return {
        (here, there)
        for here, there in pairs
        if not any(there in reached(other) for other in below[here] - {there})
    }
