"""The nonlinear regression problems of NIST, for the tests of least squares.

NIST StRD, https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml, in the public domain. Starts,
certified parameters, their standard deviations, residual sums of squares and observations are those
published there, in `data/nist.json`; a row of `parameters` has NIST's columns: start 1, start 2,
certified value, standard deviation.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor


@dataclass(frozen=True)
class Problem:
    """A regression: parameters [n], observations x and y [m].

    Nelson's x is [m, 2] and its y the logarithm of what was measured.
    """

    model: Callable[[Tensor, Tensor], Tensor]
    starts: tuple[Tensor, Tensor]
    certified: Tensor
    deviations: Tensor
    sum_of_squares: float
    x: Tensor
    y: Tensor

    def residual(self, b: Tensor) -> Tensor:
        return self.model(b, self.x) - self.y


def saturation(b, x):
    return b[0] * (1 - torch.exp(-b[1] * x))


def misra1b(b, x):
    return b[0] * (1 - (1 + b[1] * x / 2) ** -2)


def misra1c(b, x):
    return b[0] * (1 - (1 + 2 * b[1] * x) ** -0.5)


def misra1d(b, x):
    return b[0] * b[1] * x / (1 + b[1] * x)


def chwirut(b, x):
    return torch.exp(-b[0] * x) / (b[1] + b[2] * x)


def lanczos(b, x):
    return sum(b[i] * torch.exp(-b[i + 1] * x) for i in (0, 2, 4))


def gauss(b, x):
    first = b[2] * torch.exp(-((x - b[3]) ** 2) / b[4] ** 2)
    second = b[5] * torch.exp(-((x - b[6]) ** 2) / b[7] ** 2)
    return b[0] * torch.exp(-b[1] * x) + first + second


def danwood(b, x):
    return b[0] * x ** b[1]


def kirby2(b, x):
    return (b[0] + x * (b[1] + x * b[2])) / (1 + x * (b[3] + x * b[4]))


def cubic_ratio(b, x):
    return (b[0] + x * (b[1] + x * (b[2] + x * b[3]))) / (1 + x * (b[4] + x * (b[5] + x * b[6])))


def nelson(b, x):
    return b[0] - b[1] * x[:, 0] * torch.exp(-b[2] * x[:, 1])


def mgh17(b, x):
    return b[0] + b[1] * torch.exp(-x * b[3]) + b[2] * torch.exp(-x * b[4])


def roszman1(b, x):
    return b[0] - b[1] * x - torch.atan(b[2] / (x - b[3])) / math.pi


def enso(b, x):
    x = 2 * math.pi * x
    year = b[1] * torch.cos(x / 12) + b[2] * torch.sin(x / 12)
    second = b[4] * torch.cos(x / b[3]) + b[5] * torch.sin(x / b[3])
    third = b[7] * torch.cos(x / b[6]) + b[8] * torch.sin(x / b[6])
    return b[0] + year + second + third


def mgh09(b, x):
    return b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3])


def rat42(b, x):
    return b[0] / (1 + torch.exp(b[1] - b[2] * x))


def mgh10(b, x):
    return b[0] * torch.exp(b[1] / (x + b[2]))


def eckerle4(b, x):
    return b[0] / b[1] * torch.exp(-0.5 * ((x - b[2]) / b[1]) ** 2)


def rat43(b, x):
    return b[0] / (1 + torch.exp(b[1] - b[2] * x)) ** (1 / b[3])


def bennett5(b, x):
    return b[0] * (b[1] + x) ** (-1 / b[2])


def _problem(model: str, sum_of_squares: float, parameters, x, y) -> Problem:
    parameters, x, y = (torch.tensor(part, dtype=torch.float64) for part in (parameters, x, y))
    first, second, certified, deviations = parameters.T
    y = y.log() if model == "nelson" else y
    return Problem(globals()[model], (first, second), certified, deviations, sum_of_squares, x, y)


_TABLE = json.loads((Path(__file__).parent / "data" / "nist.json").read_text("utf-8"))
PROBLEMS = {name: _problem(**entry) for name, entry in _TABLE.items()}
