"""Nonlinear least squares in torch: Levenberg-Marquardt and Gauss-Newton.

`least_squares` minimises the sum of squares of a function's residuals, as scipy's users know it.
`Stepper` makes one step at a time, on a `Problem` that brings its own Jacobian and may change in
between, as a training does.

A step is two independent choices. Where to: `direction/` solves the damped linear problem, dense in
the smaller of both spaces or matrix-free, for any damping at once. How far: `damping/` tries
dampings until the decrease is what the linear model has promised, by one of five rules. So
Levenberg-Marquardt and Gauss-Newton with a line search differ by one object.

Start with `least_squares`, then `stepper` (one step), `linearizer` and `linear_model` (residual,
Jacobian and scaling at a point). `residual_functions` and `autodiff` make Jacobians of a user's
function, `robust_loss` changes what is minimised, `variables/` what the parameters are measured in.
`iteration` says when to end, `standstill` when a cost stands at rounding, `ends/` whether that is a
minimum and what is tried where it is none; `solution` is what comes back.
"""

from .damping.bold_start import BoldStart
from .damping.gain_ratio import GainRatio, Nielsen
from .damping.line_search import LineSearch
from .damping.rule import Rule
from .damping.target_ratio import TargetRatio
from .direction.memory import GaussNewtonMemoryError
from .least_squares import DAMPINGS, SOLVERS, least_squares
from .problem import NonFiniteJacobianError, Problem, ProductProblem
from .robust_loss import Loss
from .solution import Solution, Status
from .step import Step
from .stepper import Stepper
from .variables.bounds import Box

__all__ = [
    "DAMPINGS",
    "SOLVERS",
    "BoldStart",
    "Box",
    "GainRatio",
    "GaussNewtonMemoryError",
    "LineSearch",
    "Loss",
    "Nielsen",
    "NonFiniteJacobianError",
    "Problem",
    "ProductProblem",
    "Rule",
    "Solution",
    "Status",
    "Step",
    "Stepper",
    "TargetRatio",
    "least_squares",
]
