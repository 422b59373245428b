"""From a problem file to a system: its names are checked, its functions tried."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pinn_ext.checks import ArgumentError, check_mapping, check_number
from pinn_ext.systems.domains import Geometry
from pinn_ext.systems.placement import on_domain
from pinn_ext.systems.problem_files.file_system import DrivenFileSystem, FileSystem
from pinn_ext.systems.problem_files.functions import Functions
from pinn_ext.systems.problem_files.source import ProblemFileError, Source, read, run
from pinn_ext.systems.problem_files.trial import try_out

_NEEDED = ("LOWER", "UPPER", "FINAL_TIME", "BOUNDARY", "initial", "rhs")


def from_file(
    path: str | Path, domain: Geometry | None = None, /, **parameters: float
) -> FileSystem:
    """Run a problem file, and return the system that it describes.

    Module-level names: `LOWER`, `UPPER` (numbers or one a space dimension), `FINAL_TIME`,
    `PARAMETERS` (names to numbers; may be left out), `rhs(u, v, d)` or `rhs(u, v, d, x, t)`,
    `initial(x)`, `BOUNDARY` (see `boundary.Sides`), and, if there are any, `exact(x, t)`, `SCALES`
    (sizes of u and v) and `NODES` (along each side of a graph). Each function gets those parameters
    as keywords that its signature names.

    Args:
        path: of the file. It is code: whatever stands in it is done.
        domain: in whose place `LOWER` and `UPPER` do not count, such as a mesh; keys of `BOUNDARY`
            are then names of its groups. None is their box.
        **parameters: values in place of those in `PARAMETERS`.

    Returns:
        The system, dimensionless.

    Raises:
        ProblemFileError: if the file cannot be run, lacks a name, or one of its functions raises,
            returns another shape than it must, or numbers that are not finite.
        ArgumentError: if there is no such parameter, or the system cannot be on that domain.

    Example:
        >>> from pinn_ext.systems import templates
        >>> file = Path(templates.__path__[0]) / "turing_pattern.py"  # what `pinn-ext new` writes
        >>> system = from_file(file)
        >>> system.upper, system.boundary, system.has_exact
        ((2.0, 2.0), 'periodic', False)
    """
    source = read(path)
    content = run(source)
    try:
        return _build(source, content, parameters, domain)
    except ArgumentError as error:
        if error.name in ("parameters", "domain"):
            raise
        raise ProblemFileError(f"{source.path.name}: {error}") from None


def _build(
    source: Source,
    content: Mapping[str, Any],
    given: Mapping[str, float],
    domain: Geometry | None,
) -> FileSystem:
    name = source.path.name
    absent = [key for key in _NEEDED if key not in content]
    if absent:
        raise ProblemFileError(
            f"{name} must define {', '.join(_NEEDED)}, got no {', '.join(absent)}."
        )
    defaults = content.get("PARAMETERS", {})
    check_mapping("PARAMETERS", defaults)
    for key in given:
        legal = ", ".join(map(str, defaults)) or "none"
        if key not in defaults:
            raise ArgumentError("parameters", f"be among {legal} of {name}", repr(key))
    parameters = {
        str(key): float(check_number(f"PARAMETERS[{key!r}]", value))
        for key, value in {**defaults, **given}.items()
    }
    functions = Functions(parameters)
    taken = functions.positional("rhs", content["rhs"])
    if taken not in (3, 5):
        wanted = "take u, v, d or u, v, d, x, t, and then parameters of PARAMETERS"
        raise ArgumentError("rhs", wanted, str(inspect.signature(content["rhs"])))
    cls = DrivenFileSystem if taken == 5 else FileSystem
    system = cls(source, content, functions, domain)
    if domain is not None:
        system = on_domain(system, domain)
    functions.refuse_unused()
    try_out(system)
    return system
