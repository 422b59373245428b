"""Steps and minimisations on an accelerator: the numbers of the CPU, and how often it waits."""

import math

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from solvers.gauss_newton import GaussNewtonMemoryError, Stepper, least_squares
from solvers.gauss_newton.direction.gram import gram
from solvers.gauss_newton.residual_functions import FunctionProblem
from solvers.operators import GraphOperators, cloud_graph, grid_graph, triangulation_graph
from solvers.rk4 import (
    NonFiniteStateError,
    SemiDiscrete,
    integrate,
    mismatch_rows,
    rk4_step,
    stable_step,
)
from tests.device import pretend

F64 = torch.float64
CPU = torch.device("cpu")


def grid():
    graph = grid_graph([9, 8], [0.0, 0.0], [1.0, 1.0], boundary=["neumann", "dirichlet"], order=4)
    return GraphOperators.from_graph(graph)


def reacting(operators):
    """Two fields with boundary data and slopes that move."""
    return SemiDiscrete(
        lambda u, v, d: (0.1 * d.laplacian(u) + u * v - u, 0.05 * d.laplacian(v) - u * v + 1.0),
        operators,
        lambda x, t: torch.stack([t + x[:, 0], x[:, 1]], 1),
        lambda x, n, t: torch.stack([t * x[:, 0] + 1.0, n[:, 0]], 1),
    )


@pytest.fixture
def systems(device):
    """Return a system and a state in main memory, and both on the device."""
    operators = grid()
    state = torch.rand(72, 2, generator=torch.Generator("cpu").manual_seed(0), dtype=F64)
    return (reacting(operators), state), (reacting(operators.to(device)), state.to(device))


# ---- graphs --------------------------------------------------------------------------------------


def test_graphs_of_5000_nodes_under_a_device_that_is_the_default(default_device):
    draw = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(71), np.arange(71)), -1).reshape(-1, 2) / 70
    points = grid + draw.uniform(-0.002, 0.002, grid.shape)
    outer = ((grid == 0.0) | (grid == 1.0)).any(1)
    operators = GraphOperators.from_graph(cloud_graph(points, dirichlet=outer))
    assert operators.pos.device == CPU
    moved, built = (
        operators.to(default_device),
        GraphOperators.from_graph(cloud_graph(points, dirichlet=outer).to(default_device)),
    )
    field = operators.pos[:, 0].sin()
    wanted = operators.laplacian(field)
    for own in (moved, built):
        assert own.pos.device == default_device and own.pattern.neighbours.is_contiguous()
        assert torch.equal(own.laplacian(field.to(default_device)).cpu(), wanted)
    found = stable_step(reacting_plain(moved), torch.stack([field, field], 1).to(default_device))
    assert found == pytest.approx(
        stable_step(reacting_plain(operators), torch.stack([field, field], 1)), rel=1e-9
    )


def reacting_plain(operators):
    return SemiDiscrete(lambda u, v, d: (d.laplacian(u) - u * v, d.laplacian(v)), operators)


def test_triangulations_and_what_goes_through_scipy(default_device):
    from scipy.spatial import Delaunay

    mesh = Delaunay(np.random.default_rng(0).random((60, 2)))
    graph = triangulation_graph(mesh.points, mesh.simplices, boundary="neumann")
    operators = GraphOperators.from_graph(graph)
    moved = operators.to(default_device)
    assert (moved.to_scipy() != operators.to_scipy()).nnz == 0
    assert moved.mass_weights().device == default_device
    assert torch.equal(moved.mass_weights().cpu(), operators.mass_weights())


def test_gradients_through_small_graphs_are_made_by_tables(device):
    """Sums by atomic additions would not be the same twice."""
    operators = grid()
    field = operators.pos[:, 0].sin()
    own = operators.to(device)
    leaf = field.to(device).requires_grad_()
    found = torch.autograd.grad(own.laplacian(leaf).square().sum(), leaf)[0]
    assert "adjoint" in own.derived and "adjoint" not in operators.derived
    wanted = 2 * operators.laplacian_adjoint(operators.laplacian(field))
    assert torch.equal(found.cpu(), wanted)


# ---- Runge-Kutta ---------------------------------------------------------------------------------


