"""Steps of one method on one right-hand side, compiled where asked for and possible."""

from __future__ import annotations

import torch
from torch import Tensor

from .compiled_step import CompiledStep
from .explicit_step import advance
from .semidiscrete import Fields, SemiDiscrete
from .state import Constrain, Rates, Time, require_shape
from .tableaus import Tableau


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
        else:
            own = (
                rhs.constrain if constrain is None and isinstance(rhs, SemiDiscrete) else constrain
            )
            self._rates = lambda time, fields: (_checked(rhs, time, fields[0]),)
            self._impose = lambda time, fields: fields if own is None else (own(time, fields[0]),)
        self.compiled = None
        if compiled and self._columns:
            made = rhs.compiled_steps  # type: ignore[attr-defined]
            if tableau not in made:
                made[tableau] = CompiledStep(rhs, tableau)  # type: ignore[arg-type]
            self.compiled = made[tableau]

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
        if self.compiled is not None and self.compiled.usable:
            stepped = self.compiled(fields, time, step)
            if stepped is not None:
                return stepped
        return advance(self._tableau, self._rates, self._impose, fields, time, step)


def _checked(rhs: Rates, time: Time, state: Tensor) -> Tensor:
    rates = rhs(time, state)
    require_shape("rhs", rates, tuple(state.shape))
    return rates
