"""Methods as data: order, checks, stability regions, measured order of each."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from solvers.rk4 import (
    HEUN,
    RK4,
    THREE_EIGHTHS,
    Tableau,
    integrate,
    rk4_step,
    runge_kutta_step,
    tableaus,
)
from tests.solvers.node_sets import slope

METHODS = [tableaus.find(name) for name in tableaus.names()]
every = pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)


@every
def test_measured_order_is_the_stated_one(method):
    def rates(t, state):
        u, v = state.unbind(1)
        return torch.stack([v * math.cos(t) - u, -u * u + 0.5 * v], 1)

    start = torch.tensor([[1.0, 0.5], [0.2, -0.3]], dtype=torch.float64)
    exact = solve_ivp(
        lambda t, y: rates(t, torch.from_numpy(y).view(2, 2)).numpy().ravel(),
        (0.0, 1.0),
        start.numpy().ravel(),
        method="DOP853",
        rtol=1e-12,
        atol=1e-13,
    ).y[:, -1]
    counts = [8, 12, 16, 24, 32]
    errors = [
        np.abs(
            integrate(rates, start, 0.0, 1.0, 1 / n, method=method, limit=math.inf).numpy().ravel()
            - exact
        ).max()
        for n in counts
    ]
    assert slope([1 / n for n in counts], errors) == pytest.approx(method.order(), abs=0.2)


@every
def test_a_step_of_a_linear_system_is_the_stability_polynomial(method):
    turn = torch.tensor([[-0.4, 0.3], [-0.3, -0.4]], dtype=torch.float64)
    state = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    got = runge_kutta_step(lambda t, s: s @ turn, state, 0.0, 1.0, method=method)
    order, series, term = method.order(), torch.zeros(2, 2), torch.eye(2, dtype=torch.float64)
    for k in range(order + 1):  # all three have as many stages as their order
        series = series + term
        term = term @ turn / (k + 1)
    torch.testing.assert_close(got, state @ series)
    assert np.abs(expm(turn.numpy()) - series.numpy()).max() < 0.1


def test_known_orders_and_limits():
    assert (RK4.order(), THREE_EIGHTHS.order(), HEUN.order()) == (4, 4, 2)
    assert RK4.stability_limit() == pytest.approx(2.785293563, abs=1e-8)
    assert THREE_EIGHTHS.stability_limit() == pytest.approx(RK4.stability_limit(), abs=1e-8)
    assert HEUN.stability_limit() == pytest.approx(2.0, abs=1e-8)
    assert HEUN.stability_limit(math.pi / 2) == 0.0
    assert RK4.stability_limit(math.pi / 2) == pytest.approx(2.6156, abs=1e-3)
    assert RK4.stability_limit(-2.0) == RK4.stability_limit(math.pi - 2.0)
    assert RK4.stability_limit(0.0) == RK4.stability_limit()
    assert RK4.c == (0, 0.5, 0.5, 1) and HEUN.stages == 2


def test_other_methods_join_as_data():
    euler = Tableau("euler", a=((),), b=(1,))
    kutta = Tableau("kutta3", a=((), (1 / 2,), (-1, 2)), b=(1 / 6, 2 / 3, 1 / 6))
    assert (euler.order(), kutta.order()) == (1, 3)
    assert euler.stability_limit() == pytest.approx(2.0)
    state = torch.ones(2, 2, dtype=torch.float64)
    assert runge_kutta_step(lambda t, s: s, state, 0.0, 1.0, method=euler)[0, 0] == 2.0


def test_rk4_step_is_the_textbook_formula():
    def f(t, s):
        return s * t - s.flip(1)

    y = torch.tensor([[1.0, -0.5]], dtype=torch.float64)
    t, h = 0.3, 0.2
    k1 = f(t, y)
    k2 = f(t + h / 2, y + h / 2 * k1)
    k3 = f(t + h / 2, y + h / 2 * k2)
    k4 = f(t + h, y + h * k3)
    expected = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    torch.testing.assert_close(rk4_step(f, y, t, h), expected, rtol=1e-15, atol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Tableau("x", a=((), ()), b=(1, 0)), r"lengths 0, 1, 2, …, got \[0, 0\]"),
        (lambda: Tableau("x", a=(), b=()), r"lengths 0, 1, 2, …, got \[\]"),
        (lambda: Tableau("x", a=((), (1,)), b=(1,)), "one weight a stage, 2, got 1"),
        (lambda: Tableau("x", a=((), (1,)), b=(1, 1)), "sum 1 for a consistent method, got 2.0"),
        (lambda: tableaus.find("rk5"), "heun, rk4, three_eighths, got 'rk5'"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