def test_a_step_does_not_wait(systems):
    (system, state), (own, on_device) = systems
    times = torch.full((72,), 0.1, dtype=F64, device=on_device.device)
    numbers = own.operators.free_nodes
    with pretend.count_waits(places=True) as waits:
        found = rk4_step(own, on_device, 0.1, 1e-3)
        same = rk4_step(own, on_device, times, 1e-3)
        rows = mismatch_rows(on_device, found, 1e-3, mask=numbers)
    assert waits.total() == 0, str(waits)
    wanted = rk4_step(system, state, 0.1, 1e-3)
    assert torch.equal(found.cpu(), wanted) and torch.equal(same.cpu(), wanted)
    kept = mismatch_rows(state, wanted, 1e-3, mask=~system.operators.boundary_mask)
    assert torch.equal(rows.cpu(), kept)


def test_a_gradient_through_a_step_does_not_wait(systems):
    _, (own, state) = systems
    _ = own.operators.adjoint  # made once
    leaf = state.requires_grad_()
    with pretend.count_waits(places=True) as waits:
        torch.autograd.grad(rk4_step(own, leaf, 0.1, 1e-3).square().sum(), leaf)
    assert waits.total() == 0, str(waits)


def test_an_integration_waits_once_in_32_sub_steps(systems):
    (system, state), (own, on_device) = systems
    with pretend.count_waits(places=True) as waits:
        found = integrate(own, on_device, 0.0, 0.1, 1e-3, limit=1e-3, progress=False)
    assert waits.total() <= 1 + math.ceil(100 / 32), str(waits)
    assert torch.equal(found.cpu(), integrate(system, state, 0.0, 0.1, 1e-3, limit=1e-3))


def test_the_step_that_is_not_finite_is_named(device):
    def rates(t, state):
        nodes = torch.arange(len(state), device=state.device)[:, None]
        return torch.where((nodes == 7) & torch.full_like(nodes, t > 3.25, dtype=torch.bool),
                           math.nan, 0.0 * state)  # fmt: skip

    said = []
    for where in (CPU, device):
        with pytest.raises(NonFiniteStateError, match=r"after step 33 of 100.* at node 7") as error:
            integrate(rates, torch.ones(9, 2, dtype=F64, device=where), 0.0, 10.0, 0.1, limit=1.0)
        said.append(str(error.value))
    assert said[0] == said[1]


def test_the_stable_step_of_the_cpu(systems):
    (system, state), (own, on_device) = systems
    assert stable_step(own, on_device) == pytest.approx(stable_step(system, state), rel=1e-9)
    growing = [reacting_plain(each.operators) for each in (system, own)]
    for each, point in zip(growing, (state, on_device), strict=True):
        each.rhs = lambda u, v, d: (5e3 * u + 0.0 * d.laplacian(u), -v)
        with pytest.warns(RuntimeWarning, match="is growth at a rate of 5e"):
            stable_step(each, point)
    for each, point in zip(growing, (state, on_device), strict=True):
        each.rhs = lambda u, v, d: (-1e-3 * d.laplacian(u), d.laplacian(v))
        with pytest.raises(ValueError, match="must not grow fastest in the roughest mode"):
            each.rhs = lambda u, v, d: (-2.0 * d.laplacian(u), d.laplacian(v))
            stable_step(each, point)


# ---- Gauss-Newton --------------------------------------------------------------------------------

T = torch.linspace(0.0, 3.0, 40, dtype=F64, device="cpu")


def decay(x):
    t = T.to(x.device)
    return x[0] * torch.exp(-x[1] * t) + x[2] - 2.0 * torch.exp(-1.3 * t) - 0.1 * t.cos()


@pytest.mark.parametrize("solver", ["primal", "dual", "matrix_free"])
@pytest.mark.parametrize("bounded", [False, True])
def test_the_minimum_of_the_cpu(default_device, solver, bounded):
    bounds = ([0.0, 0.0, -1.0], [1.5, 5.0, 0.2]) if bounded else (-math.inf, math.inf)
    start = torch.tensor([1.0, 1.0, 0.0], dtype=F64, device="cpu")
    fits = [
        least_squares(decay, start.to(where), bounds=bounds, solver=solver)
        for where in (CPU, default_device)
    ]
    assert fits[1].x.device == default_device and fits[1].success
    torch.testing.assert_close(fits[1].x.cpu(), fits[0].x, rtol=1e-6, atol=1e-8)
    assert fits[1].cost == pytest.approx(fits[0].cost, rel=1e-10)


