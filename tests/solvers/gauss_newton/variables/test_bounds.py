"""Bounds: the minima of scipy, no look outside, and parameters exactly at their bounds."""

import itertools
import math

import numpy as np
import pytest
import scipy.optimize
import torch

from solvers.gauss_newton import Status, least_squares
from solvers.gauss_newton.residual_functions import DifferenceProblem
from solvers.gauss_newton.variables.bounds import Box
from tests.pairs import pairwise
from tests.solvers.gauss_newton.nist_problems import PROBLEMS

INF = math.inf
WAYS = {
    "default": {},
    "gauss_newton": {"method": "gauss_newton"},
    "target": {"damping": "target"},
    "gain_ratio": {"damping": "gain_ratio"},
    "dual": {"solver": "dual"},
    "matrix_free": {"solver": "matrix_free"},
    "2-point": {"jac": "2-point"},
    "3-point": {"jac": "3-point"},
}


def vector(values):
    return torch.tensor(values, dtype=torch.float64)


def noise(rows, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, generator=generator, dtype=torch.float64)


def valley(x):
    """Rosenbrock's, with its minimum at (1, 1)."""
    return torch.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])


T = torch.linspace(0, 6, 45, dtype=torch.float64)
DECAY = 1.3 * torch.exp(-0.5 * T) - 0.06 + 0.015 * noise(45, 1)


def decay(p):
    """Without bounds, the offset that fits best is negative."""
    return p[0] * torch.exp(-p[1] * T) + p[2] - DECAY


MATRIX, RIGHT = noise(30 * 9, 2).reshape(30, 9), noise(30, 3)


def linear(x):
    return MATRIX @ x - RIGHT


# name: residual, start, bounds
CASES = {
    "valley, minimum inside": (valley, [-1.2, 1.0], ([-INF, -1.5], INF)),
    "valley, upper bound below it": (valley, [-1.2, 0.4], ([-INF, -INF], [INF, 0.7])),
    "valley, lower bound above it": (valley, [2.5, 1.0], ([1.3, -INF], INF)),
    "valley, left of it": (valley, [-1.2, 1.0], ([-2.0, -1.0], [0.4, 3.0])),
    "valley, from a corner": (valley, [1.1, 4.0], ([1.1, -2.0], [3.0, 4.0])),
    "decay, positive": (decay, [1.0, 1.0, 0.1], ([0.0, 0.0, 0.0], INF)),
    "decay, slow": (decay, [1.0, 0.3, 0.0], (-5.0, [5.0, 0.4, 5.0])),
    "decay, start at bounds": (decay, [0.0, 0.2, 0.0], ([0.0, 0.2, 0.0], 3.0)),
    "linear, not negative": (linear, [1.0] * 9, (0.0, INF)),
    "linear, from 0": (linear, [0.0] * 9, (0.0, INF)),
    "linear, in a small box": (linear, [0.05] * 9, (0.0, 0.1)),
}


def scipys(residual, start, bounds, **options):
    """Return scipy's solution with tight tolerances."""
    jacobian = torch.func.jacrev(residual)
    tight = dict.fromkeys(("ftol", "xtol", "gtol"), 1e-14)
    return scipy.optimize.least_squares(
        lambda x: residual(torch.from_numpy(x)).numpy(),
        start,
        lambda x: jacobian(torch.from_numpy(x)).numpy(),
        bounds=bounds,
        x_scale="jac",
        **tight,
        **options,
    )


def watched(residual, box):
    """Refuse points outside of the box."""

    def call(x):
        with torch.no_grad():
            assert bool(((x >= box.lower) & (x <= box.upper)).all()), f"outside: {x}"
        return residual(x)

    return call


# ---- minima -------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CASES)
def test_the_minimum_of_scipy_without_a_look_outside(name, way):
    residual, start, bounds = CASES[name]
    box = Box.of(bounds, vector(start))
    fit = least_squares(watched(residual, box), start, bounds=bounds, **WAYS[way])
    peer = scipys(residual, start, bounds)
    assert fit.success, fit.message
    assert fit.cost == pytest.approx(peer.cost, rel=1e-6, abs=1e-14)
    torch.testing.assert_close(fit.x, torch.from_numpy(peer.x), rtol=2e-3, atol=1e-4)
    at = (fit.x == box.upper).int() - (fit.x == box.lower).int()
    assert fit.active_mask.tolist() == at.tolist() == peer.active_mask.tolist()


@pytest.mark.parametrize("loss", ["soft_l1", "cauchy"])
def test_robust_losses(loss):
    def residual(p):
        return torch.where(T > 5.5, decay(p) + 1.0, decay(p))

    bounds = ([0.0, 0.0, 0.0], [5.0, 5.0, 5.0])
    options = {"loss": loss, "f_scale": 0.05}
    fit = least_squares(residual, [1.0, 1.0, 0.1], bounds=bounds, **options)
    peer = scipys(residual, [1.0, 1.0, 0.1], bounds, **options)
    assert fit.success and fit.cost == pytest.approx(peer.cost, rel=1e-6)
    assert fit.active_mask.tolist() == [0, 0, -1]


