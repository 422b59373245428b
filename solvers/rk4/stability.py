"""How large an explicit Runge-Kutta step may be, and whether any step can be stable."""

from __future__ import annotations

import cmath
import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .semidiscrete import SemiDiscrete
from .state import Constrain, NonFiniteStateError, Rates, Time, state_problem, step_problem
from .tableaus import RK4, Tableau, find

if TYPE_CHECKING:
    from ..operators import GraphOperators

__all__ = ["UnstableOperatorError", "spectral_abscissa", "stable_step", "substeps"]

# Within 35 degrees of the negative real axis an eigenvalue counts as decay, elsewhere as complex:
# beside those that were found there are others, at other angles.
_REAL_SECTOR = math.tan(math.radians(35.0))
_SAFETY = 0.98
_POWER_ITERATIONS = 20
_KRYLOV = 12
# A spectrum reaches into the right half plane from this part of its radius on.
_ROUNDING = 1e-9
_DENSE = 512
_LONG_KRYLOV = 60
_FEW = 32


class UnstableOperatorError(ValueError):
    """The Laplacian or the linearised system has growing modes that belong to the grid."""


def stable_step(
    rhs: Rates,
    state: Tensor,
    time: Time = 0.0,
    *,
    constrain: Constrain | None = None,
    method: str | Tableau = RK4,
) -> float:
    """Estimate the largest stable step of an explicit Runge-Kutta method at a state.

    Power iteration on Jacobian-vector products of the right-hand side, finished by a small
    Arnoldi iteration, finds its dominant eigenvalues z. The step is 0.98 times the least distance
    of the method's stability limit over `|z|`, towards the negative real axis for z near it and
    towards z elsewhere. Stability region: Hairer and Wanner, Solving Ordinary Differential
    Equations II (1996), section IV.2; Arnoldi: Saad, Numerical Methods for Large Eigenvalue
    Problems (2011), algorithm 6.2.

    An equation whose solutions grow may have eigenvalues in the right half plane; these count by
    their size, and a `RuntimeWarning` says so where the largest is among them. A `SemiDiscrete`
    system is refused where the growth is the grid's: the spectrum of its Laplacian reaches into
    the right half plane, or its roughest mode is the one that grows (negative diffusion).

    Args:
        rhs: `rhs(time, state) -> [N, 2]`, in units of the state / time.
        state: [N, 2], the state to linearise at.
        time: Time of the state, a number or [N].
        constrain: `constrain(time, state) -> [N, 2]`, imposes boundary data; None takes that of a
            `SemiDiscrete`.
        method: A `Tableau`, or "rk4", "three_eighths", "heun".

    Returns:
        Step in units of time; infinity if the linearisation is zero.

    Raises:
        ValueError: If `state` has the wrong shape or dtype, or the method has no stable step for
            an oscillation of this system.
        NonFiniteStateError: If the linearisation holds NaN or infinity.
        UnstableOperatorError: If no step is stable, as above, with how far the spectrum reaches.

    Example:
        >>> state = torch.ones(3, 2, dtype=torch.float64)
        >>> round(stable_step(lambda time, s: -10.0 * s, state), 4)
        0.273
    """
    tableau = find(method)
    if problem := state_problem(state):
        raise ValueError(problem)
    if isinstance(rhs, SemiDiscrete):
        constrain = rhs.constrain if constrain is None else constrain
        check_operators(rhs.operators)
    point = state.detach()

    def rates(s: Tensor) -> Tensor:
        return rhs(time, s if constrain is None else constrain(time, s))

    def jacobian(flat: Tensor) -> Tensor:
        pushed: Tensor = torch.func.jvp(rates, (point,), (flat.view_as(point),))[1]
        image = pushed.detach().flatten()
        if not bool(torch.isfinite(image).all()):
            raise NonFiniteStateError("The linearisation at `state` holds NaN or infinity.")
        return image

    vector = _start(point.numel()).to(point)
    for _ in range(_POWER_ITERATIONS):
        vector = jacobian(vector / vector.norm())
        if not float(vector.norm()):
            return math.inf
    values, _, _ = _ritz(jacobian, vector, _KRYLOV)
    largest = max(values, key=abs)
    if largest.real > 1e-3 * abs(largest):
        _report_growth(rhs, largest.real, vector.view_as(point))
    limits = [_limit(z, tableau) for z in values if z]
    if min(limits, default=math.inf) == 0.0:
        raise ValueError(
            f"`method` must be stable for oscillations such as {largest:.3g}, got "
            f"{tableau.name}, which is for no step: take rk4."
        )
    return _SAFETY * min(limits, default=math.inf)


