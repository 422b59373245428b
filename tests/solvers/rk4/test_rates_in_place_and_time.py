"""Right-hand sides that ask for positions and times: each stage gets its own time."""

import math

import pytest
import torch

from solvers.operators import GraphOperators, grid_graph
from solvers.rk4 import SemiDiscrete, integrate, rk4_step, stable_step

F64 = torch.float64


def forced(u, v, d, x, t):
    """u' = u cos t + x, v' = 2 t v: no space derivative, known in closed form but for u."""
    return u * torch.cos(t) + x[:, 0] * torch.exp(torch.sin(t)), 2.0 * t * v


def solution(x, t):
    """u = exp(sin t) (1 + x t), v = exp(t^2)."""
    u = math.exp(math.sin(t)) * (1.0 + x[:, 0] * t)
    return torch.stack([u, torch.full_like(u, math.exp(t * t))], 1)


@pytest.fixture
def system():
    graph = grid_graph([5], [0.0], [1.0], boundary="periodic")
    return SemiDiscrete(forced, GraphOperators.from_graph(graph))


def test_the_order_is_four(system):
    x = system.operators.pos
    errors = []
    for count in (8, 16, 32):
        end = integrate(system, solution(x, 0.0), 0.0, 1.0, 1.0 / count, limit=1.0)
        errors.append((end - solution(x, 1.0)).abs().max().item())
    assert math.log2(errors[0] / errors[1]) == pytest.approx(4.0, abs=0.2)
    assert math.log2(errors[1] / errors[2]) == pytest.approx(4.0, abs=0.2)


def test_each_node_has_its_own_time(system):
    x = system.operators.pos
    times = torch.linspace(0.0, 0.8, len(x), dtype=F64)
    start = torch.cat([solution(x[i : i + 1], t) for i, t in enumerate(times.tolist())])
    together = rk4_step(system, start, times, 0.1)
    alone = [rk4_step(system, start, t, 0.1)[i] for i, t in enumerate(times.tolist())]
    torch.testing.assert_close(together, torch.stack(alone), rtol=1e-14, atol=0)


def test_a_compiled_step_is_the_same(system):
    start = solution(system.operators.pos, 0.3)
    plain = rk4_step(system, start, 0.3, 0.1)
    torch.testing.assert_close(rk4_step(system, start, 0.3, 0.1, compile=True), plain)
    later = rk4_step(system, start, 0.4, 0.1, compile=True)  # another time, the same code
    torch.testing.assert_close(later, rk4_step(system, start, 0.4, 0.1))


def test_the_stable_step_is_that_of_the_coefficients_there():
    graph = grid_graph([40], [0.0], [1.0], boundary="periodic")
    operators = GraphOperators.from_graph(graph)

    def spread(u, v, d, x, t):
        strength = 1.0 + x[:, 0]  # between 1 and 2
        return strength * d.laplacian(u), d.laplacian(v)

    own = SemiDiscrete(spread, operators)
    even = SemiDiscrete(lambda u, v, d: (2.0 * d.laplacian(u), d.laplacian(v)), operators)
    state = torch.ones(40, 2, dtype=F64)
    assert 1.0 < stable_step(own, state) / stable_step(even, state) < 1.1


def test_a_default_does_not_count_as_asked_for():
    graph = grid_graph([4], [0.0], [1.0], boundary="periodic")
    operators = GraphOperators.from_graph(graph)

    def rhs(u, v, d, rate=3.0, other=0.0):
        return rate * u + other, v

    state = torch.ones(4, 2, dtype=F64)
    assert SemiDiscrete(rhs, operators)(0.0, state)[0].tolist() == [3.0, 1.0]
