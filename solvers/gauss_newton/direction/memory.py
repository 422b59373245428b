"""How much memory each solver takes, and which of them there is room for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from ...checks import number_problem, require
from ...devices import asked_for, available_memory, is_out_of_memory
from ..problem import rows_of_block
from .sketch import Rows, size_of

_GIB = 2.0**30
_PART = 0.5  # of the memory that is free: others need some too

BLOCKWISE = ("accumulated", "sketched")
"""Solvers that take the Jacobian in blocks of rows."""

SOLVERS = ("primal", "dual", *BLOCKWISE, "matrix_free")

# From so many rows on a sketch is made by itself, in units of its own rows: at 962 parameters an
# iteration takes a tenth less time there than by the exact sum, and 0.29 less at 99,994 rows
# (benchmarks/sketch.py); more parameters are not measured.
_MANY = 4.0


class GaussNewtonMemoryError(MemoryError):
    """Memory ran out in a Gauss-Newton step; the parameters are those of the last accepted one.

    Example:
        >>> from solvers.gauss_newton import Stepper
        >>> class Large:
        ...     num_rows = 2
        ...     def residual(self, x): return x - 1.0
        ...     def linearize(self, x): raise torch.OutOfMemoryError("tried to allocate 2.00 GiB")
        >>> stepper = Stepper(Large(), torch.zeros(2))
        >>> stepper.step()
        Traceback (most recent call last):
            ...
        solvers.gauss_newton.direction.memory.GaussNewtonMemoryError: Memory ran out on cpu with
        2 rows and 2 parameters, tried to allocate 2.00 GiB: ...
    """


@contextlib.contextmanager
def told(sizes: Callable[[], Sizes | None]) -> Iterator[None]:
    """Say what was needed where memory runs out inside.

    Args:
        sizes: Returns what was being solved, None where that is not known yet.

    Yields:
        Nothing.

    Raises:
        GaussNewtonMemoryError: In the place of a device's own error, or the system's.
        Exception: Any other, as it came.
    """
    try:
        yield
    except Exception as error:
        # The bare error is that of `choose`, which says it all.
        if not is_out_of_memory(error) or type(error) in (MemoryError, GaussNewtonMemoryError):
            raise
        raise GaussNewtonMemoryError(_sentence(error, sizes())) from error


@dataclass(frozen=True)
class Sizes:
    """What is solved, and by what.

    Attributes:
        rows: m.
        columns: n.
        itemsize: Bytes of a number.
        device: Where the matrices lie.
        solver: One of `SOLVERS`.
        robust: Whether the loss is a robust one.
        sketch: Rows of a sketch.
    """

    rows: int
    columns: int
    itemsize: int
    device: torch.device
    solver: str
    robust: bool = False
    sketch: int = 0


def _sentence(error: BaseException, sizes: Sizes | None) -> str:
    asked = asked_for(error)
    more = "" if asked is None else f", tried to allocate {' '.join(asked)}"
    if sizes is None:
        return f"Memory ran out where the residual was computed{more}: take fewer rows (points)."
    need = needs(sizes.rows, sizes.columns, sizes.itemsize, sizes.robust, sizes.sketch)
    parts = [f"solver {sizes.solver!r} takes {need[sizes.solver] / _GIB:.3g} GiB"]
    advice = "take fewer rows (points) or parameters"
    if sizes.solver != "matrix_free":
        parts.append(f"'matrix_free' {need['matrix_free'] / _GIB:.3g}")
        advice = f"take solver='matrix_free', or {advice.removeprefix('take ')}"
    return (
        f"Memory ran out on {sizes.device} with {sizes.rows} rows and {sizes.columns} parameters"
        f"{more}: {', '.join(parts)}, beside what the residual itself does; {advice}."
    )


def needs(
    rows: int, columns: int, itemsize: int, robust: bool = False, sketch: int = 0
) -> dict[str, float]:
    """Estimate what each solver takes.

    Args:
        rows: m.
        columns: n.
        itemsize: Bytes of a number.
        robust: Whether rows of the Jacobian are scaled, which takes a copy of it.
        sketch: Rows of a sketch; 0 for the default.

    Returns:
        Bytes of each of `SOLVERS`, and of "orthogonal" on top of a dense one.
    """
    jacobian = rows * columns * (2.0 if robust else 1.0)
    vectors = 12.0 * (rows + columns)
    small = min(rows, columns)
    blocks = 3.0 * min(rows_of_block(columns), rows) * columns + vectors
    sketch = sketch or size_of(None, "auto", columns)
    return {
        "primal": (jacobian + 3.0 * columns**2 + vectors) * itemsize,
        "dual": (jacobian + 3.0 * rows**2 + 512.0 * rows + vectors) * itemsize,
        "accumulated": (3.0 * columns**2 + blocks) * itemsize,
        "sketched": ((sketch + 3.0 * columns) * columns + blocks + 8.0 * rows) * itemsize,
        "matrix_free": 2.0 * vectors * itemsize,
        "orthogonal": (2.0 * rows * columns + 8.0 * small**2) * itemsize,
    }


def choose(
    rows: int,
    columns: int,
    itemsize: int,
    device: torch.device,
    wanted: str = "auto",
    limit_gb: float | None = None,
    matrix_free: bool = True,
    robust: bool = False,
    blocks: bool = False,
    sketch: Rows = None,
) -> tuple[str, bool]:
    """Choose the solver before anything is allocated.

    Args:
        rows: m.
        columns: n.
        itemsize: Bytes of a number.
        device: Where the matrices will lie.
        wanted: "auto" or one of `SOLVERS`.
        limit_gb: Memory to use at most, in GiB; half of what is free if None.
        matrix_free: Whether there are products with the Jacobian and its transpose.
        robust: Whether the loss is a robust one.
        blocks: Whether the Jacobian comes in blocks of rows, if need be.
        sketch: Rows of a sketch to solve by; "auto" makes one where there are many rows for it.

    Returns:
        The solver, and whether orthogonal factors have room beside it.

    Raises:
        ValueError: If there is no such solver or sketch, rows do not come in blocks that it needs,
            or the limit is not positive.
        MemoryError: If no solver fits, with what each needs.

    Example:
        >>> choose(4000, 1000, 8, torch.device("cpu"), limit_gb=1.0)
        ('primal', True)
        >>> choose(4000, 1000, 8, torch.device("cpu"), limit_gb=0.01)
        ('matrix_free', False)
    """
    if wanted not in ("auto", *SOLVERS):
        raise ValueError(f"`solver` must be one of auto, {', '.join(SOLVERS)}, got {wanted!r}.")
    if limit_gb is not None:
        require(number_problem("memory_limit_gb", limit_gb, "positive", above=0.0, infinite=True))
    limit = _PART * available_memory(device) if limit_gb is None else limit_gb * _GIB
    size = size_of(sketch, wanted, columns)
    order = _order(rows, columns, wanted, blocks, sketch)
    need = needs(rows, columns, itemsize, robust, size)
    for solver in order:
        if need[solver] <= limit and (solver != "matrix_free" or matrix_free):
            room = solver in ("primal", "dual") and need[solver] + need["orthogonal"] <= limit
            return solver, room
    possible = [each for each in SOLVERS if blocks or each not in BLOCKWISE]
    told = ", ".join(f"{each} {need[each] / _GIB:.3g} GiB" for each in possible)
    why = "" if matrix_free else " matrix_free needs a residual that torch can differentiate."
    raise MemoryError(
        f"`memory_limit_gb` must leave room for a solver with {rows} rows and {columns} "
        f"parameters: {told}; got {limit / _GIB:.3g} GiB.{why}"
    )


def _order(rows: int, columns: int, wanted: str, blocks: bool, sketch: Rows) -> tuple[str, ...]:
    """Return the solvers to try, the best one first."""
    sized = sketch is not None and sketch != "auto"
    if not blocks and (sized or wanted in BLOCKWISE):
        said, got = ("sketch", sketch) if sized else ("solver", wanted)
        legal = "None or 'auto'" if sized else "auto, primal, dual or matrix_free"
        raise ValueError(f"`{said}` must be {legal} where rows do not come in blocks, got {got!r}.")
    if wanted != "auto":
        return (wanted,)
    if sized:
        return ("sketched",)
    dense = "primal" if rows >= columns else "dual"
    held = (dense, "accumulated") if blocks and rows >= columns else (dense,)
    many = blocks and rows > _MANY * size_of(sketch, wanted, columns)
    first = ("sketched",) if sketch == "auto" and many else ()
    return (*first, *held, "matrix_free")
