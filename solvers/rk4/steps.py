"""What users call: one step, many steps, and the mismatch of a step with given fields."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..checks import number_problem, switch_problem
from .growth import GrowthWatch
from .integration import Plan, march
from .semidiscrete import SemiDiscrete
from .stability import stable_step, substeps
from .state import (
    Constrain,
    NonFiniteStateError,
    Rates,
    Time,
    kind_of,
    state_problem,
    step_problem,
    time_problem,
)
from .stepper import Stepper
from .tableaus import RK4, Tableau, find

__all__ = ["integrate", "mismatch", "mismatch_rows", "rk4_step", "runge_kutta_step"]


def rk4_step(
    rhs: Rates,
    state: Tensor,
    time: Time,
    step: float,
    *,
    constrain: Constrain | None = None,
    check: bool = False,
    compile: bool = False,
) -> Tensor:
    """Advance the state by one step of the classical Runge-Kutta method.

    Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I (1993), table II.1.2.

    Args:
        rhs: `rhs(time, state) -> [N, 2]`, in units of the state / time, or a `SemiDiscrete`.
        state: [N, 2], float32 or float64, not modified; gradients pass through.
        time: Time of the state, a number or [N] (one time per node).
        step: Step, in units of time, positive.
        constrain: `constrain(time, state) -> [N, 2]`, imposes boundary data at each stage's
            time and on the result; None takes that of a `SemiDiscrete`.
        check: Refuse a step above `stable_step` at this state.
        compile: Compile the step of a `SemiDiscrete`, which pays for large graphs and many steps;
            the compiled step is kept with the system.

    Returns:
        [N, 2], the state at `time + step`.

    Raises:
        ValueError: If the state, the time, the step or what `rhs` returns is not as above.

    Example:
        >>> state = torch.ones(1, 2, dtype=torch.float64)
        >>> rk4_step(lambda time, s: 2.0 * s, state, 0.0, 1.0).round(decimals=9).tolist()
        [[7.0, 7.0]]
    """
    return runge_kutta_step(
        rhs, state, time, step, constrain=constrain, check=check, compile=compile
    )


def runge_kutta_step(
    rhs: Rates,
    state: Tensor,
    time: Time,
    step: float,
    *,
    method: str | Tableau = RK4,
    constrain: Constrain | None = None,
    check: bool = False,
    compile: bool = False,
) -> Tensor:
    """Advance the state by one step of an explicit Runge-Kutta method, as `rk4_step` does.

    Args:
        rhs: `rhs(time, state) -> [N, 2]`, in units of the state / time, or a `SemiDiscrete`.
        state: [N, 2], float32 or float64, not modified; gradients pass through.
        time: Time of the state, a number or [N].
        step: Step, in units of time, positive.
        method: A `Tableau`, or "rk4", "three_eighths", "heun".
        constrain: As in `rk4_step`.
        check: Refuse a step above `stable_step` at this state.
        compile: As in `rk4_step`.

    Returns:
        [N, 2], the state at `time + step`.

    Raises:
        ValueError: If the state, the time, the step, the method or what `rhs` returns is not as
            above, or the step is above the limit.

    Example:
        >>> state = torch.ones(1, 2, dtype=torch.float64)
        >>> runge_kutta_step(lambda time, s: s, state, 0.0, 1.0, method="heun").tolist()
        [[2.5, 2.5]]
    """
    tableau = find(method)
    switches = switch_problem("check", check) or switch_problem("compile", compile)
    if problem := _problem(rhs, state, time) or step_problem(step) or switches:
        raise ValueError(problem)
    if check:
        limit = stable_step(rhs, state, time, constrain=constrain, method=tableau)
        if step > limit:
            raise ValueError(
                f"`step` must be at most {limit:.4g}, the stability limit of {tableau.name} at "
                f"this state, got {step:g}."
            )
    stepper = Stepper(rhs, constrain, tableau, compile)
    return stepper.join(stepper(stepper.split(state), time, step))


def integrate(
    rhs: Rates,
    state: Tensor,
    time: float,
    end: float,
    step: float,
    *,
    save_at: Sequence[float] | Tensor | None = None,
    method: str | Tableau = RK4,
    constrain: Constrain | None = None,
    limit: float | None = None,
    checkpoint_every: int | None = None,
    compile: bool | None = None,
    progress: bool | None = None,
) -> Tensor:
    """Advance the state over a whole number of steps, sub-stepping where they are unstable.

    Args:
        rhs: `rhs(time, state) -> [N, 2]`, in units of the state / time, or a `SemiDiscrete`.
        state: [N, 2], float32 or float64, not modified; gradients pass through.
        time: Time of the state.
        end: Time of the result, `time` plus a whole number of steps.
        step: Step, in units of time.
        save_at: Ascending times in [time, end] to return states of; a step is cut in two at a time
            that lies inside of it.
        method: A `Tableau`, or "rk4", "three_eighths", "heun".
        constrain: `constrain(time, state) -> [N, 2]`, imposes boundary data; None takes that of a
            `SemiDiscrete`.
        limit: Largest sub-step; `stable_step` at the first state if None.
        checkpoint_every: Where gradients are asked for, keep the state of every so many steps and
            compute those between again in the backward pass; None takes the square root of the
            number of steps, so that memory grows with that, too.
        compile: Compile the step of a `SemiDiscrete`; None does where the work is worth it.
        progress: Show a bar on stderr; None shows one for long work at a terminal.

    Returns:
        [N, 2], the state at `end`; with `save_at` [len(save_at), N, 2].

    Raises:
        ValueError: If the state, a time, the step or the method is not as above.
        NonFiniteStateError: If the state holds NaN or infinity at the start or after a step, with
            the step, the time and the first such node.
        UnstableStepError: If the state grows as the equation does not: where it has grown tenfold,
            the last step is taken once more in parts, which then do not grow.
        UnstableOperatorError: From `stable_step`, if `limit` is None and no step is stable.

    Example:
        >>> state = torch.ones(1, 2, dtype=torch.float64)
        >>> integrate(lambda time, s: -s, state, 0.0, 1.0, 0.1).round(decimals=4).tolist()
        [[0.3679, 0.3679]]
        >>> integrate(lambda time, s: -s, state, 0.0, 1.0, 0.1, save_at=[0.0, 1.0]).shape
        torch.Size([2, 1, 2])
    """
    tableau = find(method)
    problem = _problem(rhs, state, 0.0) or step_problem(step)
    if problem := problem or _option_problem(checkpoint_every, compile, progress):
        raise ValueError(problem)
    plan = Plan.make(float(time), float(end), float(step), save_at)
    if not bool(torch.isfinite(state).all()):
        raise NonFiniteStateError(
            f"The state is not finite at step 0 of {plan.count}, time {time}."
        )
    if limit is None:
        limit = stable_step(rhs, state, time, constrain=constrain, method=tableau)
    parts = substeps(step, limit)
    if compile is None:
        compile = _worth_compiling(rhs, plan.count * parts * tableau.stages)
    stepper = Stepper(rhs, constrain, tableau, compile)
    watch = GrowthWatch(Stepper(rhs, constrain, tableau))
    return march(stepper, state, plan, limit, watch, checkpoint_every, progress)


# By type of device: seconds that compiling saves for each entry of the operator's table and
# evaluation, that it takes, and that it takes for each slot.
# CPU: measured on one core, `benchmarks/rk4.py --only ours,ours_eager`.
# CUDA: not measured. What is saved are the passes over memory that one kernel does not make, 30
# bytes an entry at 3 TB/s, and nothing for the launches, so that it is compiled too seldom rather
# than too often. The same command with `--device cuda` gives the numbers to put here.
_COMPILING = {"cpu": (1e-8, 5.0, 0.6), "cuda": (1e-11, 30.0, 0.6)}


def _worth_compiling(rhs: Rates, evaluations: int) -> bool:
    if not isinstance(rhs, SemiDiscrete):
        return False
    if (device := rhs.operators.pos.device.type) not in _COMPILING:
        return False  # nothing is known of it
    saved, cost, cost_per_slot = _COMPILING[device]
    pattern = rhs.operators.pattern
    slots = len(pattern.neighbours)
    if pattern.long_neighbours is not None:
        slots += len(pattern.long_neighbours)
    return saved * evaluations * pattern.neighbours.numel() > cost + cost_per_slot * slots


def _problem(rhs: Rates, state: Tensor, time: Time) -> str | None:
    if isinstance(rhs, SemiDiscrete):
        return state_problem(state) or rhs.problem(time, state)
    return state_problem(state) or time_problem(time, state.shape[0])


def _option_problem(checkpoint_every: object, compile: object, progress: object) -> str | None:
    wanted = "a whole number of at least 1"
    if checkpoint_every is not None and (
        problem := number_problem(
            "checkpoint_every", checkpoint_every, wanted, least=1.0, whole=True
        )
    ):
        return problem
    return switch_problem("compile", compile, optional=True) or switch_problem(
        "progress", progress, optional=True
    )


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
        next_state: [N, 2], for example a network's output at `time + step`.
        stepped_state: [N, 2], for example `rk4_step` of its output at `time`.
        step: Step between the two times, in units of time.
        per_unit_time: Divide the difference by `step`, which makes it a rate like a residual.
        mask: [N] bool, the nodes to count, or their numbers, as for `mismatch_rows`.

    Returns:
        [2], mean over nodes for u and v, in units of (field / time)^2, or field^2.

    Raises:
        ValueError: If a shape, a dtype or the step is not as above, or no node is counted.

    Example:
        >>> mismatch(torch.ones(3, 2), torch.zeros(3, 2), 0.5).tolist()
        [4.0, 4.0]
    """
    rows = mismatch_rows(next_state, stepped_state, step, per_unit_time=per_unit_time, mask=mask)
    return rows.square().mean(0)