@pytest.mark.parametrize("name", ["MGH09", "Thurber", "Misra1a", "Nelson"])
@pytest.mark.parametrize("start", [1, 2])
def test_bounds_around_a_certified_minimum_do_not_matter(name, start):
    problem = PROBLEMS[name]
    first = problem.starts[start - 1]
    low, high = torch.minimum(first, problem.certified), torch.maximum(first, problem.certified)
    bounds = low - 0.1 * low.abs(), high + 0.1 * high.abs()
    fit = least_squares(problem.residual, first, bounds=bounds)
    assert fit.success and not fit.active_mask.any()
    assert 2 * fit.cost == pytest.approx(problem.sum_of_squares, rel=1e-6)


def test_an_amplitude_at_its_bound_needs_no_rate():
    """There the rate has no effect, and none elsewhere, as the bound holds the amplitude."""
    rise = 1 - 0.5 * torch.exp(-T) + 0.01 * noise(45, 4)
    fit = least_squares(
        lambda p: p[0] * torch.exp(-p[1] * T) + p[2] - rise, [1.0, 1.0, 0.0], bounds=(0.0, 10.0)
    )
    assert fit.success and fit.x[0] == 0 and fit.active_mask[0] == -1
    assert fit.x[2] == pytest.approx(float(rise.mean()), rel=1e-8)


def test_a_bound_makes_a_minimum_of_a_plateau():
    """Beyond a rate of 100 an exponential is over before the first observation."""
    late = T[T > 0.5]
    data = 0.4 + 0.01 * noise(len(late), 5)
    fit = least_squares(
        lambda p: torch.exp(-p[0] * late) + p[1] - data, [1.0, 0.0], bounds=(0.0, [5.0, 1.0])
    )
    assert fit.success and fit.active_mask.tolist() == [1, 0]


@pytest.mark.parametrize("unit", [1e-160, 1e-30, 1e30])
def test_units_do_not_matter(unit):
    fit = least_squares(
        lambda x: unit * valley(x / unit),
        vector([-1.2, 0.4]) * unit,
        bounds=(vector([-2, -1]) * unit, vector([2, 0.7]) * unit),
    )
    peer = least_squares(valley, [-1.2, 0.4], bounds=([-2, -1], [2, 0.7]))
    assert fit.success
    torch.testing.assert_close(fit.x / unit, peer.x, rtol=1e-6, atol=0)


def test_float32():
    start = torch.tensor([-1.2, 0.4])
    fit = least_squares(valley, start, bounds=(-2, [3, 0.7]))
    assert fit.success and fit.x.dtype == torch.float32 and fit.active_mask.tolist() == [0, 1]
    assert fit.x.tolist() == pytest.approx([math.sqrt(0.7), 0.7], rel=1e-2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("way", ["default", "dual", "matrix_free"])
def test_on_a_gpu(way):
    def residual(x):
        return torch.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])

    start = torch.tensor([-1.2, 0.4], dtype=torch.float64, device="cuda")
    fit = least_squares(residual, start, bounds=(-2, [3, 0.7]), **WAYS[way])
    assert fit.success and fit.x.device.type == "cuda" and fit.active_mask.tolist() == [0, 1]


@pytest.mark.parametrize(
    "bounds", [(-INF, INF), ([-INF, -INF], INF), (-1e30, 1e30), scipy.optimize.Bounds()]
)
def test_bounds_far_away_change_no_bit(bounds):
    fit, free = (least_squares(valley, [-1.2, 1.0], **kw) for kw in ({"bounds": bounds}, {}))
    assert torch.equal(fit.x, free.x) and fit.nfev == free.nfev
    assert fit.history[-1]["cost"] == free.history[-1]["cost"]
    assert fit.active_mask.tolist() == [0, 0]


def test_a_parameter_without_effect_stays_where_it_is():
    fit = least_squares(lambda x: valley(x) + 0 * x[2], [-1.2, 0.4, 3.0], bounds=([-5, -5, 0], INF))
    assert fit.success and fit.x[2] == 3.0
    assert math.isfinite(fit.history[0]["optimality"])


# ---- what it says -------------------------------------------------------------------------------


