"""The peers of `rk4.py`, each with the same matrix, right-hand side and step."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from _rk4.cases import EXPRESSIONS, Case, rates_of, rk4_step
from _rk4.runners import Runner, gradient_of, ours, ours_eager, repeated
from solvers.rk4.tableaus import THREE_EIGHTHS


class NotPossibleError(Exception):
    """A peer does not do this case; the message becomes the row's note."""


def torch_csr(case: Case) -> Runner:
    """Torch's sparse matrix times the state [N, 2]."""
    return _in_torch(case, _csr_rates(case))


def message_passing(case: Case) -> Runner:
    """Torch-geometric's layer with messages `w_ij (x_j - x_i)`, summed."""
    from torch_geometric.nn import MessagePassing

    class Laplacian(MessagePassing):
        def forward(self, x: Tensor, edge_index: Tensor, weight: Tensor) -> Tensor:
            return self.propagate(edge_index, x=x, weight=weight)

        def message(self, x_i: Tensor, x_j: Tensor, weight: Tensor) -> Tensor:
            return weight * (x_j - x_i)

    entries = case.matrix.tocoo()
    off = entries.row != entries.col
    pairs = np.stack([entries.col[off], entries.row[off]]).astype(np.int64)
    edges = torch.as_tensor(pairs, device=case.device)
    layer, weight = Laplacian(aggr="add"), torch.as_tensor(entries.data[off, None]).to(case.device)
    return _in_torch(case, rates_of(lambda state: layer(state, edges, weight), case.fixed))


def torchdiffeq(case: Case) -> Runner:
    """Torchdiffeq's "rk4", the 3/8 rule, with torch's sparse matrix."""
    from torchdiffeq import odeint

    rates = _csr_rates(case)

    def advance(state: Tensor, count: int) -> Tensor:
        ends = [0.0, count * case.step]
        times = torch.tensor(ends, dtype=torch.float64, device=case.device)
        options = {"step_size": case.step * (1.0 + 1e-12)}  # or rounding adds a step
        return odeint(lambda _, y: rates(y), state, times, method="rk4", options=options)[-1]

    return Runner(
        case.device, lambda: case.state, advance, lambda state: state, tableau=THREE_EIGHTHS
    )


def scipy_csr(case: Case) -> Runner:
    """Scipy's sparse matrix times the state [N, 2], the rest in numpy."""
    _on_cpu_only(case)
    rates = rates_of(lambda state: case.matrix @ state, case.fixed, numpy=True)

    def step(state: np.ndarray) -> np.ndarray:
        return rk4_step(rates, state, case.step, lambda a, b, factor: a + factor * b)

    return Runner(case.device, case.state.numpy, repeated(step), torch.as_tensor)


def scipy_solve_ivp(case: Case) -> Runner:
    """Four evaluations' share of scipy's RK45 at a fixed step, with scipy's sparse matrix."""
    from scipy.integrate import solve_ivp

    _on_cpu_only(case)
    if case.dtype != "float64":
        raise NotPossibleError("computes in float64 only")
    rates = rates_of(lambda state: case.matrix @ state, case.fixed, numpy=True)
    # The first step is a little shorter, or rounding adds one at the end.
    first = case.step * (1.0 - 1e-12)
    fixed = {"first_step": first, "max_step": case.step, "rtol": 1e3, "atol": 1e3}

    def evaluations(count: int) -> int:
        return 1 + 6 * count

    def advance(flat: np.ndarray, count: int) -> np.ndarray:
        end = count * first
        done = solve_ivp(lambda _, y: rates(y.reshape(-1, 2)).ravel(), (0.0, end), flat, **fixed)
        if done.nfev != evaluations(count):
            raise RuntimeError(f"{done.nfev} evaluations, expected {evaluations(count)}.")
        return np.ascontiguousarray(done.y[:, -1])

    return Runner(
        case.device,
        case.state.numpy().ravel,
        advance,
        lambda flat: torch.as_tensor(flat).view(-1, 2),
        tableau=None,
        worth=lambda count: evaluations(count) / 4,
    )


def py_pde(case: Case) -> Runner:
    """Py-pde's explicit Runge-Kutta solver, compiled by numba from expressions."""
    _on_cpu_only(case)
    if case.graph != "grid":
        raise NotPossibleError("regular grids only")
    import pde

    side = round(case.nodes**0.5)
    space = pde.CartesianGrid([[0, side], [0, side]], [side, side], periodic=True)
    dtype = case.state.numpy().dtype
    columns = case.state.numpy().reshape(side, side, 2)
    parts = [pde.ScalarField(space, columns[..., k], dtype=dtype) for k in (0, 1)]
    state = pde.FieldCollection(parts, dtype=dtype)
    # Expressions are twice as fast as a class of array operations.
    solver = pde.SolverBase.from_name(
        "runge-kutta", pde.PDE(EXPRESSIONS, bc="periodic"), backend="numba", adaptive=False
    )
    stepper = solver.make_stepper(state, dt=case.step)

    def advance(state: Any, count: int) -> Any:
        stepper(state, 0.0, count * case.step)
        return state

    def join(state: Any) -> Tensor:
        return torch.as_tensor(state.data.reshape(2, -1).T.copy())

    # As it steps in place.
    return Runner(case.device, lambda: state.copy(dtype=dtype), advance, join)


# What makes each row, and the package it needs.
RUNNERS: dict[str, tuple[Callable[[Case], Runner], str]] = {
    "ours": (ours, "torch"),
    "ours_eager": (ours_eager, "torch"),
    "torch_csr": (torch_csr, "torch"),
    "message_passing": (message_passing, "torch_geometric"),
    "torchdiffeq": (torchdiffeq, "torchdiffeq"),
    "scipy_csr": (scipy_csr, "scipy"),
    "scipy_solve_ivp": (scipy_solve_ivp, "scipy"),
    "py_pde": (py_pde, "pde"),
}


def make(name: str, case: Case) -> Runner | str:
    """Return a runner, or why there is none."""
    build, package = RUNNERS[name]
    if importlib.util.find_spec(package) is None:
        return "not installed"
    try:
        return build(case)
    except NotPossibleError as reason:
        return str(reason)


def _in_torch(case: Case, rates: Callable[[Tensor], Tensor]) -> Runner:
    """A runner of a torch state [N, 2]."""

    def plus(a: Tensor, b: Tensor, factor: float) -> Tensor:
        return torch.add(a, b, alpha=factor)

    def step(state: Tensor) -> Tensor:
        return rk4_step(rates, state, case.step, plus)

    gradient = gradient_of(case, lambda f: (step(f[0]),), lambda s: (s,), lambda f: f[0])
    return Runner(case.device, lambda: case.state, repeated(step), lambda state: state, gradient)


def _on_cpu_only(case: Case) -> None:
    if case.device.type != "cpu":
        raise NotPossibleError("computes on the CPU only")


def _csr_rates(case: Case) -> Callable[[Tensor], Tensor]:
    parts = (case.matrix.indptr, case.matrix.indices, case.matrix.data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this is in beta state
        matrix = torch.sparse_csr_tensor(*map(torch.as_tensor, parts), case.matrix.shape)
        matrix = matrix.to(case.device)
    return rates_of(lambda state: matrix @ state, case.fixed)