@pytest.mark.parametrize(
    ("solver", "bounds", "most"),
    [("primal", None, 4), ("dual", None, 4), ("primal", "some", 5), ("matrix_free", None, 8)],
)
def test_waits_of_a_step_with_one_trial(device, solver, bounds, most):
    start = torch.tensor([1.9, 1.2, 0.0], dtype=F64, device=device)
    problem, options = FunctionProblem(decay_of(device), start), {}
    if bounds:
        from solvers.gauss_newton import Box

        options["box"] = Box(torch.full_like(start, -9.0), torch.full_like(start, 9.0))
    stepper, counted = Stepper(problem, start, solver=solver, **options), []
    stepper.step()  # random signs are copied once
    for _ in range(6):
        with pretend.count_waits(places=True) as waits:
            step = stepper.step()
        if step.trials == 1 and step.accepted:
            counted.append((waits.total(), waits))
    assert counted
    assert max(counted, key=lambda each: each[0])[0] <= most, str(counted[0][1])


def decay_of(device):
    t = T.to(device)
    y = 2.0 * torch.exp(-1.3 * t) + 0.1 * t.cos()
    return lambda x: x[0] * torch.exp(-x[1] * t) + x[2] - y


def test_half_a_product_is_the_product(device):
    matrix = torch.rand(30, 300, dtype=F64, device="cpu")
    torch.testing.assert_close(gram(matrix.to(device)).cpu().tril(), (matrix.T @ matrix).tril())


# ---- trainings -----------------------------------------------------------------------------------


@pytest.fixture
def double(default_device):
    dde.config.set_default_float("float64")
    yield
    dde.config.set_default_float("float32")


class Counted(dde.callbacks.Callback):
    """Keeps the waits of each iteration, what DeepXDE does at a display left out."""

    def __init__(self):
        super().__init__()
        self.waits = []

    def on_epoch_begin(self):
        self._block = pretend.count_waits(places=True)
        self._now = self._block.__enter__()

    def on_epoch_end(self):
        self._block.__exit__(None, None, None)
        self.waits.append(self._now)


def poisson(points=60):
    line = dde.geometry.Interval(0, 1)
    walls = dde.icbc.DirichletBC(line, lambda x: 0 * x[:, :1], lambda _, on: on)

    def equation(x, y):
        return -dde.grad.hessian(y, x) - math.pi**2 * torch.sin(math.pi * x)

    data = dde.data.PDE(line, equation, [walls], points, 2, num_test=20)
    dde.config.set_random_seed(3)
    model = dde.Model(data, dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0, loss_weights=[1.0, 30.0])
    return model


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("solver", ["auto", "dual", "matrix_free"])
def test_waits_of_a_training_step_with_one_trial(monkeypatch, solver):
    trials, step = [], Stepper.step

    def noted(stepper):
        made = step(stepper)
        trials.append(made.trials)
        return made

    monkeypatch.setattr(Stepper, "step", noted)
    model, counted = poisson(), Counted()
    pinn_ext.train_gauss_newton(
        model, 12, callbacks=[counted], verbose=0, display_every=10**6, solver=solver
    )
    # Maps from rows to samples are looked for once or twice; the last iteration ends in a test.
    single = [
        waits for waits, made in zip(counted.waits[2:-1], trials[2:-1], strict=True) if made == 1
    ]
    assert len(single) >= 3
    most = 6 if solver != "matrix_free" else 6 + 8
    assert max(waits.total() for waits in single) <= most, "\n".join(map(str, single))
    assert sum(model.train_state.loss_train) < 0.05 * sum(model.losshistory.loss_train[0])


@pytest.mark.usefixtures("double")
def test_memory_that_runs_out_leaves_the_last_accepted_step(default_device):
    model = poisson(points=400)
    pinn_ext.train_gauss_newton(model, 3, verbose=0)
    before = [p.detach().cpu().clone() for p in model.net.parameters()]
    with pretend.memory_limit(40_000), pytest.raises(MemoryError, match="Memory ran out") as error:
        pinn_ext.train_gauss_newton(model, 5, verbose=0)
    assert isinstance(error.value, GaussNewtonMemoryError)
    for parameter, kept in zip(model.net.parameters(), before, strict=True):
        assert torch.equal(parameter.detach().cpu(), kept)
