"""Runge-Kutta steps on a state `[N, 2]`, integration over many of them, and the mismatch of one.

In come rates `rhs(state, time)`, mostly of a system on a graph (`SemiDiscrete`, which lets the
graph's operators stand for the derivatives), a state and a step; out comes the later state, with
gradients where they are asked for. `steps` has what users call; read it first. A method is data
(`tableaus`), `explicit_step` carries it out, `stepper` chooses between that and a compiled one
(`compiled_step`), `integration` makes many steps, `growth` finds out steps that were too long, and
`stability` the largest stable one, from the `spectrum` of the linearised system. `state` has the
checks and types that all share.
"""

from .growth import UnstableStepError
from .semidiscrete import SemiDiscrete
from .stability import UnstableOperatorError, stable_step, substeps
from .state import NonFiniteStateError
from .steps import integrate, mismatch, mismatch_rows, rk4_step, runge_kutta_step
from .tableaus import HEUN, RK4, THREE_EIGHTHS, Tableau

__all__ = [
    "HEUN",
    "RK4",
    "THREE_EIGHTHS",
    "NonFiniteStateError",
    "SemiDiscrete",
    "Tableau",
    "UnstableOperatorError",
    "UnstableStepError",
    "integrate",
    "mismatch",
    "mismatch_rows",
    "rk4_step",
    "runge_kutta_step",
    "stable_step",
    "substeps",
]
