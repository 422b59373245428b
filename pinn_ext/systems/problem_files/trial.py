"""A problem file tried out at a few points, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError
from pinn_ext.systems.problem_files.file_system import SAME, FileSystem
from pinn_ext.systems.problem_files.source import ProblemFileError, kind_of, line_of
from solvers.rk4.semidiscrete import two_rates

_PER_AXIS = 9


class _Flat:
    """Derivatives of fields that are the same everywhere."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension

    def laplacian(self, field: Tensor) -> Tensor:
        return torch.zeros_like(field)

    def gradient(self, field: Tensor) -> tuple[Tensor, ...]:
        return (torch.zeros_like(field),) * self._dimension


def try_out(system: FileSystem) -> None:
    """Call each function at a few points, and say what is wrong with it."""
    x = _points(system)
    t = torch.zeros_like(x[:, 0])
    start = _try(system, "initial", lambda: system.initial(x))
    _refuse_nonfinite("initial", start, x)
    with torch.no_grad():
        data = _try(system, "BOUNDARY", lambda: system.data(x, t + system.final_time))
        _refuse_nonfinite("BOUNDARY", data, x)
        u, v = start.unbind(dim=1)
        flat = _Flat(system.dimension)
        rates = _try(system, "rhs", lambda: two_rates(system.rates(u, v, flat, x, t), u))
        _refuse_nonfinite("rhs", torch.stack(rates, dim=1), x)
        if system.has_exact:
            _check_exact(system, x, t, start)
        if system.has_slopes:
            _try(system, "BOUNDARY", lambda: system.slopes(x, torch.ones_like(x), t))


def _points(system: FileSystem) -> Tensor:
    """Return a regular grid `[N, dimension]` in the box, or its part in the domain."""
    axes = [
        torch.linspace(low, high, _PER_AXIS, dtype=torch.float64, device="cpu")
        for low, high in zip(system.lower, system.upper, strict=True)
    ]
    grid = torch.cartesian_prod(*axes).reshape(-1, system.dimension)
    if system.on_box:
        return grid
    domain = system.geometry
    return torch.cat((grid[domain.contains(grid)], domain.boundary_samples(_PER_AXIS)))


def _try(system: FileSystem, name: str, call: Callable[[], Any]) -> Any:
    """Return what a function of the file returns; its errors name it, and the line."""
    try:
        return call()
    except ArgumentError:
        raise
    except ValueError as error:
        if str(error).startswith(f"`{name}` must"):  # of two_rates
            raise ProblemFileError(f"{system.source.path.name}: {error}") from None
        _refuse_raising(system, name, error)
    except Exception as error:
        _refuse_raising(system, name, error)


def _refuse_raising(system: FileSystem, name: str, error: Exception) -> NoReturn:
    where = line_of(error, system.source)
    raise ProblemFileError(
        f"{system.source.path.name}: `{name}` cannot be evaluated{where}: {kind_of(error)}."
    ) from None


def _refuse_nonfinite(name: str, fields: Tensor, x: Tensor) -> None:
    bad = ~torch.isfinite(fields).all(dim=1)
    if bad.any():
        at = ", ".join(f"{value:g}" for value in x[bad][0])
        raise ArgumentError(name, "be finite at the start", f"{fields[bad][0].tolist()} at ({at})")


def _check_exact(system: FileSystem, x: Tensor, t: Tensor, start: Tensor) -> None:
    exact = _try(system, "exact", lambda: system.exact(x, t))
    _refuse_nonfinite("exact", exact, x)
    apart = (exact - start).abs().max()
    if apart > SAME * start.abs().max() + 1e-12:
        raise ArgumentError("exact", "equal initial at t = 0", f"{apart:.2g} apart")
