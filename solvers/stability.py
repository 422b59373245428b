"""How large an explicit Runge-Kutta step may be."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ._common import Constrain, NonFiniteStateError, Rates, Time, state_problem, step_problem

__all__ = ["stable_step", "substeps"]

# |R(z)| = 1 for R(z) = 1 + z + z^2/2 + z^3/6 + z^4/24 on the negative real axis.
REAL_AXIS_LIMIT = 2.785
# Smallest `|z|` of that curve in the left half-plane (near 123 degrees): advection with diffusion.
COMPLEX_LIMIT = 2.62
# Within 35 degrees of the negative real axis the curve lies beyond REAL_AXIS_LIMIT.
_REAL_SECTOR = math.tan(math.radians(35.0))
_SAFETY = 0.98
_POWER_ITERATIONS = 20
_KRYLOV = 12


def stable_step(
    rhs: Rates, state: Tensor, time: Time = 0.0, *, constrain: Constrain | None = None
) -> float:
    """Estimate the largest stable step of classical RK4 at a state.

    Power iteration on Jacobian-vector products of the right-hand side, finished by a small
    Arnoldi iteration, finds its dominant eigenvalues z. The step is 0.98 times the least of
    2.785 / `|z|` (z near the negative real axis) or 2.62 / `|z|` (elsewhere). Stability region:
    Hairer and Wanner, Solving Ordinary Differential Equations II (1996), section IV.2;
    Arnoldi: Saad, Numerical Methods for Large Eigenvalue Problems (2011), algorithm 6.2.

    Args:
        rhs: `rhs(time, state) -> [N, 2]`, in units of the state / time.
        state: [N, 2], the state to linearise at.
        time: Time of the state, a number or [N].
        constrain: `constrain(time, state) -> [N, 2]`, imposes boundary data.

    Returns:
        Step in units of time; infinity if the linearisation is zero.

    Raises:
        ValueError: If `state` has the wrong shape or dtype.
        NonFiniteStateError: If the linearisation holds NaN or infinity.

    Example:
        >>> state = torch.ones(3, 2, dtype=torch.float64)
        >>> round(stable_step(lambda time, s: -10.0 * s, state), 4)
        0.2729
    """
    if problem := state_problem(state):
        raise ValueError(problem)
    point = state.detach()

    def rates(s: Tensor) -> Tensor:
        return rhs(time, s if constrain is None else constrain(time, s))

    def jacobian(flat: Tensor) -> Tensor:
        pushed: Tensor = torch.func.jvp(rates, (point,), (flat.view_as(point),))[1]
        image = pushed.detach().flatten()
        if not bool(torch.isfinite(image).all()):
            raise NonFiniteStateError("The linearisation at `state` holds NaN or infinity.")
        return image

    # An own generator: asking for a step must not move the caller's random numbers.
    # The device is named because DeepXDE moves torch's default one to the GPU.
    generator = torch.Generator("cpu").manual_seed(0)
    start = torch.randn(point.numel(), generator=generator, device="cpu", dtype=torch.float64)
    vector = start.to(point)
    for _ in range(_POWER_ITERATIONS):
        vector = jacobian(vector / vector.norm())
        if not float(vector.norm()):
            return math.inf
    return _SAFETY * min((_limit(z) for z in _ritz_values(jacobian, vector)), default=math.inf)


def _limit(eigenvalue: complex) -> float:
    if eigenvalue == 0:
        return math.inf
    near_real = abs(eigenvalue.imag) <= -_REAL_SECTOR * eigenvalue.real
    return (REAL_AXIS_LIMIT if near_real else COMPLEX_LIMIT) / abs(eigenvalue)


def _ritz_values(matrix: Callable[[Tensor], Tensor], vector: Tensor) -> list[complex]:
    size = min(_KRYLOV, vector.numel())
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
    return [complex(z) for z in torch.linalg.eigvals(hessenberg[:used, :used]).tolist()]


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