def mismatch_rows(
    next_state: Tensor,
    stepped_state: Tensor,
    step: float,
    *,
    per_unit_time: bool = True,
    mask: Tensor | None = None,
) -> Tensor:
    """Difference of a next state and a stepped one at each node that counts.

    Args:
        next_state: [N, 2], as for `mismatch`.
        stepped_state: [N, 2].
        step: Step between the two times, in units of time.
        per_unit_time: Divide the difference by `step`, which makes it a rate like a residual.
        mask: [N] bool, the nodes to count, or their numbers [n] int64, for which an accelerator is
            not waited for (`GraphOperators.free_nodes`, say); None counts all.

    Returns:
        [n, 2], a row for each node that counts, in units of field / time, or of the field.

    Raises:
        ValueError: If a shape, a dtype or the step is not as above, or no node is counted.

    Example:
        >>> mismatch_rows(torch.ones(1, 2), torch.zeros(1, 2), 0.5).tolist()
        [[2.0, 2.0]]
    """
    switches = switch_problem("per_unit_time", per_unit_time)
    if problem := (state_problem(next_state, "next_state") or step_problem(step) or switches):
        raise ValueError(problem)
    if stepped_state.shape != next_state.shape:
        raise ValueError(
            f"`stepped_state` must have shape {list(next_state.shape)} like `next_state`, "
            f"got {list(stepped_state.shape)}."
        )
    difference = next_state - stepped_state
    if mask is not None:
        if problem := _mask_problem(mask, next_state.shape[0]):
            raise ValueError(problem)
        if mask.dtype == torch.bool:
            difference = difference[mask]
        else:
            difference = difference.index_select(0, mask)
    if not difference.shape[0]:
        raise ValueError(f"`mask` must keep at least one node, got 0 of {next_state.shape[0]}.")
    if per_unit_time:
        difference = difference / step
    return difference


def _mask_problem(mask: object, num_nodes: int) -> str | None:
    wanted = f"`mask` must be bool of shape [{num_nodes}] or node numbers, int64 of one axis, got"
    if not isinstance(mask, Tensor):
        return f"{wanted} {kind_of(mask)}."
    if (mask.dtype == torch.bool and mask.shape == (num_nodes,)) or (
        mask.dtype == torch.int64 and mask.ndim == 1
    ):
        return None
    return f"{wanted} {mask.dtype} of shape {list(mask.shape)}."
