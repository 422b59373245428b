"""One Runge-Kutta step, as it is or compiled."""

from __future__ import annotations

import logging
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ._common import Constrain, Rates, Time
from .semidiscrete import Fields, SemiDiscrete
from .tableaus import Tableau

log = logging.getLogger("solvers")

FieldRates = Callable[[Time, Fields], Fields]


def advance(
    tableau: Tableau,
    rates: FieldRates,
    impose: FieldRates,
    fields: Fields,
    time: Time,
    step: float | Tensor,
) -> Fields:
    """Advance fields by one step, boundary data imposed at the time of every stage.

    Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I (1993), eq. (II.1.8). The
    sum over the stages is made as they come, so that a method like RK4 keeps one stage at a time.
    """
    start = impose(time, fields)
    result = start
    kept: dict[int, Fields] = {}
    for i, (c, row, b) in enumerate(zip(tableau.c, tableau.a, tableau.b, strict=True)):
        at = time + float(c) * step if c else time
        stage = start
        for j, a in enumerate(row):
            if a:
                stage = _add(stage, float(a) * step, kept[j])
        k = rates(at, impose(at, stage) if i else stage)
        result = _add(result, float(b) * step, k) if b else result
        kept[i] = k
        kept = {j: kept[j] for j in kept if tableau.last_use[j] > i}
    return impose(time + step, result)


def _add(fields: Fields, factor: float | Tensor, rates: Fields) -> Fields:
    return tuple(f + factor * k for f, k in zip(fields, rates, strict=True))


class Stepper:
    """Advances the fields of a state by steps of one method.

    A `SemiDiscrete` system is advanced by its two columns, each contiguous: half of the memory is
    passed over in vain otherwise. Any other right-hand side is advanced as the state it takes.

    Args:
        rhs: `rhs(time, state) -> [N, 2]`.
        constrain: Imposes boundary data; None takes that of a `SemiDiscrete`.
        tableau: The method.
        compiled: Whether to compile the step; only a `SemiDiscrete` with its own `constrain` is.
    """

    def __init__(
        self, rhs: Rates, constrain: Constrain | None, tableau: Tableau, compiled: bool = False
    ) -> None:
        self._tableau = tableau
        self._columns = isinstance(rhs, SemiDiscrete) and constrain in (None, rhs.constrain)
        if self._columns:
            self._rates, self._impose = rhs.rates, rhs.impose  # type: ignore[attr-defined]
            self._compiled_steps = rhs.compiled_steps  # type: ignore[attr-defined]
            self._operators = rhs.operators  # type: ignore[attr-defined]
        else:
            own = (
                rhs.constrain if constrain is None and isinstance(rhs, SemiDiscrete) else constrain
            )
            self._rates = lambda time, fields: (_checked(rhs, time, fields[0]),)
            self._impose = lambda time, fields: fields if own is None else (own(time, fields[0]),)
        self.compiled = _compiled(rhs, tableau) if compiled and self._columns else None  # type: ignore[arg-type]

    def split(self, state: Tensor) -> Fields:
        """The fields of a state [N, 2]."""
        if not self._columns:
            return (state,)
        return tuple(column.contiguous() for column in state.unbind(1))

    def join(self, fields: Fields) -> Tensor:
        """The state [N, 2] of fields."""
        return torch.stack(fields, 1) if self._columns else fields[0]

    def impose(self, time: Time, fields: Fields) -> Fields:
        """The fields with boundary data."""
        return self._impose(time, fields)

    def __call__(self, fields: Fields, time: Time, step: float) -> Fields:
        """The fields one step later."""
        if self.compiled is not None:
            try:
                # As tensors, so that other times and steps are no reason to compile again.
                u, v = fields
                if torch.is_grad_enabled() and (u.requires_grad or v.requires_grad):
                    _ = self._operators.adjoint  # made before torch follows the step
                now = torch.as_tensor(time, dtype=torch.float64, device=u.device)
                h = torch.as_tensor(step, dtype=torch.float64, device=u.device)
                return self.compiled(u, v, now, h)
            except Exception as error:
                # No compiler, or a right-hand side that torch cannot trace; what is wrong with the
                # system itself is raised again below.
                _say_why(error)
                self.compiled = self._compiled_steps[self._tableau] = None
        return advance(self._tableau, self._rates, self._impose, fields, time, step)


def _checked(rhs: Rates, time: Time, state: Tensor) -> Tensor:
    rates = rhs(time, state)
    if rates.shape != state.shape:
        raise ValueError(f"`rhs` must return shape {list(state.shape)}, got {list(rates.shape)}.")
    return rates


def _compiled(system: SemiDiscrete, tableau: Tableau) -> Callable[..., Any] | None:
    """The compiled step of a system, made once; None where compiling it has failed."""
    made = system.compiled_steps
    if tableau not in made:

        def step(u: Tensor, v: Tensor, time: Tensor, h: Tensor) -> Fields:
            return advance(tableau, system.rates, system.impose, (u, v), time, h)

        # A code object of its own: torch counts recompilations by code, and few are allowed.
        code = step.__code__.replace(co_name=f"step_{id(system)}")
        own = types.FunctionType(code, step.__globals__, "step", None, step.__closure__)
        made[tableau] = torch.compile(own, fullgraph=True, dynamic=False, options=_options())
    return made[tableau]


def _options() -> dict[str, Any] | None:
    # Indices were checked when the tables were built; checking again costs a fifth of a step.
    name = "assert_indirect_indexing"
    return {name: False} if hasattr(torch._inductor.config, name) else None


def _say_why(error: Exception) -> None:
    reason = str(error).strip() or type(error).__name__
    log.warning("The step cannot be compiled, going on without: %s", reason.splitlines()[0])
