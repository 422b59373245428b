"""RK4 on graphs: measured order against trusted solvers, stability, batches, refusals."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from torch_geometric.data import Batch

import solvers
from solvers.operators import GraphOperators, grid_graph
from solvers.rk4 import (
    NonFiniteStateError,
    SemiDiscrete,
    integrate,
    mismatch,
    rk4_step,
    stable_step,
    substeps,
)
from tests.solvers.node_sets import slope

torch.set_num_threads(1)


def ops(*args, **kwargs) -> GraphOperators:
    return GraphOperators.from_graph(grid_graph(*args, **kwargs))


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def brusselator(u, v, d):
    return u * u * v - 2 * u + 0.25 * d.laplacian(u), u - u * u * v + 0.25 * d.laplacian(v)


def moving_data(x, t):
    phase = x.sum(1) + 2 * t
    return torch.stack([1 + 0.3 * phase.sin(), 1 + 0.2 * phase.cos()], 1)


def moving_start(pos, time=0.0):
    return moving_data(pos, torch.full_like(pos[:, 0], time))


def decay(time, state):
    return -state


def test_marker():
    assert solvers.MARKER == "pinn_ext.solvers"


def test_order_four_against_the_matrix_exponential():
    d = ops([12], [0.0], [1.0])
    system = SemiDiscrete(
        lambda u, v, d: (
            0.02 * d.laplacian(u) + 3 * v + d.gradient(u)[0],
            0.01 * d.laplacian(v) - 2 * u - v,
        ),
        d,
    )
    start, counts = normal(12, 2), [16, 32, 64, 128]
    columns = [system(0.0, unit.view(12, 2)) for unit in torch.eye(24, dtype=torch.float64)]
    matrix = torch.stack([column.flatten() for column in columns], 1).numpy()
    exact = (expm(matrix) @ start.flatten().numpy()).reshape(12, 2)
    errors = [
        np.abs(integrate(system, start, 0.0, 1.0, 1.0 / n, limit=math.inf).numpy() - exact).max()
        for n in counts
    ]
    assert slope([1 / n for n in counts], errors) == pytest.approx(4.0, abs=0.2)


def test_order_four_with_moving_boundary_data():
    d = ops([10], [0.0], [2.0], boundary="dirichlet")
    system = SemiDiscrete(brusselator, d, moving_data)
    x, h = np.linspace(0.0, 2.0, 10), 2.0 / 9.0

    def data(t):
        return 1 + 0.3 * np.sin(x + 2 * t), 1 + 0.2 * np.cos(x + 2 * t)

    def rates(t, inner):
        u, v = data(t)
        u[1:-1], v[1:-1] = inner[:8], inner[8:]
        lap_u, lap_v = ((f[2:] - 2 * f[1:-1] + f[:-2]) / h**2 for f in (u, v))
        u, v = u[1:-1], v[1:-1]
        return np.concatenate([u * u * v - 2 * u + 0.25 * lap_u, u - u * u * v + 0.25 * lap_v])

    first = np.concatenate([field[1:-1] for field in data(0.0)])
    exact = solve_ivp(rates, (0.0, 0.5), first, method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    counts, errors = [16, 24, 32, 48, 64], []
    for n in counts:
        got = integrate(
            system,
            moving_start(d.pos),
            0.0,
            0.5,
            0.5 / n,
            constrain=system.constrain,
            limit=math.inf,
        ).numpy()
        errors.append(np.abs(got[1:-1].T.flatten() - exact).max())
        np.testing.assert_allclose(got[[0, -1]], np.stack(data(0.5), 1)[[0, -1]], rtol=1e-15)
    assert slope([1 / n for n in counts], errors) == pytest.approx(4.0, abs=0.2)
    assert errors[-1] < 1e-8


def test_boundary_data_come_at_each_stage_time():
    seen = []

    def constrain(time, state):
        seen.append(time)
        return state

    rk4_step(decay, normal(3, 2), 1.0, 0.5, constrain=constrain)
    assert seen == [1.0, 1.25, 1.25, 1.5, 1.5]


def test_state_is_not_modified():
    d = ops([5], [0.0], [1.0], boundary="dirichlet")
    system = SemiDiscrete(brusselator, d, moving_data)
    state = normal(5, 2)
    before = state.clone()
    result = integrate(system, state, 0.0, 0.02, 0.01, constrain=system.constrain)
    assert torch.equal(state, before) and not torch.equal(result, before)


def test_rates_are_zero_at_boundary_nodes_which_keep_their_values_without_data():
    d = ops([5], [0.0], [1.0], boundary="dirichlet")
    system = SemiDiscrete(brusselator, d)
    state = normal(5, 2)
    assert not system(0.0, state)[[0, -1]].any() and system(0.0, state)[1:-1].all()
    assert system.constrain(0.0, state) is state
    stepped = rk4_step(system, state, 0.0, 0.01, constrain=system.constrain)
    assert torch.equal(stepped[[0, -1]], state[[0, -1]])


def test_diffusion_keeps_mass():
    d = ops([6, 8], [0.0, 0.0], [1.0, 2.0])
    system = SemiDiscrete(lambda u, v, d: (d.laplacian(u), 0.1 * d.laplacian(v)), d)
    state = normal(48, 2)
    result = integrate(system, state, 0.0, 0.1, 0.01)
    torch.testing.assert_close(result.sum(0), state.sum(0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
def test_stable_step_of_a_grid_laplacian(boundary):
    d = ops([24, 16], [0.0, 0.0], [1.0, 1.0], boundary=boundary)
    system = SemiDiscrete(lambda u, v, d: (0.5 * d.laplacian(u), 0.1 * d.laplacian(v)), d)
    if boundary == "periodic":
        radius = 0.5 * 4 * (24**2 + 16**2)
    else:
        # Largest eigenvalue of a Dirichlet line: 4 / h^2 sin^2 of (n - 2) pi h / 2.
        sines = [n**2 * math.sin((n - 1) * math.pi / (2 * n)) ** 2 for n in (23, 15)]
        radius = 0.5 * 4 * sum(sines)
    known = 2.785 / radius
    step = stable_step(system, torch.zeros(24 * 16, 2, dtype=torch.float64))
    assert 0.97 * known < step < known
    start = normal(24 * 16, 2) * ~d.boundary_mask[:, None]
    sizes = []
    for size in (step, 1.04 * step):
        state = start
        for _ in range(500):
            state = rk4_step(system, state, 0.0, size)
        sizes.append(float(state.abs().max()))
    assert sizes[0] < float(start.abs().max()) and sizes[1] > 1e3


@pytest.mark.parametrize("angle", [95, 110, 123, 140, 155, 180])
def test_stable_step_holds_for_complex_eigenvalues(angle):
    a, b = 7 * math.cos(math.radians(angle)), 7 * math.sin(math.radians(angle))
    turn = torch.tensor([[a, b], [-b, a]], dtype=torch.float64)
    z = complex(a, b) * stable_step(lambda time, s: s @ turn, normal(3, 2))
    assert abs(1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24) < 1 and abs(z) > 2.5


def test_stable_step_depends_on_state_and_constrain_and_is_deterministic():
    def rates(time, state):
        return -(state**3)

    state = torch.full((4, 2), 2.0, dtype=torch.float64)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = stable_step(rates, state.requires_grad_())
    assert first == stable_step(rates, state)
    assert torch.equal(before, torch.random.get_rng_state())
    assert first == pytest.approx(0.98 * 2.785294 / 12, rel=1e-6)
    pinned = stable_step(rates, state, constrain=lambda time, s: s.detach() * 0 + s[:1] * 0.5)
    assert pinned > first
    with torch.no_grad():
        assert stable_step(rates, state) == first


def test_stable_step_of_a_zero_linearisation_is_infinite():
    assert stable_step(lambda time, s: torch.ones_like(s), normal(3, 2)) == math.inf
    assert stable_step(lambda time, s: 0.0 * s, normal(3, 2).float()) == math.inf
    with pytest.raises(NonFiniteStateError, match="linearisation"):
        stable_step(lambda time, s: s.sqrt(), torch.zeros(3, 2))


def test_integrate_takes_substeps_above_the_limit():
    times = []

    def rates(time, state):
        times.append(time)
        return -state * (1 + time)

    state = normal(3, 2)
    got = integrate(rates, state, 1.0, 1.5, 0.25, limit=0.1)
    assert len(times) == 4 * 2 * 3
    expected = state
    for k in range(6):
        expected = rk4_step(rates, expected, 1.0 + k * 0.25 / 3, 0.25 / 3)
    torch.testing.assert_close(got, expected, rtol=1e-14, atol=0)
    d = ops([16, 16], [0.0, 0.0], [1.0, 1.0])
    system = SemiDiscrete(lambda u, v, d: (d.laplacian(u), d.laplacian(v)), d)
    calm = integrate(system, normal(256, 2), 0.0, 2.0, 0.1)
    mean = calm.mean(0).expand(256, 2)
    torch.testing.assert_close(calm, mean, rtol=0, atol=1e-12)


def test_blow_up_is_reported():
    state = torch.ones(3, 2, dtype=torch.float64)
    with pytest.raises(FloatingPointError, match=r"after step \d+ of 30, time 1\.\d"):
        integrate(lambda time, s: s**2, state, 0.0, 3.0, 0.1)
    state[1, 0] = math.nan
    with pytest.raises(NonFiniteStateError, match=r"at step 0 of 10, time 2\.0"):
        integrate(decay, state, 2.0, 3.0, 0.1)


def test_a_batch_with_own_times_gives_each_graph_alone_bit_for_bit():
    graphs = [
        grid_graph([5, 4], [0.0, 0.0], [1.0, 1.0], boundary="dirichlet"),
        grid_graph([6, 7], [0.0, 1.0], [2.0, 2.0], boundary="dirichlet"),
        grid_graph([4, 4], [0.0, 0.0], [1.0, 1.0]),
    ]
    times, sizes, step = [0.3, 1.7, 0.0], [graph.num_nodes for graph in graphs], 0.01
    state = 1 + 0.1 * normal(sum(sizes), 2)
    batch = Batch.from_data_list(graphs)
    system = SemiDiscrete(brusselator, GraphOperators.from_graph(batch), moving_data)
    own = torch.tensor(times, dtype=torch.float64)[batch.batch]
    together = rk4_step(system, state, own, step, constrain=system.constrain)
    alone = []
    for graph, time, part in zip(graphs, times, state.split(sizes), strict=True):
        one = SemiDiscrete(brusselator, GraphOperators.from_graph(graph), moving_data)
        alone.append(rk4_step(one, part, time, step, constrain=one.constrain))
    assert torch.equal(together, torch.cat(alone))
    assert torch.equal(alone[1][0], moving_start(graphs[1].pos[:1], 1.7 + step)[0])


def test_gradients_pass_through_a_step():
    d = ops([4], [0.0], [1.0], boundary="dirichlet")
    system = SemiDiscrete(brusselator, d, moving_data)
    state = (1 + 0.1 * normal(4, 2)).requires_grad_()

    def step(s):
        return rk4_step(system, s, 0.1, 0.02, constrain=system.constrain)

    assert torch.autograd.gradcheck(step, state)
    assert torch.autograd.gradgradcheck(step, state)


def test_float32():
    double = ops([6], [0.0], [1.0], boundary="dirichlet")
    single = double.to(dtype=torch.float32)
    results = []
    for d in (double, single):
        system = SemiDiscrete(brusselator, d, moving_data)
        start = moving_start(d.pos)
        results.append(integrate(system, start, 0.0, 0.5, 0.05, constrain=system.constrain))
        times = torch.zeros(6, dtype=torch.float64)
        assert rk4_step(system, start, times, 0.01, constrain=system.constrain).dtype == d.pos.dtype
    assert results[1].dtype == torch.float32
    torch.testing.assert_close(results[1].double(), results[0], rtol=1e-5, atol=1e-5)


def test_mismatch():
    later, stepped = normal(5, 2, seed=1).requires_grad_(), normal(5, 2, seed=2)
    gap = later - stepped
    assert torch.equal(mismatch(later, stepped, 0.5, per_unit_time=False), (gap**2).mean(0))
    torch.testing.assert_close(mismatch(later, stepped, 0.5), 4 * (gap**2).mean(0))
    mask = torch.tensor([True, False, True, False, False])
    torch.testing.assert_close(
        mismatch(later, stepped, 1.0, mask=mask), (gap[0] ** 2 + gap[2] ** 2) / 2
    )
    assert torch.autograd.gradcheck(lambda s: mismatch(s, stepped, 0.5, mask=mask), later)


def test_substeps():
    assert [substeps(0.3, limit) for limit in (0.1, 0.3, 0.299, 1.0, math.inf)] == [3, 1, 2, 1, 1]
    for step, limit, message in [
        (0.0, 1.0, "`step` must be a positive"),
        (math.nan, 1.0, "`step` must be a positive"),
        (1.0, 0.0, "`limit` must be positive, got 0"),
        (1.0, math.nan, "`limit` must be positive, got nan"),
        (1.0, 1e-300, "at least 1e-9 of `step`"),
    ]:
        with pytest.raises(ValueError, match=message):
            substeps(step, limit)


STATE = torch.ones(3, 2, dtype=torch.float64)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rk4_step(decay, STATE, 0.0, -0.1), "positive, finite number, got -0.1"),
        (lambda: rk4_step(decay, STATE.t(), 0.0, 0.1), r"shape \[N, 2\].*got \[2, 3\]"),
        (lambda: rk4_step(decay, STATE.long(), 0.0, 0.1), "float32 or float64, got torch.int64"),
        (lambda: rk4_step(decay, STATE, torch.zeros(2), 0.1), r"shape \[3\], got \[2\]"),
        (lambda: rk4_step(lambda t, s: s[0], STATE, 0.0, 0.1), r"shape \[3, 2\], got \[2\]"),
        (lambda: integrate(decay, STATE, 0.0, 1.0, -0.1), "finite number, got -0.1"),
        (lambda: integrate(decay, STATE, 1.0, 1.0, 0.1), "greater than `time` 1.0, got 1.0"),
        (lambda: integrate(decay, STATE, 0.0, 1.0, 0.3), "whole number of steps of 0.3, got 1.0"),
        (lambda: integrate(decay, STATE, 0.0, 0.1, 1.0), "whole number of steps of 1.0"),
        (lambda: integrate(decay, STATE.long(), 0.0, 1.0, 0.1), "floating-point dtype"),
        (lambda: stable_step(decay, STATE.long()), "float32 or float64, got torch.int64"),
        (lambda: stable_step(decay, STATE[0]), r"shape \[N, 2\].*got \[2\]"),
        (lambda: mismatch(STATE, STATE[:1], 0.1), r"shape \[3, 2\] like.*got \[1, 2\]"),
        (lambda: mismatch(STATE.long(), STATE, 0.1), "`next_state` must have a floating-point"),
        (lambda: mismatch(STATE, STATE, 0.0), "positive, finite number, got 0.0"),
        (lambda: mismatch(STATE, STATE, 1.0, mask=torch.ones(3)), "must be bool of shape"),
        (lambda: mismatch(STATE, STATE, 1.0, mask=STATE[:, 0] > 2), "at least one node, got 0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_semi_discrete_refusals():
    d = ops([3], [0.0], [1.0], boundary="dirichlet")
    system = SemiDiscrete(lambda u, v, d: (u[:1], v), d, lambda x, t: x)
    with pytest.raises(ValueError, match=r"`rhs` must return two tensors \[3\], got \[\[1\], "):
        system(0.0, STATE)
    with pytest.raises(ValueError, match=r"`boundary` must return shape \[2, 2\], got \[2, 1\]"):
        system.constrain(0.0, STATE)
    with pytest.raises(ValueError, match=r"shape \[3, 2\], got \[4, 2\]"):
        system(0.0, torch.ones(4, 2, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"`time` must be a number or have shape \[3\], got"):
        system.constrain(torch.zeros(2), STATE)