def test_the_optimality_knows_how_far_the_bound_is():
    def residual(x):
        return torch.stack([3 * x[0] + 4, x[1] - 2])

    options = {"max_nfev": 0, "bounds": ([0.0, 0.0], INF)}
    assert least_squares(residual, [1.0, 2.0], **options).optimality == 3.0  # 3 times a way of 1
    assert least_squares(residual, [9.0, 2.0], **options).optimality == 27.0
    assert least_squares(residual, [9.0, 2.0], max_nfev=0).optimality == 31.0
    fit = least_squares(residual, [0.0, 2.0], bounds=([0.0, 0.0], INF))
    assert fit.status is Status.GTOL and fit.optimality == 0 and not fit.history


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        ((0.0, [1.0, 0.5]), "`x0` must lie within `bounds`, got 0.7 for parameter 1, outside"),
        (([0.8, 0.0], INF), "got 0.5 for parameter 0, outside [0.8, inf]"),
        (([0.0, 1.0], [1.0, 1.0]), "below the upper one, got 1.0 and 1.0 for parameter 1"),
        ((2.0, 1.0), "below the upper one, got 2.0 and 1.0 for parameter 0"),
        (([0.0, 0.0, 0.0], 1.0), "have 2 of them, one a parameter, got shape [3] as the lower"),
        ((math.nan, 1.0), "must not be NaN, got NaN in the lower"),
        ((0.0, [1.0, math.nan]), "must not be NaN, got NaN in the upper"),
        (0.0, "must be (lower, upper) or an object with `lb` and `ub`, got 0.0"),
        ((0.0,), "must be (lower, upper)"),
        (None, "must be (lower, upper)"),
        (("a", 1.0), "must be numbers, got 'a' as the lower"),
        (([0.0, None], 1.0), "must be numbers, got [0.0, None] as the lower"),
    ],
)
def test_refused(bounds, sentence):
    with pytest.raises(ValueError, match="bounds") as error:
        least_squares(valley, [0.5, 0.7], bounds=bounds)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    "bounds",
    [
        ([-1, 0], [1, 1]),
        [(-1.0, 0.0), (1.0, 1.0)],
        np.array([[-1.0, 0.0], [1.0, 1.0]]),
        (torch.tensor([-1.0, 0.0]), 1),
        scipy.optimize.Bounds([-1, 0], [1, 1]),
        scipy.optimize.Bounds([-1, 0], 1),
    ],
)
def test_bounds_in_every_form(bounds):
    box = Box.of(bounds, vector([0.0, 0.5]))
    assert (box.lower.tolist(), box.upper.tolist()) == ([-1.0, 0.0], [1.0, 1.0])


# ---- the box ------------------------------------------------------------------------------------


def test_the_first_bound_on_the_way_is_met_exactly():
    box = Box(vector([0.0, -INF, 0.1]), vector([1.0, INF, 0.7]))
    part, point = box.first_bound(vector([0.3, 5.0, 0.4]), vector([-0.1, 7.0, 1.0]))
    assert part == pytest.approx(0.3) and point[2] == 0.7
    assert point.tolist() == pytest.approx([0.27, 7.1, 0.7])


@pytest.mark.parametrize("central", [False, True])
@pytest.mark.parametrize(("low", "high"), [(2.0, INF), (-INF, 2.0), (2.0, 2.00003), (1.9999, 2.0)])
def test_differences_stay_inside(central, low, high):
    x = vector([2.0])
    box = Box(vector([low]), vector([high]))
    problem = DifferenceProblem(watched(torch.exp, box), x, central, None, box)
    residual, jacobian = problem.linearize(x)
    error = abs(float(jacobian / residual) - 1)
    assert error < (1e-9 if central else 1e-7)


def rooted(offset, library=torch):
    """Return rows with an infinite derivative at x0 = 0, where the minimum is for offset > 0."""

    def rows(x):
        return library.stack([library.sqrt(x[0]) + offset, x[1] - 3, x[0] + x[1] - 4])

    return rows


@pytest.mark.parametrize(
    ("offset", "start", "way"),
    pairwise(
        itertools.product(
            [1.0, -0.5],
            [[1.0, 1.0], [0.0, 1.0], [0.0, 3.5]],
            [way for way in WAYS if "point" not in way],
        )
    ),
)
def test_a_bound_with_an_infinite_derivative(offset, start, way):
    found = least_squares(rooted(offset), vector(start), bounds=(0, INF), **WAYS[way])
    inner = np.maximum(start, 1e-6)
    tight = {"xtol": 1e-14, "ftol": 1e-14, "gtol": 1e-14}
    wanted = scipy.optimize.least_squares(rooted(offset, np), inner, bounds=(0, INF), **tight)
    np.testing.assert_allclose(found.x.numpy(), wanted.x, rtol=1e-5, atol=1e-12)
    assert found.active_mask.tolist() == wanted.active_mask.tolist() == [-(offset > 0), 0]
    assert found.success


def test_a_point_inside_is_near_and_within_narrow_boxes_and_far_from_zero():
    low, high = vector([0.0, 5e8, -1.0, 0.0]), vector([INF, 6e8, -1.0 + 1e-12, 1e-9])
    box = Box(low, high)
    for x in (low, torch.where(high.isfinite(), high, 1.0)):
        near, at = box.inside(x), box.active(x) != 0
        assert bool(((near > low) & (near < high))[at].all()) and torch.equal(near[~at], x[~at])
        assert float((near - x).abs().div(x.abs().clamp(min=1.0)).max()) < 1e-11
    assert box.inside(vector([1.0, 5.5e8, -1.0 + 5e-13, 1e-10])) is None
