"""Minimise any smooth function by a dense quasi-Newton method: SSBroyden, SSBFGS, BFGS.

`minimize` takes a function that returns its value and gradient, as scipy's users know it.
`QuasiNewton` makes one step at a time, on a function that may change in between, as a training
does, and can be saved and taken up again bit for bit.

A step is three things, a file each. Where to: `inverse_hessian` holds the approximation of the
inverse Hessian and multiplies by it. How far: `line_search` looks for a step that meets the strong
Wolfe conditions, or the approximate ones where values differ by rounding only. What is learnt:
`updates` says how the pair of step and change of the gradient goes into the approximation.

Start with `minimize`, then `stepper`. `memory` says what a problem takes before anything is
allocated, `solution` why it ended and what comes back, `saved_state` checks what is loaded.
"""

from .line_search import LineSearch, Trial
from .minimize import minimize
from .solution import Solution, Status, Step
from .stepper import NonFiniteStartError, QuasiNewton
from .updates import METHODS

__all__ = [
    "METHODS",
    "LineSearch",
    "NonFiniteStartError",
    "QuasiNewton",
    "Solution",
    "Status",
    "Step",
    "Trial",
    "minimize",
]
