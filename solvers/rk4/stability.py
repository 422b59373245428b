"""How large an explicit Runge-Kutta step may be, and whether any step can be stable."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import torch
from torch import Tensor

from .semidiscrete import SemiDiscrete
from .spectrum.estimates import Estimate, by_products, by_spectrum
from .spectrum.jacobian import Jacobian
from .spectrum.laplacians import (
    UnstableOperatorError,
    check_operators,
    spectral_abscissa,
    spectral_radius,
)
from .state import Constrain, Rates, Time, state_problem, step_problem
from .tableaus import RK4, Tableau, find

__all__ = ["UnstableOperatorError", "spectral_abscissa", "stable_step", "substeps"]

DENSE = 512  # unknowns up to which all eigenvalues are computed
_FEW = 32
# Growth counts from this part of the spectrum's radius on.
_GROWTH = 1e-4


def stable_step(
    rhs: Rates,
    state: Tensor,
    time: Time = 0.0,
    *,
    constrain: Constrain | None = None,
    method: str | Tableau = RK4,
) -> float:
    """Estimate the largest stable step of an explicit Runge-Kutta method at a state.

    A step h is stable if `|R(h z)| <= 1` at all eigenvalues z of the linearised system that decay
    (Hairer and Wanner, Solving Ordinary Differential Equations II, 1996, section IV.2), and if many
    steps amplify nothing that the system itself does not, which eigenvalues alone do not promise
    where it is not normal: advection towards a Dirichlet boundary. The result is at most 0.98 of
    that. Of a `SemiDiscrete` system with up to 512 unknowns all eigenvalues are computed; of others
    at most 64 products with the Jacobian show its field of values, from which the step is safe.

    An equation whose solutions grow may have eigenvalues in the right half plane; these count by
    their size, and a `RuntimeWarning` says so where the largest is among them. A `SemiDiscrete`
    system is refused where the growth is the grid's: the spectrum of its Laplacian reaches into
    the right half plane, or its roughest mode is the one that grows, faster than the reaction can
    where that is known (negative diffusion). A `RuntimeWarning` says where its discrete gradient
    makes modes grow that the equation keeps.

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
    jacobian = Jacobian(rhs, state.detach(), time, constrain)
    found = estimate(jacobian, tableau)
    if found.step == 0.0:
        raise ValueError(
            f"`method` must be stable for oscillations such as {found.critical:.3g}, got "
            f"{tableau.name}, which is for no step: take rk4."
        )
    if growth := _growth(jacobian, found):
        warnings.warn(growth, RuntimeWarning, stacklevel=2)
    return found.step


def estimate(jacobian: Jacobian, tableau: Tableau, dense: int = DENSE) -> Estimate:
    """Estimate by all eigenvalues up to so many unknowns, where the entries are to be had."""
    if jacobian.unknowns <= dense and (known := jacobian.entries) is not None:
        found = by_spectrum(known.matrix.toarray(), tableau)
        return replace(found, mode=lambda z: jacobian.to_state(found.mode(z)))
    point = jacobian.point
    found = by_products(jacobian, point.flatten(), tableau)
    return replace(found, mode=lambda z: found.mode(z).view_as(point))


def _growth(jacobian: Jacobian, found: Estimate) -> str | None:
    """What is to be said of growth, if anything; refuse that of the grid's roughest mode."""
    radius = abs(found.largest)
    at_size = found.largest.real if found.largest.real > 1e-3 * radius else 0.0
    rate, least = found.rightmost.real, _GROWTH * radius
    known = jacobian.entries if at_size or rate > least else None
    if at_size and isinstance(jacobian.rhs, SemiDiscrete):
        # What the reaction can make grow is the equation's, in whichever mode.
        bound = -math.inf if known is None or known.growth is None else known.growth
        if at_size > bound + 1e-3 * radius:
            _refuse_roughest(jacobian.rhs, at_size, found.mode(found.largest))
    if known is not None and known.growth is not None and rate > max(known.growth, 0.0) + least:
        return (
            f"The gradient on this graph makes modes grow at a rate of {rate:.3g}, which the "
            "equation does not: raise the diffusion or refine the nodes, until the distance of "
            "neighbours times the speed is below twice the diffusion, or space them more evenly."
        )
    if at_size:
        return (
            "The largest eigenvalue of the system at this state is growth at a rate of "
            f"{at_size:.3g}, which no step makes decay."
        )
    return None


def _refuse_roughest(system: SemiDiscrete, rate: float, mode: Tensor) -> None:
    """Refuse growth of the grid's roughest mode [N, 2]."""
    d = system.operators
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
