"""Types, checks and the error shared by the time-stepping modules."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

# One time for all nodes, or [N]: in a batch of snapshots each node has its graph's own time.
Time = float | Tensor
Rates = Callable[[Time, Tensor], Tensor]
Constrain = Callable[[Time, Tensor], Tensor]


class NonFiniteStateError(FloatingPointError):
    """A state or a linearisation holds NaN or infinity.

    Example:
        >>> from solvers.rk4 import integrate
        >>> state = torch.ones(1, 2)  # infinite at time 1, as the equation says
        >>> integrate(lambda time, state: state**2, state, 0.0, 2.0, 0.1, limit=0.1)
        Traceback (most recent call last):
            ...
        solvers.rk4.state.NonFiniteStateError: The state is not finite after step 12 of 20, time
        1.2, at node 0 and 1 in all (sub-step 0.1, limit 0.1).
    """


def state_problem(state: Tensor, name: str = "state") -> str | None:
    """Say what is wrong with a state, or None; the caller raises."""
    if state.ndim != 2 or state.shape[1] != 2:
        return f"`{name}` must have shape [N, 2] (columns u, v), got {list(state.shape)}."
    if state.dtype not in (torch.float32, torch.float64):
        return f"`{name}` must have a floating-point dtype, float32 or float64, got {state.dtype}."
    return None


def time_problem(time: Time, num_nodes: int) -> str | None:
    """Say what is wrong with a time, or None; the caller raises."""
    if isinstance(time, Tensor) and tuple(time.shape) not in ((), (num_nodes,)):
        return f"`time` must be a number or have shape [{num_nodes}], got {list(time.shape)}."
    return None


def step_problem(step: float) -> str | None:
    """Say what is wrong with a time step, or None; the caller raises."""
    if not (step > 0 and math.isfinite(step)):
        return f"`step` must be a positive, finite number, got {step}."
    return None


def kind_of(value: object) -> str:
    """What a value is, in a few words: the shape of a tensor, the type of anything else."""
    if isinstance(value, Tensor):
        return f"a tensor {list(value.shape)}"
    return "None" if value is None else f"a {type(value).__name__}"


def require_shape(name: str, value: object, shape: tuple[int, ...]) -> None:
    """Refuse what a user's function returned unless it is a tensor of a shape.

    Args:
        name: What the user calls the function.
        value: What it returned.
        shape: What it must have.

    Raises:
        ValueError: If it is of another shape, or no tensor.
    """
    if not isinstance(value, Tensor):
        raise ValueError(f"`{name}` must return shape {list(shape)}, got {kind_of(value)}.")
    if value.shape != shape:
        raise ValueError(f"`{name}` must return shape {list(shape)}, got {list(value.shape)}.")
