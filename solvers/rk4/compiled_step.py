"""A Runge-Kutta step as one compiled function of the two fields."""

from __future__ import annotations

import logging
import types
from typing import Any

import torch
from torch import Tensor

from ..devices import is_out_of_memory
from ..paired_sums.operators import prepare_gradients, suits
from .explicit_step import advance
from .semidiscrete import Fields, SemiDiscrete
from .state import Time
from .tableaus import Tableau

log = logging.getLogger("solvers")


class CompiledStep:
    """One step of a system by `torch.compile`, which fuses gathers, reaction and stage update.

    Compiled at the first call, and once more at the first that asks for gradients. Where that
    fails, `usable` turns False and one line is logged.

    Args:
        system: The system; its tables are laid out again if they are small.
        tableau: The method.
    """

    def __init__(self, system: SemiDiscrete, tableau: Tableau) -> None:
        self.usable = True
        operators = system.operators.node_major()
        paired = suits(operators)
        own = system.on(operators, paired=paired)
        self._operators = operators

        def step(u: Tensor, v: Tensor, time: Tensor, h: Tensor) -> Fields:
            return advance(tableau, own.rates, own.impose, (u, v), time, h)

        # A separate code object: torch counts recompilations by code, and few are allowed.
        code = step.__code__.replace(co_name=f"step_{id(self)}")
        named = types.FunctionType(code, step.__globals__, "step", None, step.__closure__)
        self._step = torch.compile(named, fullgraph=True, dynamic=False, options=_options(paired))

    def __call__(self, fields: Fields, time: Time, step: float) -> Fields | None:
        """The fields one step later, or None where the step cannot be compiled."""
        u, v = fields
        try:
            if torch.is_grad_enabled() and (u.requires_grad or v.requires_grad):
                prepare_gradients(self._operators)
            # As tensors, so that other times and steps are no reason to compile again.
            return self._step(u, v, _number(time, u.device), _number(step, u.device))
        except Exception as error:
            if is_out_of_memory(error):
                raise  # the step that is not compiled would need more
            # No compiler, or a right-hand side that torch cannot trace. What is wrong with the
            # system itself is raised again by the step that is taken instead.
            self.usable = False
            reason = str(error).strip() or type(error).__name__
            log.warning("The step cannot be compiled, going on without: %s", reason.splitlines()[0])
            return None


def _number(value: Time, device: torch.device) -> Tensor:
    if isinstance(value, Tensor):
        return value.to(device, torch.float64)
    # Filled in where it lies: a copy from main memory would wait for the device.
    return torch.full((), value, dtype=torch.float64, device=device)


def _options(paired: bool) -> dict[str, Any]:
    """What speeds the step up, as far as this release of torch knows it."""
    config = torch._inductor.config
    options: dict[str, Any] = {}
    # Indices were checked when the tables were built; checking again costs a fifth of a step.
    if hasattr(config, "assert_indirect_indexing"):
        options["assert_indirect_indexing"] = False
    # Multiply and add in one instruction: differences of equal values are exact zeros all the same.
    if hasattr(config.cpp, "enable_floating_point_contract_flag"):
        options["cpp.enable_floating_point_contract_flag"] = "fast"
    # The sums of u and v are no part of the code generator's loops. Left to itself it adds up the
    # stages in the last loop and keeps all of them until then; so it writes their sum as they come.
    if paired and hasattr(config, "realize_acc_reads_threshold"):
        options["realize_acc_reads_threshold"] = 3
    # torch compiles and loads a file to find out what vectors the processor and the compiler have,
    # which takes a quarter of the first step. The sums have just been compiled for this processor.
    if paired and getattr(config.cpp, "vec_isa_ok", True) is None:  # unless a user has said
        options["cpp.vec_isa_ok"] = True
    return options
