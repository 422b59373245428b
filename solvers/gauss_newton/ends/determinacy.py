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

from ..direction.orthogonal import svd
from ..linear_model import Linearization
from ..stepper import Stepper

_FLAT = 1e-4  # of |r|: what a parameter without effect changes, when it changes by its own size
_LOOSE = 10.0  # standard deviation in units of the parameter; 2.4 at most in NIST's regressions
_SINGLE = 16  # parameters that are looked at one by one
# Parts of a parameter where its effect is looked for, and where else if it has none at all: so far
# that an effect that only grows with the parameter stays below `_FLAT`.
_PARTS, _FARTHER, _NONE = (0.5, 0.1, 0.01, 0.0), (-1.0, 2.0, 10.0, 1e2, 1e4, 1e8), 1e-12
_ALONG = (-1.0, -0.1, -0.01, 0.01, 0.1, 1.0)  # of the way on which parameters are least determined
_ZERO, _NEAR = 1e2, 1e5  # roundings: a residual up to which is 0, or is looked at for lost digits
_DIGITS = 1e-4  # relative uncertainty of a cost with four digits
_ULPS = (-3, -1, 1, 3)  # by which parameters are changed to see rounding


class Determinacy(enum.Enum):
    """How far the residual determines the parameters."""

    FIRM = "all of them"
    LOOSE = "not all of them, or only together"
    PLATEAU = "some have no effect here, alone or together, but have one elsewhere"
    ROUNDED = "all of them, but of the sum of squares rounding leaves fewer than four digits"


def look(stepper: Stepper, start: Tensor) -> Determinacy:
    """Look at the Jacobian where a stepper stands.

    Args:
        stepper: At a point with a finite Jacobian. In doubt evaluations are made, up to
            its largest number.
        start: [n], where it began: parameters are at least of that size.

    Returns:
        The answer; without the Jacobian in memory, single parameters only are looked at.
    """
    model = stepper.linearize()
    size = torch.maximum(stepper.x.abs(), start.abs())
    noise = math.sqrt(2 * stepper.cost)
    # A row is a difference of numbers of about this size, each of them rounded.
    rounding = torch.finfo(size.dtype).eps * float((model.columns * stepper.x).norm())
    if noise <= _ZERO * rounding:
        return Determinacy.FIRM
    if noise <= _NEAR * rounding and _digits_are_lost(stepper, model):
        return Determinacy.ROUNDED
    effect = model.columns * size
    flat = (effect <= _FLAT * noise) & ~model.held  # by a bound, which determines them
    if bool(flat.any()) and _matter_elsewhere(stepper, model, flat, effect <= _NONE * noise):
        return Determinacy.PLATEAU
    used = ~flat & ~model.held & (effect > 0)
    jacobian = model.jacobian
    if jacobian is None or jacobian.shape[0] < int(used.sum()) or not bool(used.any()):
        return Determinacy.FIRM
    rows = jacobian.shape[0]
    deviations = _deviations(jacobian[:, used]) * noise / math.sqrt(max(rows - len(size), 1))
    if bool((deviations <= _LOOSE * size[used]).all()):
        return Determinacy.FIRM
    way = torch.zeros_like(size)
    way[used] = size[used] * svd(jacobian[:, used] * size[used])[2][-1]
    looks = (stepper.elsewhere(stepper.x + part * way) for part in _ALONG)
    below = (1 - _DIGITS) * stepper.cost
    falls = any(found is not None and found[1] < below for found in looks)
    return Determinacy.PLATEAU if falls else Determinacy.LOOSE


def _digits_are_lost(stepper: Stepper, model: Linearization) -> bool:
    solved = model.undamped()
    if solved is None or float(solved.forward.square().sum()) > stepper.cost:
        return False  # it falls on, to 0
    eps = torch.finfo(stepper.x.dtype).eps
    looks = [stepper.elsewhere(stepper.x * (1 + ulps * eps)) for ulps in _ULPS]
    costs = [stepper.cost, *(found[1] for found in looks if found is not None)]
    return max(costs) - min(costs) > _DIGITS * stepper.cost


def _matter_elsewhere(stepper: Stepper, model: Linearization, flat: Tensor, dead: Tensor) -> bool:
    # All of them together, and each alone: where an amplitude is 0, too, its rate has no effect.
    change = _FLAT * float(torch.linalg.vector_norm(stepper.residual))
    single = torch.nn.functional.one_hot(flat.nonzero()[:_SINGLE, 0], len(flat)).bool()
    # At 0 without derivative, as at the top of a hill, what lies elsewhere must be lower.
    zero = (model.columns == 0) & (stepper.x == 0)
    unit = torch.where(zero, 1.0, stepper.x)
    for parameters in (flat, *(single if len(single) > 1 else ())):
        lower = bool(zero[parameters].any())
        parts = (*_PARTS, *_FARTHER) if bool(dead[parameters].all()) else _PARTS
        for part in parts:
            found = stepper.elsewhere(torch.where(parameters, part * unit, stepper.x))
            if found is None:
                continue
            moved = float(torch.linalg.vector_norm(found[0] - stepper.residual)) > change
            if moved and (found[1] < stepper.cost or not lower):
                return True
    return stepper.spent  # nothing is known, then


def _deviations(jacobian: Tensor) -> Tensor:
    lengths = torch.linalg.vector_norm(jacobian, dim=0)
    triangle = torch.linalg.qr(jacobian / lengths, mode="r").R
    identity = torch.eye(len(lengths), dtype=jacobian.dtype, device=jacobian.device)
    inverse = torch.linalg.solve_triangular(triangle, identity, upper=True)
    return torch.linalg.vector_norm(inverse, dim=1) / lengths