def _limit(eigenvalue: complex, tableau: Tableau) -> float:
    near_real = abs(eigenvalue.imag) <= _REAL_SECTOR * abs(eigenvalue.real)
    return tableau.stability_limit(math.pi if near_real else cmath.phase(eigenvalue)) / abs(
        eigenvalue
    )


def _report_growth(rhs: Rates, rate: float, mode: Tensor) -> None:
    """Refuse growth of the grid's roughest mode; warn of growth that may be the equation's."""
    if isinstance(rhs, SemiDiscrete):
        d = rhs.operators
        radius = spectral_radius(d)
        mode = mode.masked_fill(d.boundary_mask[:, None], 0.0)
        rough = torch.stack([d.laplacian(f.contiguous()) for f in mode.unbind(1)], 1)
        rough[d.boundary_mask] = 0.0
        # On fewer nodes no mode is smooth, and growth says nothing of the grid.
        many = int((~d.boundary_mask).sum()) >= _FEW
        if many and float(rough.norm()) > 0.5 * radius * float(mode.norm()) > 0:
            raise UnstableOperatorError(
                f"`rhs` must not grow fastest in the roughest mode of the grid, got growth at a "
                f"rate of {rate:.3g}: is a diffusion constant negative?"
            )
    warnings.warn(
        f"The largest eigenvalue of the system at this state is growth at a rate of {rate:.3g}, "
        "which no step makes decay.",
        RuntimeWarning,
        stacklevel=3,
    )


def check_operators(operators: GraphOperators) -> None:
    """Refuse operators whose Laplacian has growing modes; the result is kept with them.

    Args:
        operators: Of a graph or a batch of graphs.

    Raises:
        UnstableOperatorError: With how far the spectrum reaches into the right half plane.
    """
    if "growth" not in operators.derived:
        operators.derived["growth"] = spectral_abscissa(operators)
    if (growth := operators.derived["growth"]) > 0:
        raise UnstableOperatorError(
            "`operators` must have a Laplacian without growing modes, got an eigenvalue with real "
            f"part {growth:.3g} (spectral radius {spectral_radius(operators):.3g}): give its nodes "
            "more neighbours or space them more evenly."
        )


def spectral_abscissa(operators: GraphOperators) -> float:
    """How far the spectrum of a Laplacian reaches into the right half plane.

    The continuous operator has no eigenvalue there. Non-negative weights prove that the discrete
    one has none (Gershgorin's circles); else up to 512 free nodes are decided by all eigenvalues,
    more by an Arnoldi iteration of 60 steps, which finds what stands out by more than about
    a thousandth of the spectral radius.

    Args:
        operators: Of a graph or a batch of graphs.

    Returns:
        Largest real part, in 1 / length^2; 0 if it is not positive beyond rounding.

    Example:
        >>> from solvers.operators import GraphOperators, grid_graph
        >>> spectral_abscissa(GraphOperators.from_graph(grid_graph([8], [0.0], [1.0])))
        0.0
    """
    weights = operators.laplacian_weights
    if not any(bool((w < 0).any()) for w in (weights.main, weights.long) if w is not None):
        return 0.0
    free = (~operators.boundary_mask).nonzero().flatten().cpu().numpy()
    matrix = operators.to_scipy().astype(np.float64)[free][:, free]
    if not len(free):
        return 0.0
    if len(free) <= _DENSE:
        values = np.linalg.eigvals(matrix.toarray())
        radius, rightmost = np.abs(values).max(), values.real.max()
    else:

        def apply(vector: Tensor) -> Tensor:
            return torch.from_numpy(matrix @ vector.numpy())

        found, residuals, _ = _ritz(apply, _start(len(free)), _LONG_KRYLOV)
        radius = max(abs(z) for z in found)
        # Of a non-normal operator, approximate eigenvalues may lie outside of the spectrum.
        sure = [z.real for z, r in zip(found, residuals, strict=True) if r < 0.1 * abs(z.real)]
        rightmost = max(sure, default=0.0)
    scale = _ROUNDING if operators.pos.dtype == torch.float64 else 1e-5
    return float(rightmost) if rightmost > scale * radius else 0.0


