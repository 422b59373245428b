"""Whether the residual determines the parameters where an iteration has ended.

Gradients vanish at a minimum, and as well on a plateau, where a parameter has lost its effect
(a rate so large that its exponential is over before the first observation), and in a valley that
falls for ever (two exponentials of one rate with amplitudes that grow against each other). No test
of convergence by gradient, cost or step tells these apart. What does is statistics: there, the
standard deviation of a parameter is larger than the parameter itself.

Where data are matched to some hundred roundings, a minimum is found and its sum of squares is not:
the rounding of the residual takes digits from it that no iteration can bring back.
"""

from __future__ import annotations

import enum
import math

import torch
from torch import Tensor

from ..linear_model import Linearization
from ..stepper import Stepper

_FLAT = 1e-4  # of |r|: what a parameter without effect changes, when it changes by its own size
_LOOSE = 10.0  # standard deviation in units of the parameter; 2.4 at most in NIST's regressions
_SINGLE = 16  # parameters that are looked at one by one
_PARTS = (0.5, 0.1, 0.01, 0.0)  # of a parameter, where its effect is looked for
_ZERO, _NEAR = 1e2, 1e5  # roundings: a residual up to which is 0, or is looked at for lost digits
_DIGITS = 1e-4  # relative uncertainty of a cost with four digits
_ULPS = (-3, -1, 1, 3)  # by which parameters are changed to see rounding


class Determinacy(enum.Enum):
    """How far the residual determines the parameters."""

    FIRM = "all of them"
    LOOSE = "not all of them, or only together"
    PLATEAU = "some have no effect here, but have one elsewhere"
    ROUNDED = "all of them, but of the sum of squares rounding leaves fewer than four digits"


def look(stepper: Stepper, start: Tensor) -> Determinacy:
    """Look at the Jacobian where a stepper stands.

    Args:
        stepper: At a point with a finite Jacobian. A few evaluations are made where parameters
            have no effect, and counted.
        start: [n], where it began: parameters are at least of that size.

    Returns:
        The answer; without the Jacobian in memory, single parameters only are looked at.
    """
    model = stepper.linearize()
    size = torch.maximum(stepper.x.abs(), start.abs())
    noise = math.sqrt(2 * stepper.cost)
    effect = model.columns * size
    # A row is a difference of numbers of about this size, each of them rounded.
    rounding = torch.finfo(size.dtype).eps * float(torch.linalg.vector_norm(effect))
    if noise <= _ZERO * rounding:
        return Determinacy.FIRM
    if noise <= _NEAR * rounding and _digits_are_lost(stepper, model):
        return Determinacy.ROUNDED
    flat = (effect <= _FLAT * noise) & ~model.held  # by a bound, which determines them
    if bool(flat.any()) and _matter_elsewhere(stepper, flat):
        return Determinacy.PLATEAU
    used = ~flat & ~model.held & (effect > 0)
    jacobian = model.jacobian
    if jacobian is None or jacobian.shape[0] < int(used.sum()) or not bool(used.any()):
        return Determinacy.FIRM
    rows = jacobian.shape[0]
    deviations = _deviations(jacobian[:, used]) * noise / math.sqrt(max(rows - len(size), 1))
    return (
        Determinacy.FIRM if bool((deviations <= _LOOSE * size[used]).all()) else Determinacy.LOOSE
    )


def _digits_are_lost(stepper: Stepper, model: Linearization) -> bool:
    solved = model.undamped()
    if solved is None or float(solved.forward.square().sum()) > stepper.cost:
        return False  # it falls on, to 0
    eps, costs = torch.finfo(stepper.x.dtype).eps, [stepper.cost]
    for ulps in _ULPS:
        costs.append(stepper.cost_at(stepper.x * (1 + ulps * eps)))
    return not max(costs) - min(costs) <= _DIGITS * stepper.cost


def _matter_elsewhere(stepper: Stepper, flat: Tensor) -> bool:
    # All of them together, and each alone: where an amplitude is 0, too, its rate has no effect.
    change = _FLAT * float(torch.linalg.vector_norm(stepper.residual))
    single = torch.nn.functional.one_hot(flat.nonzero()[:_SINGLE, 0], len(flat)).bool()
    for parameters in (flat, *(single if len(single) > 1 else ())):
        for part in _PARTS:
            x = torch.where(parameters, part * stepper.x, stepper.x)
            difference = stepper.evaluate(x) - stepper.residual
            if not float(torch.linalg.vector_norm(difference)) <= change:  # NaN is an effect, too
                return True
    return False


def _deviations(jacobian: Tensor) -> Tensor:
    lengths = torch.linalg.vector_norm(jacobian, dim=0)
    triangle = torch.linalg.qr(jacobian / lengths, mode="r").R
    identity = torch.eye(len(lengths), dtype=jacobian.dtype, device=jacobian.device)
    inverse = torch.linalg.solve_triangular(triangle, identity, upper=True)
    return torch.linalg.vector_norm(inverse, dim=1) / lengths
