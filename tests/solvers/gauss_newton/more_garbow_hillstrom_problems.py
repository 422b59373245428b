"""The problems of Moré, Garbow and Hillstrom, for the tests of least squares.

J. J. Moré, B. S. Garbow and K. E. Hillstrom, Testing Unconstrained Optimization Software, ACM
Transactions on Mathematical Software 7 (1981), 17-41. Starts, sizes and minima are those of the
paper, in `data/more_garbow_hillstrom.json`; where it leaves sizes open, they are those of its table
of minima or 10 parameters. Minima that are not in the paper are marked as `found`: stationary
points with a positive definite second derivative, or limits that scipy reaches, too.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor


@dataclass(frozen=True)
class Minimum:
    """A local minimum: the sum of squares, and where it is if that is one finite point.

    One that is `far` is only approached as some parameters grow without limit.
    """

    value: float
    x: tuple[float, ...] | None = None
    far: bool = False


@dataclass(frozen=True)
class Problem:
    residual: Callable[[Tensor], Tensor]
    start: tuple[float, ...]
    rows: int
    minima: tuple[Minimum, ...]

    def at(self, factor: float) -> Tensor:
        """Return a multiple of the standard start; as in MINPACK, of ones where that is zero."""
        start = torch.tensor(self.start, dtype=torch.float64)
        return factor * start if factor == 1 or start.any() else torch.full_like(start, factor)


def _count(last: int) -> Tensor:
    return torch.arange(1, last + 1, dtype=torch.float64)


_TABLE = json.loads(
    (Path(__file__).parent / "data" / "more_garbow_hillstrom.json").read_text("utf-8")
)


def _observed(name: str, key: str = "y") -> Tensor:
    return torch.tensor(_TABLE[name][key], dtype=torch.float64)


BARD = _observed("bard")
GAUSSIAN = _observed("gaussian")
MEYER = _observed("meyer")
KOWALIK_Y, KOWALIK_U = _observed("kowalik_osborne"), _observed("kowalik_osborne", "u")
OSBORNE_1 = _observed("osborne_1")
OSBORNE_2 = _observed("osborne_2")


def rosenbrock(x):
    return torch.stack([10 * (x[1::2] - x[::2] ** 2), 1 - x[::2]], 1).flatten()


def freudenstein_roth(x):
    a, b = x
    return torch.stack([-13 + a + ((5 - b) * b - 2) * b, -29 + a + ((b + 1) * b - 14) * b])


def powell_badly_scaled(x):
    return torch.stack([1e4 * x[0] * x[1] - 1, torch.exp(-x).sum() - 1.0001])


def brown_badly_scaled(x):
    return torch.stack([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2])


def beale(x):
    return torch.tensor([1.5, 2.25, 2.625], dtype=torch.float64) - x[0] * (1 - x[1] ** _count(3))


def jennrich_sampson(x):
    i = _count(10)
    return 2 + 2 * i - torch.exp(i * x[0]) - torch.exp(i * x[1])


def helical_valley(x):
    turn = torch.atan(x[1] / x[0]) / (2 * math.pi) + torch.where(x[0] < 0, 0.5, 0.0)
    return torch.stack([10 * (x[2] - 10 * turn), 10 * (torch.hypot(x[0], x[1]) - 1), x[2]])


def bard(x):
    u, v = _count(15), 16 - _count(15)
    return BARD - (x[0] + u / (v * x[1] + torch.minimum(u, v) * x[2]))


def gaussian(x):
    t = (8 - _count(15)) / 2
    return x[0] * torch.exp(-x[1] * (t - x[2]) ** 2 / 2) - GAUSSIAN


def meyer(x):
    return x[0] * torch.exp(x[1] / (45 + 5 * _count(16) + x[2])) - MEYER


def gulf(x):
    t = _count(99) / 100
    y = 25 + (-50 * torch.log(t)) ** (2 / 3)
    return torch.exp(-((y - x[1]).abs() ** x[2]) / x[0]) - t


def box(x):
    t = _count(10) / 10
    return torch.exp(-t * x[0]) - torch.exp(-t * x[1]) - x[2] * (torch.exp(-t) - torch.exp(-10 * t))


def powell_singular(x):
    a, b, c, d = x
    rows = [a + 10 * b, 5**0.5 * (c - d), (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2]
    return torch.stack(rows)


def wood(x):
    a, b, c, d = x
    return torch.stack(
        [
            10 * (b - a**2),
            1 - a,
            90**0.5 * (d - c**2),
            1 - c,
            10**0.5 * (b + d - 2),
            (b - d) / 10**0.5,
        ]
    )


def kowalik_osborne(x):
    u = KOWALIK_U
    return KOWALIK_Y - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])


def brown_dennis(x):
    t = _count(20) / 5
    return (x[0] + t * x[1] - torch.exp(t)) ** 2 + (x[2] + x[3] * torch.sin(t) - torch.cos(t)) ** 2


def osborne_1(x):
    t = 10 * (_count(33) - 1)
    return OSBORNE_1 - (x[0] + x[1] * torch.exp(-t * x[3]) + x[2] * torch.exp(-t * x[4]))


def biggs_exp6(x):
    t = _count(13) / 10
    y = torch.exp(-t) - 5 * torch.exp(-10 * t) + 3 * torch.exp(-4 * t)
    model = x[2] * torch.exp(-t * x[0]) - x[3] * torch.exp(-t * x[1]) + x[5] * torch.exp(-t * x[4])
    return model - y


def osborne_2(x):
    t = (_count(65) - 1)[:, None] / 10
    peaks = x[1:4] * torch.exp(-((t - x[8:]) ** 2) * x[5:8])
    return OSBORNE_2 - (x[0] * torch.exp(-t[:, 0] * x[4]) + peaks.sum(1))


def watson(x):
    powers = (_count(29) / 29)[:, None] ** (_count(x.numel()) - 1)
    slope = powers[:, :-1] @ (_count(x.numel() - 1) * x[1:])
    ends = torch.stack([x[0], x[1] - x[0] ** 2 - 1])
    return torch.cat([slope - (powers @ x) ** 2 - 1, ends])


def penalty_1(x):
    return torch.cat([1e-5**0.5 * (x - 1), (x @ x - 0.25)[None]])


def penalty_2(x):
    n, root, e = x.numel(), 1e-5**0.5, torch.exp(x / 10)
    data = torch.exp(_count(n) / 10)
    sums = root * (e[1:] + e[:-1] - data[1:] - data[:-1])
    last = ((n + 1 - _count(n)) * x**2).sum() - 1
    return torch.cat([x[:1] - 0.2, sums, root * (e[1:] - math.exp(-0.1)), last[None]])


def variably_dimensioned(x):
    total = _count(x.numel()) @ (x - 1)
    return torch.cat([x - 1, total[None], total[None] ** 2])


def trigonometric(x):
    n = x.numel()
    return n - torch.cos(x).sum() + _count(n) * (1 - torch.cos(x)) - torch.sin(x)


def brown_almost_linear(x):
    return torch.cat([x[:-1] + x.sum() - (x.numel() + 1), (x.prod() - 1)[None]])


def boundary_value(x):
    h = 1 / (x.numel() + 1)
    t, wide = h * _count(x.numel()), torch.nn.functional.pad(x, (1, 1))
    return 2 * x - wide[:-2] - wide[2:] + h**2 * (x + t + 1) ** 3 / 2


def integral_equation(x):
    h = 1 / (x.numel() + 1)
    t = h * _count(x.numel())
    kernel = torch.minimum(t[:, None] * (1 - t), t * (1 - t[:, None]))
    return x + h * kernel @ (x + t + 1) ** 3 / 2


def broyden_tridiagonal(x):
    wide = torch.nn.functional.pad(x, (1, 1))
    return (3 - 2 * x) * x - wide[:-2] - 2 * wide[2:] + 1


def broyden_banded(x):
    ones = torch.ones(x.numel(), x.numel(), dtype=x.dtype)
    band = ones.tril(1).triu(-5) - torch.eye(x.numel(), dtype=x.dtype)
    return x * (2 + 5 * x**2) + 1 - band @ (x * (1 + x))


def linear_full_rank(x):
    return torch.nn.functional.pad(x, (0, 20 - x.numel())) - 2 / 20 * x.sum() - 1


def linear_rank_1(x):
    return _count(20) * (_count(x.numel()) @ x) - 1


def linear_rank_1_zeros(x):
    rows = torch.nn.functional.pad(_count(18), (1, 1))
    return rows * (_count(x.numel())[1:-1] @ x[1:-1]) - 1


def chebyquad(x):
    z, rows = 2 * x - 1, []
    before, now = torch.ones_like(z), z
    for i in range(1, x.numel() + 1):
        rows.append(now.mean() + (1 / (i * i - 1) if i % 2 == 0 else 0))
        before, now = now, 2 * z * now - before
    return torch.stack(rows)


def _minimum(value: float, x=None, far: bool = False, **_of_the_reader) -> Minimum:
    return Minimum(value, None if x is None else tuple(x), far)


def _problem(entry) -> Problem:
    minima = tuple(_minimum(**minimum) for minimum in entry["minima"])
    return Problem(globals()[entry["residual"]], tuple(entry["start"]), entry["rows"], minima)


PROBLEMS = {name: _problem(entry) for name, entry in _TABLE.items()}
