"""The problems of Moré, Garbow and Hillstrom, for the tests of least squares.

J. J. Moré, B. S. Garbow and K. E. Hillstrom, Testing Unconstrained Optimization Software, ACM
Transactions on Mathematical Software 7 (1981), 17-41. Starts, sizes and minima are those of the
paper; where it leaves sizes open, they are those of its table of minima or 10 parameters. Minima
that are not in the paper are marked by `# found`: stationary points with a positive definite second
derivative, or limits that scipy reaches, too.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

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


def _numbers(text: str) -> Tensor:
    return torch.tensor([float(word) for word in text.split()], dtype=torch.float64)


def _count(last: int) -> Tensor:
    return torch.arange(1, last + 1, dtype=torch.float64)


BARD = _numbers("0.14 0.18 0.22 0.25 0.29 0.32 0.35 0.39 0.37 0.58 0.73 0.96 1.34 2.10 4.39")
GAUSSIAN = _numbers(
    "0.0009 0.0044 0.0175 0.0540 0.1295 0.2420 0.3521 0.3989 0.3521 0.2420 0.1295 0.0540 0.0175 "
    "0.0044 0.0009"
)
MEYER = _numbers(
    "34780 28610 23650 19630 16370 13720 11540 9744 8261 7030 6005 5147 4427 3820 3307 2872"
)
KOWALIK_Y = _numbers("0.1957 0.1947 0.1735 0.1600 0.0844 0.0627 0.0456 0.0342 0.0323 0.0235 0.0246")
KOWALIK_U = _numbers("4 2 1 0.5 0.25 0.167 0.125 0.1 0.0833 0.0714 0.0625")
OSBORNE_1 = _numbers(
    "0.844 0.908 0.932 0.936 0.925 0.908 0.881 0.850 0.818 0.784 0.751 0.718 0.685 0.658 0.628 "
    "0.603 0.580 0.558 0.538 0.522 0.506 0.490 0.478 0.467 0.457 0.448 0.438 0.431 0.424 0.420 "
    "0.414 0.411 0.406"
)
OSBORNE_2 = _numbers(
    "1.366 1.191 1.112 1.013 0.991 0.885 0.831 0.847 0.786 0.725 0.746 0.679 0.608 0.655 0.616 "
    "0.606 0.602 0.626 0.651 0.724 0.649 0.649 0.694 0.644 0.624 0.661 0.612 0.558 0.533 0.495 "
    "0.500 0.423 0.395 0.375 0.372 0.391 0.396 0.405 0.428 0.429 0.523 0.562 0.607 0.653 0.672 "
    "0.708 0.633 0.668 0.645 0.632 0.591 0.559 0.597 0.625 0.739 0.710 0.729 0.720 0.636 0.581 "
    "0.428 0.292 0.162 0.098 0.054"
)


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
    return _numbers("1.5 2.25 2.625") - x[0] * (1 - x[1] ** _count(3))


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


def _single(residual, start, rows: int, value: float, x=None) -> Problem:
    return Problem(residual, tuple(start), rows, (Minimum(value, x),))


_GRID = tuple(j / 11 * (j / 11 - 1) for j in range(1, 11))
_KOWALIK = (0.1928069, 0.1912823, 0.1230565, 0.1360623)
_TRIGONOMETRIC = (
    (
        0.055151,
        0.056841,
        0.058764,
        0.060991,
        0.063626,
        0.066843,
        0.208162,
        0.164363,
        0.085007,
        0.091431,
    ),
    (
        0.053913,
        0.055497,
        0.057286,
        0.059337,
        0.061730,
        0.257886,
        0.068114,
        0.072623,
        0.078462,
        0.083754,
    ),
)

PROBLEMS = {
    "rosenbrock": _single(rosenbrock, (-1.2, 1.0), 2, 0.0, (1.0, 1.0)),
    "freudenstein_roth": Problem(
        freudenstein_roth,
        (0.5, -2.0),
        2,
        (Minimum(0.0, (5.0, 4.0)), Minimum(48.9842, (11.4128, -0.896805))),
    ),
    "powell_badly_scaled": _single(powell_badly_scaled, (0.0, 1.0), 2, 0.0, (1.09816e-5, 9.10615)),
    "brown_badly_scaled": _single(brown_badly_scaled, (1.0, 1.0), 3, 0.0, (1e6, 2e-6)),
    "beale": Problem(
        beale,
        (1.0, 1.0),
        3,
        # found: x_2 tends to 1
        (Minimum(0.0, (3.0, 0.5)), Minimum(0.452009, far=True)),
    ),
    "jennrich_sampson": Problem(
        jennrich_sampson,
        (0.3, 0.4),
        10,
        # found: x_1 tends to -inf
        (Minimum(124.362, (0.257825, 0.257825)), Minimum(259.580, far=True)),
    ),
    "helical_valley": _single(helical_valley, (-1.0, 0.0, 0.0), 3, 0.0, (1.0, 0.0, 0.0)),
    "bard": Problem(
        bard,
        (1.0, 1.0, 1.0),
        15,
        (Minimum(8.21487e-3, (0.0824106, 1.13304, 2.34370)), Minimum(17.4287, far=True)),
    ),
    "gaussian": _single(gaussian, (0.4, 1.0, 0.0), 15, 1.12793e-8),
    "meyer": _single(meyer, (0.02, 4000.0, 250.0), 16, 87.9458),
    "gulf": _single(gulf, (5.0, 2.5, 0.15), 99, 0.0, (50.0, 25.0, 1.5)),
    # At (1, 10, 1), (10, 1, -1) and wherever x_1 = x_2, x_3 = 0; found: x_2 tends to inf.
    "box": Problem(box, (0.0, 10.0, 20.0), 10, (Minimum(0.0), Minimum(0.0755887, far=True))),
    "powell_singular": _single(powell_singular, (3.0, -1.0, 0.0, 1.0), 4, 0.0, (0.0,) * 4),
    "wood": _single(wood, (-3.0, -1.0, -3.0, -1.0), 6, 0.0, (1.0,) * 4),
    "kowalik_osborne": Problem(
        kowalik_osborne,
        (0.25, 0.39, 0.415, 0.39),
        11,
        (
            Minimum(3.07505e-4, _KOWALIK),
            Minimum(1.02734e-3, far=True),
            Minimum(4.23675e-4, (0.2253564, -0.4147538, -0.0244527, -0.1779697)),  # found
            Minimum(1.59435e-3, (0.2339237, -1.292283, -0.8358332, -0.5506774)),  # found
        ),
    ),
    "brown_dennis": _single(brown_dennis, (25.0, 5.0, -5.0, -1.0), 20, 85822.2),
    "osborne_1": _single(osborne_1, (0.5, 1.5, -1.0, 0.01, 0.02), 33, 5.46489e-5),
    "biggs_exp6": Problem(
        biggs_exp6,
        (1.0, 2.0, 1.0, 1.0, 1.0, 1.0),
        13,
        # found: the 0, as the data are such a sum of three terms
        (Minimum(5.65565e-3), Minimum(0.0)),
    ),
    "osborne_2": Problem(
        osborne_2,
        (1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5),
        65,
        # found: all three peaks lie beyond the data
        (Minimum(4.01377e-2), Minimum(1.78981, far=True)),
    ),
    "watson_6": _single(watson, (0.0,) * 6, 31, 2.28767e-3),
    "watson_12": _single(watson, (0.0,) * 12, 31, 4.72238e-10),
    "extended_rosenbrock": _single(rosenbrock, (-1.2, 1.0) * 10, 20, 0.0, (1.0,) * 20),
    "penalty_1": _single(penalty_1, range(1, 11), 11, 7.08765e-5),
    "penalty_2": _single(penalty_2, (0.5,) * 10, 20, 2.93660e-4),
    "variably_dimensioned": _single(
        variably_dimensioned, (1 - j / 10 for j in range(1, 11)), 12, 0.0, (1.0,) * 10
    ),
    "trigonometric": Problem(
        trigonometric,
        (0.1,) * 10,
        10,
        (
            Minimum(0.0),
            Minimum(2.79506e-5, _TRIGONOMETRIC[0]),  # found
            Minimum(4.21863e-5, _TRIGONOMETRIC[1]),  # found
        ),
    ),
    # At (a, ..., a, a^-9) for two values of a, one of them 1; at (0, ..., 0, 11), but very flat.
    "brown_almost_linear": Problem(
        brown_almost_linear, (0.5,) * 10, 10, (Minimum(0.0), Minimum(1.0))
    ),
    "boundary_value": _single(boundary_value, _GRID, 10, 0.0),
    "integral_equation": _single(integral_equation, _GRID, 10, 0.0),
    "broyden_tridiagonal": _single(broyden_tridiagonal, (-1.0,) * 10, 10, 0.0),
    "broyden_banded": _single(broyden_banded, (-1.0,) * 10, 10, 0.0),
    "linear_full_rank": _single(linear_full_rank, (1.0,) * 10, 20, 10.0, (-1.0,) * 10),
    # m (m - 1) / (2 (2 m + 1)) and (m^2 + 3 m - 6) / (2 (2 m - 3)), wherever one sum has its value.
    "linear_rank_1": _single(linear_rank_1, (1.0,) * 10, 20, 190 / 41),
    "linear_rank_1_zeros": _single(linear_rank_1_zeros, (1.0,) * 10, 20, 227 / 37),
    "chebyquad_8": _single(chebyquad, (j / 9 for j in range(1, 9)), 8, 3.51687e-3),
    "chebyquad_10": _single(chebyquad, (j / 11 for j in range(1, 11)), 10, 6.50395e-3),
}
