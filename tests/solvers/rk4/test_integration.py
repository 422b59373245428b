"""Many steps: saves, blow-up, gradients with bounded memory, moving data, Gray-Scott, refusals."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from solvers.operators import GraphOperators, cloud_graph, grid_graph
from solvers.rk4 import NonFiniteStateError, SemiDiscrete, integrate, rk4_step, stable_step
from tests.solvers.node_sets import nodes, on_boundary, slope

torch.set_num_threads(1)


def ops(*args, **kwargs):
    return GraphOperators.from_graph(grid_graph(*args, **kwargs))


def gray_scott(u, v, d):
    turnover = u * v * v
    return (
        0.16 * d.laplacian(u) - turnover + 0.035 * (1 - u),
        0.08 * d.laplacian(v) + turnover - 0.095 * v,
    )


def brusselator(u, v, d):
    return u * u * v - 2 * u + 0.25 * d.laplacian(u), u - u * u * v + 0.25 * d.laplacian(v)


def decay(time, state):
    return -state * (1 + time)


STATE = torch.tensor([[1.0, 2.0], [0.5, -1.0]], dtype=torch.float64)


def test_saves_on_and_between_steps():
    times = [0.0, 0.25, 0.3, 0.5, 0.71, 0.72, 1.0]
    saved = integrate(decay, STATE, 0.0, 1.0, 0.125, save_at=times)
    assert saved.shape == (7, 2, 2)
    exact = torch.stack([STATE * math.exp(-t - t * t / 2) for t in times])
    torch.testing.assert_close(saved, exact, rtol=5e-5, atol=0)
    torch.testing.assert_close(saved[0], STATE, rtol=0, atol=0)
    plain = integrate(decay, STATE, 0.0, 1.0, 0.125, save_at=[0.25, 1.0])
    assert torch.equal(plain[1], integrate(decay, STATE, 0.0, 1.0, 0.125))
    middle = integrate(decay, STATE, 0.0, 0.25, 0.125)
    assert torch.equal(plain[0], middle)
    tensor = integrate(decay, STATE, 0.0, 1.0, 0.125, save_at=torch.tensor([0.25, 1.0]))
    assert torch.equal(tensor, plain)


def test_saves_carry_boundary_data():
    d = ops([6], [0.0], [1.0], boundary="dirichlet")
    system = SemiDiscrete(brusselator, d, lambda x, t: torch.stack([1 + t, 2 - t], 1))
    saved = integrate(
        system, torch.ones(6, 2, dtype=torch.float64), 0.0, 0.2, 0.05, save_at=[0, 0.12]
    )
    for row, t in zip(saved, (0.0, 0.12), strict=True):
        torch.testing.assert_close(row[[0, -1]], torch.tensor([[1 + t, 2 - t]] * 2).double())


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("kind", ["grid", "cloud"])
def test_order_four_with_moving_data_in_two_dimensions(kind, order):
    """Data at the times of the stages make the interior an ordinary system: no order is lost."""
    if kind == "grid":
        d = ops([8, 8], [0.0, 0.0], [2.0, 2.0], boundary="dirichlet", order=order)
    else:
        points, count = nodes("disk", 0.22, 0)
        d = GraphOperators.from_graph(
            cloud_graph(points, order=order, dirichlet=on_boundary(points, count))
        )

    def data(x, t):
        phase = x.sum(1) + 9 * t
        return torch.stack([1 + 0.3 * phase.sin(), 1 + 0.2 * phase.cos()], 1)

    system = SemiDiscrete(brusselator, d, data)
    start = data(d.pos, torch.zeros(d.num_nodes, dtype=torch.float64))
    free, matrix = ~d.boundary_mask.numpy(), d.to_scipy()

    def rates(t, inner):
        full = data(d.pos, torch.full((d.num_nodes,), t, dtype=torch.float64)).numpy()
        full[free] = inner.reshape(-1, 2)
        (u, v), lap = full.T, matrix @ full
        du = u * u * v - 2 * u + 0.25 * lap[:, 0]
        return np.stack([du, u - u * u * v + 0.25 * lap[:, 1]], 1)[free].ravel()

    exact = (
        solve_ivp(
            rates, (0, 0.4), start.numpy()[free].ravel(), method="DOP853", rtol=1e-12, atol=1e-13
        )
        .y[:, -1]
        .reshape(-1, 2)
    )
    fewest = math.ceil(0.4 / stable_step(system, start))
    counts, errors = [k * fewest for k in (4, 6, 8, 12)], []
    for n in counts:
        got = integrate(system, start, 0.0, 0.4, 0.4 / n, limit=math.inf)
        errors.append(np.abs(got.numpy()[free] - exact).max())
    assert slope([1 / n for n in counts], errors) == pytest.approx(4.0, abs=0.2)


def test_a_moving_slope_keeps_order_four():
    d = ops([8], [0.0], [1.0], boundary=[("dirichlet", "neumann")], order=4)
    system = SemiDiscrete(
        brusselator,
        d,
        lambda x, t: torch.stack([1 + 0.3 * (9 * t).sin(), 1 + 0 * t], 1),
        lambda x, n, t: torch.stack([t.cos(), t], 1) * n,
    )
    start = torch.ones(8, 2, dtype=torch.float64)

    def rates(t, y):
        state = torch.from_numpy(np.concatenate([[1 + 0.3 * math.sin(9 * t), 1.0], y])).view(8, 2)
        return system(t, state).numpy()[1:].ravel()

    exact = solve_ivp(
        rates, (0, 0.2), start.numpy()[1:].ravel(), method="DOP853", rtol=1e-12, atol=1e-13
    ).y[:, -1]
    fewest = math.ceil(0.2 / stable_step(system, start))
    counts, errors = [k * fewest for k in (4, 6, 8, 12)], []
    for n in counts:
        got = integrate(system, start, 0.0, 0.2, 0.2 / n, limit=math.inf)
        errors.append(np.abs(got.numpy()[1:].ravel() - exact).max())
    assert slope([1 / n for n in counts], errors) == pytest.approx(4.0, abs=0.2)


def test_gray_scott_on_a_grid_is_the_solution_of_its_ordinary_system():
    n, steps, step = 128, 500, 0.02
    d = ops([n, n], [0.0, 0.0], [n, n])
    generator = torch.Generator().manual_seed(0)
    start = torch.stack([torch.ones(n * n), torch.zeros(n * n)], 1).double()
    square = ((d.pos - n / 2).abs() < 10).all(1)
    start[square] = torch.tensor([0.5, 0.25], dtype=torch.float64)
    start += 0.01 * torch.rand(n * n, 2, generator=generator, dtype=torch.float64)
    got = integrate(SemiDiscrete(gray_scott, d), start, 0.0, steps * step, step)

    def rates(t, y):  # by slices, not by the graph
        u, v = y.reshape(2, n, n)

        def laplacian(f):
            return sum(np.roll(f, s, a) for s in (1, -1) for a in (0, 1)) - 4 * f

        r = u * v * v
        du = 0.16 * laplacian(u) - r + 0.035 * (1 - u)
        return np.stack([du, 0.08 * laplacian(v) + r - 0.095 * v]).ravel()

    exact = (
        solve_ivp(
            rates,
            (0, steps * step),
            start.numpy().T.ravel(),
            method="DOP853",
            rtol=1e-12,
            atol=1e-13,
        )
        .y[:, -1]
        .reshape(2, -1)
        .T
    )
    np.testing.assert_allclose(got.numpy(), exact, rtol=0, atol=1e-10)


def test_blow_up_stops_at_its_step_with_time_and_node():
    def rates(time, state):
        return torch.stack([state[:, 0] ** 3 * torch.tensor([1.0, 40.0]), 0 * state[:, 1]], 1)

    with pytest.raises(NonFiniteStateError) as caught:
        integrate(rates, torch.ones(2, 2).double(), 0.0, 10.0, 0.1, limit=math.inf)
    text = str(caught.value)
    assert "after step " in text and "at node 1 and 1 in all" in text and " of 100, time 0." in text
    bad = STATE.clone()
    bad[1, 0] = math.nan
    with pytest.raises(NonFiniteStateError, match="not finite at step 0 of 10"):
        integrate(decay, bad, 0.0, 1.0, 0.1)


def test_large_values_are_not_taken_for_infinite_ones():
    state = torch.full((4, 2), 1e308, dtype=torch.float64)
    out = integrate(lambda t, s: 0 * s, state, 0.0, 1.0, 0.5, limit=1.0)
    assert torch.equal(out, state)


@pytest.mark.parametrize("every", [None, 1, 3, 7, 100])
def test_gradients_do_not_depend_on_checkpoints(every):
    d = ops([5], [0.0], [1.0], boundary="dirichlet")
    system = SemiDiscrete(brusselator, d, lambda x, t: torch.stack([1 + t, 2 - t], 1))
    state = (1 + 0.1 * torch.rand(5, 2).double()).requires_grad_()

    def run(every):
        out = integrate(
            system, state, 0.0, 0.4, 0.02, save_at=[0.09, 0.4], limit=1.0, checkpoint_every=every
        )
        return torch.autograd.grad((out**2).sum(), state)[0]

    assert torch.equal(run(every), run(20))


def test_gradients_pass_gradcheck():
    d = ops([4], [0.0], [1.0], boundary=[("dirichlet", "neumann")])
    system = SemiDiscrete(
        brusselator,
        d,
        lambda x, t: torch.stack([1 + t, 2 - t], 1),
        lambda x, n, t: n * torch.stack([t, t], 1),
    )
    state = (1 + 0.1 * torch.rand(4, 2).double()).requires_grad_()

    def run(s):
        return integrate(system, s, 0.0, 0.2, 0.01, limit=1.0, checkpoint_every=6)

    assert torch.autograd.gradcheck(run, state)


def test_checkpoints_bound_the_states_that_are_kept():
    kept = []

    def pack(tensor):
        kept.append(tensor.numel())
        return tensor

    totals = {}
    state = torch.rand(500, 2, dtype=torch.float64, requires_grad=True)
    for every in (400, 20):
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            integrate(
                lambda t, s: -(s**2), state, 0.0, 4.0, 0.01, limit=1.0, checkpoint_every=every
            )
        totals[every] = sum(kept)
    assert totals[20] < totals[400] / 20


def test_gradients_of_parameters_are_bounded_and_right_too():
    def run(rate, every):
        return integrate(
            lambda t, s: -rate * s, STATE, 0.0, 1.0, 0.02, limit=1.0, checkpoint_every=every
        )

    rate = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(run(rate, None).sum(), rate)
    assert float(found) == pytest.approx(-float(STATE.sum()) * math.exp(-0.7), rel=1e-7)
    (whole,) = torch.autograd.grad(run(rate, 50).sum(), rate)
    assert torch.equal(found, whole)


def test_progress_is_shown_for_long_work_only(capsys, monkeypatch):
    integrate(decay, STATE, 0.0, 1.0, 0.1, progress=True)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("solvers.rk4.progress_bar._AFTER", 0.0)
    integrate(decay, STATE, 0.0, 1.0, 0.1, progress=True)
    assert "10/10" in capsys.readouterr().err.replace(" ", "")
    integrate(decay, STATE, 0.0, 1.0, 0.1)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"save_at": [0.5, 0.2]}, "ascending, got 0.5 before 0.2"),
        ({"save_at": [0.5, 0.5]}, "ascending"),
        ({"save_at": [0.5, 1.2]}, r"lie in \[0.0, 1.0\], got 1.2"),
        ({"save_at": [-0.1]}, r"lie in \[0.0, 1.0\], got -0.1"),
        ({"save_at": [math.nan]}, r"lie in|ascending"),
        ({"save_at": []}, "at least one time"),
        ({"method": "euler"}, "heun, rk4, three_eighths, got 'euler'"),
        ({"checkpoint_every": 0}, "at least 1, got 0"),
        ({"limit": -1.0}, "`limit` must be positive"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        integrate(decay, STATE, 0.0, 1.0, 0.1, **options)


def test_states_of_the_wrong_kind_are_refused():
    d = ops([4], [0.0], [1.0])
    system = SemiDiscrete(brusselator, d)
    good = torch.ones(4, 2, dtype=torch.float64)
    for state, message in [
        (good[:3], r"shape \[4, 2\], got \[3, 2\]"),
        (good.long(), "float32 or float64, got torch.int64"),
        (good.half(), "float32 or float64, got torch.float16"),
        (good.to("meta"), "on cpu like the operators, got meta"),
        (good.float(), "torch.float64 like the operators"),
    ]:
        with pytest.raises(ValueError, match=message):
            rk4_step(system, state, 0.0, 0.01)


def test_a_step_above_the_limit_is_refused_when_asked():
    d = ops([20], [0.0], [1.0])
    system = SemiDiscrete(lambda u, v, d: (d.laplacian(u), d.laplacian(v)), d)
    state = torch.rand(20, 2, dtype=torch.float64)
    limit = stable_step(system, state)
    rk4_step(system, state, 0.0, 0.99 * limit, check=True)
    with pytest.raises(ValueError, match=r"at most 0.001706, the stability limit of rk4.*got 0.1"):
        rk4_step(system, state, 0.0, 0.1, check=True)


def test_flux_refusals():
    d = ops([5], [0.0], [1.0], boundary="neumann")
    with pytest.raises(ValueError, match="Neumann boundary, got operators without one"):
        SemiDiscrete(brusselator, ops([5], [0.0], [1.0]), flux=lambda x, n, t: n)
    state = torch.ones(5, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"`flux` must return shape \[2, 2\], got \[2, 1\]"):
        SemiDiscrete(brusselator, d, flux=lambda x, n, t: n)(0.0, state)
    system = SemiDiscrete(
        lambda u, v, d: (d.laplacian(u * u), v), d, flux=lambda x, n, t: n.expand(-1, 2)
    )
    with pytest.raises(ValueError, match="must differentiate u and v themselves"):
        system(0.0, state)
    squares = SemiDiscrete(lambda u, v, d: (d.laplacian(u * u), v), d)
    assert not squares(0.0, state)[:, 0].any()


@pytest.mark.parametrize("count", [5, 7, 8, 11, 20])
def test_times_from_float32_are_the_times_of_steps(count):
    times = torch.linspace(0, 0.1 * count, count + 1)
    state = torch.ones(1, 2, dtype=torch.float64)
    found = integrate(lambda t, y: -y, state, 0.0, float(times[-1]), 0.1, save_at=times)
    wanted = torch.exp(-times.double())[:, None, None].expand_as(found)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)
    (last,) = integrate(lambda t, y: -y, state, 0.0, 0.1 * count, 0.1, save_at=times[-1:])
    torch.testing.assert_close(last, found[-1], rtol=0, atol=1e-6)


def test_an_end_between_steps_is_refused_however_many_there_are():
    state = torch.ones(1, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"whole number of steps of 0\.01, got 6000\.005"):
        integrate(lambda t, y: -y, state, 0.0, 6000.005, 0.01)


def test_a_whole_number_may_be_a_float():
    state = torch.ones(1, 2, dtype=torch.float64, requires_grad=True)
    one, other = (
        integrate(lambda t, y: -y, state, 0.0, 1.0, 0.1, checkpoint_every=every)
        for every in (2, 2.0)
    )
    assert torch.equal(one, other)
