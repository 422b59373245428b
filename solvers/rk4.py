"""The classical Runge-Kutta method of order 4 on a state `[N, 2]`, and its mismatch.

`SemiDiscrete`, `stable_step` and `substeps` can be imported from here too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ._common import (
    Constrain,
    NonFiniteStateError,
    Rates,
    Time,
    state_problem,
    step_problem,
    time_problem,
)
from .semidiscrete import SemiDiscrete
from .stability import stable_step, substeps

__all__ = [
    "NonFiniteStateError",
    "SemiDiscrete",
    "integrate",
    "mismatch",
    "rk4_step",
    "stable_step",
    "substeps",
]


def rk4_step(
    rhs: Rates, state: Tensor, time: Time, step: float, *, constrain: Constrain | None = None
) -> Tensor:
    """Advance the state by one step of the classical Runge-Kutta method.

    Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I (1993), table II.1.2.

    Args:
        rhs: `rhs(time, state) -> [N, 2]`, in units of the state / time.
        state: [N, 2], not modified; gradients pass through.
        time: Time of the state, a number or [N] (one time per node).
        step: Step, in units of time, positive.
        constrain: `constrain(time, state) -> [N, 2]`, imposes boundary data at each stage's
            time and on the result.

    Returns:
        [N, 2], the state at `time + step`.

    Raises:
        ValueError: If the state, the time, the step or what `rhs` returns is not as above.

    Example:
        >>> state = torch.ones(1, 2, dtype=torch.float64)
        >>> rk4_step(lambda time, s: 2.0 * s, state, 0.0, 1.0).round(decimals=9).tolist()
        [[7.0, 7.0]]
    """
    if problem := (
        state_problem(state) or time_problem(time, state.shape[0]) or step_problem(step)
    ):
        raise ValueError(problem)

    def at(t: Time, s: Tensor) -> Tensor:
        return s if constrain is None else constrain(t, s)

    middle, end = time + 0.5 * step, time + step
    start = at(time, state)
    k1 = rhs(time, start)
    if k1.shape != state.shape:
        raise ValueError(f"`rhs` must return shape {list(state.shape)}, got {list(k1.shape)}.")
    k2 = rhs(middle, at(middle, start + 0.5 * step * k1))
    k3 = rhs(middle, at(middle, start + 0.5 * step * k2))
    k4 = rhs(end, at(end, start + step * k3))
    return at(end, start + step / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4))


def integrate(
    rhs: Rates,
    state: Tensor,
    time: float,
    end: float,
    step: float,
    *,
    constrain: Constrain | None = None,
    limit: float | None = None,
) -> Tensor:
    """Advance the state over a whole number of steps, sub-stepping where they are unstable.

    Args:
        rhs: `rhs(time, state) -> [N, 2]`, in units of the state / time.
        state: [N, 2], not modified; gradients pass through.
        time: Time of the state.
        end: Time of the result, `time` plus a whole number of steps.
        step: Step, in units of time.
        constrain: `constrain(time, state) -> [N, 2]`, imposes boundary data.
        limit: Largest sub-step; `stable_step` at the first state if None.

    Returns:
        [N, 2], the state at `end`.

    Raises:
        ValueError: If the state, a time or the step is not as above.
        NonFiniteStateError: If the state holds NaN or infinity at the start or after a step.

    Example:
        >>> state = torch.ones(1, 2, dtype=torch.float64)
        >>> integrate(lambda time, s: -s, state, 0.0, 1.0, 0.1).round(decimals=4).tolist()
        [[0.3679, 0.3679]]
    """
    if problem := (state_problem(state) or step_problem(step)):
        raise ValueError(problem)
    if not end > time:
        raise ValueError(f"`end` must be greater than `time` {time}, got {end}.")
    count = round((end - time) / step)
    if abs((end - time) / step - count) > 1e-6 * max(1, count):
        raise ValueError(
            f"`end` must be `time` {time} plus a whole number of steps of {step}, got {end}."
        )
    if not bool(torch.isfinite(state).all()):
        raise NonFiniteStateError(f"The state is not finite at step 0 of {count}, time {time}.")
    if limit is None:
        limit = stable_step(rhs, state, time, constrain=constrain)
    parts = substeps(step, limit)
    for i in range(count):
        for j in range(parts):
            # From the index, not by adding up: the times keep no rounding of earlier steps.
            now = time + (i + j / parts) * step
            state = rk4_step(rhs, state, now, step / parts, constrain=constrain)
        if not bool(torch.isfinite(state).all()):
            raise NonFiniteStateError(
                f"The state is not finite after step {i + 1} of {count}, time "
                f"{time + (i + 1) * step:g} (sub-step {step / parts:g}, limit {limit:g})."
            )
    return state


def mismatch(
    next_state: Tensor,
    stepped_state: Tensor,
    step: float,
    *,
    per_unit_time: bool = True,
    mask: Tensor | None = None,
) -> Tensor:
    """Mean squared difference of a next state and a stepped one, per field.

    Args:
        next_state: [N, 2], for example a network's answer at `time + step`.
        stepped_state: [N, 2], for example `rk4_step` of its answer at `time`.
        step: Step between the two times, in units of time.
        per_unit_time: Divide the difference by `step`, which makes it a rate like a residual.
        mask: [N] bool, the nodes to count; None counts all.

    Returns:
        [2], mean over nodes for u and v, in units of (field / time)^2, or field^2.

    Raises:
        ValueError: If a shape, a dtype or the step is not as above, or no node is counted.

    Example:
        >>> mismatch(torch.ones(3, 2), torch.zeros(3, 2), 0.5).tolist()
        [4.0, 4.0]
    """
    if problem := (state_problem(next_state, "next_state") or step_problem(step)):
        raise ValueError(problem)
    if stepped_state.shape != next_state.shape:
        raise ValueError(
            f"`stepped_state` must have shape {list(next_state.shape)} like `next_state`, "
            f"got {list(stepped_state.shape)}."
        )
    difference = next_state - stepped_state
    if mask is not None:
        if mask.dtype != torch.bool or mask.shape != next_state.shape[:1]:
            raise ValueError(
                f"`mask` must be bool of shape [{next_state.shape[0]}], "
                f"got {mask.dtype} of shape {list(mask.shape)}."
            )
        difference = difference[mask]
    if not difference.shape[0]:
        raise ValueError(f"`mask` must keep at least one node, got 0 of {next_state.shape[0]}.")
    if per_unit_time:
        difference = difference / step
    return difference.square().mean(0)