def spectral_radius(operators: GraphOperators) -> float:
    """Largest modulus of an eigenvalue of the Laplacian, in 1 / length^2, by power iteration."""
    free = ~operators.boundary_mask
    vector = _start(operators.num_nodes).to(operators.pos) * free
    size = 0.0
    for _ in range(2 * _POWER_ITERATIONS):
        size = float(vector.norm())
        if not size:
            return 0.0
        vector = operators.laplacian(vector / size) * free
    return float(vector.norm())


def _start(size: int) -> Tensor:
    # An own generator: asking for a step must not move the caller's random numbers.
    # The device is named because DeepXDE moves torch's default one to the GPU.
    generator = torch.Generator("cpu").manual_seed(0)
    return torch.randn(size, generator=generator, device="cpu", dtype=torch.float64)


def _ritz(
    matrix: Callable[[Tensor], Tensor], vector: Tensor, steps: int
) -> tuple[list[complex], list[float], Tensor]:
    """Ritz values of an Arnoldi iteration, their residuals, and the basis [m, n]."""
    size = min(steps, vector.numel())
    basis = vector.new_zeros(size + 1, vector.numel())
    hessenberg = torch.zeros(size + 1, size, dtype=torch.float64, device="cpu")
    basis[0] = vector / vector.norm()
    used = size
    for j in range(size):
        image = matrix(basis[j])
        scale = float(image.norm())
        # Twice: once loses orthogonality when the image lies almost in the basis.
        for _ in range(2):
            parts = basis[: j + 1] @ image
            image = image - parts @ basis[: j + 1]
            hessenberg[: j + 1, j] += parts.cpu().double()
        length = float(image.norm())
        if length <= 10 * torch.finfo(vector.dtype).eps * scale:
            used = j + 1
            break
        hessenberg[j + 1, j] = length
        basis[j + 1] = image / length
    values, vectors = torch.linalg.eig(hessenberg[:used, :used])
    beyond = float(hessenberg[used, used - 1]) if used < hessenberg.shape[0] else 0.0
    residuals = (beyond * vectors[-1].abs()).tolist()
    return [complex(z) for z in values.tolist()], residuals, basis[:used]


def substeps(step: float, limit: float) -> int:
    """Number of equal sub-steps that keep each at or below a limit.

    Args:
        step: Step, in units of time.
        limit: Largest allowed sub-step, in units of time; infinity for no limit.

    Returns:
        ceil(step / limit), at least 1; a ratio above a whole number by rounding only counts as it.

    Raises:
        ValueError: If `step` is not positive and finite, or `limit` not positive, or so small
            that more than 10^9 sub-steps would be needed.

    Example:
        >>> substeps(0.3, 0.1), substeps(0.31, 0.1), substeps(0.1, float("inf"))
        (3, 4, 1)
    """
    if problem := step_problem(step):
        raise ValueError(problem)
    if not limit > 0:
        raise ValueError(f"`limit` must be positive, got {limit}.")
    if step > 1e9 * limit:
        raise ValueError(f"`limit` must be at least 1e-9 of `step` {step}, got {limit}.")
    return max(1, math.ceil(step / limit * (1.0 - 1e-12)))
