"""Compiled steps: the same numbers, gradients, and what happens where nothing can be compiled."""

import logging
import types

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay

from solvers.operators import GraphOperators, finite_element_graph, grid_graph
from solvers.rk4 import (
    HEUN,
    RK4,
    SemiDiscrete,
    compiled_step,
    integrate,
    rk4_step,
    steps,
)
from solvers.rk4.stepper import Stepper
from solvers.rk4.steps import _worth_compiling

torch.set_num_threads(1)


def gray_scott(u, v, d):
    turnover = u * v * v
    return (
        0.16 * d.laplacian(u) - turnover + 0.035 * (1 - u),
        0.08 * d.laplacian(v) + turnover - 0.095 * v,
    )


def test_a_compiled_step_of_a_grid_is_the_step(caplog):
    caplog.set_level(logging.WARNING, "solvers")
    system, state = small_system()
    point = state.requires_grad_()
    steps = [rk4_step(system, point, 0.0, 0.5, compile=how) for how in (True, False)]
    torch.testing.assert_close(*steps, rtol=1e-13, atol=1e-13)
    gradients = [torch.autograd.grad((step**2).sum(), point)[0] for step in steps]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)
    assert len(system.compiled_steps) == 1 and not caplog.records


@pytest.fixture(params=["both fields at once", "one field at a time"])
def mesh_system(monkeypatch, request):
    """A system with all there is: long rows, boundary data, a gradient; tables count as large."""
    paired = request.param == "both fields at once"
    monkeypatch.setattr("solvers.paired_sums.operators.LEAST", 0 if paired else 10**9)
    monkeypatch.setattr("solvers.operators.graph_operators.SMALL", 0)
    monkeypatch.setattr("solvers.operators.neighbour_tables.SMALL", 0)
    monkeypatch.setattr("solvers.operators.neighbour_tables._LONG_ROWS_FROM", 0)
    points = np.random.default_rng(0).random((400, 2))
    graph = finite_element_graph(points, Delaunay(points).simplices)

    def rhs(u, v, d):
        return d.laplacian(u) - u * d.gradient(u)[0] + v, 0.5 * d.laplacian(v) - u * v

    def data(x, t):
        return torch.stack([x[:, 0] + t, x[:, 1] * t], 1)

    return SemiDiscrete(rhs, GraphOperators.from_graph(graph), data)


@pytest.mark.slow
def test_a_compiled_step_of_a_mesh_is_the_step(mesh_system, caplog):
    caplog.set_level(logging.WARNING, "solvers")
    d = mesh_system.operators
    assert d.pattern.slot is not None
    state = torch.rand(d.num_nodes, 2, dtype=torch.float64)
    for time, step in ((0.0, 1e-6), (0.7, 2e-6)):
        with torch.no_grad():
            got = rk4_step(mesh_system, state, time, step, compile=True)
        expected = rk4_step(mesh_system, state, time, step)
        torch.testing.assert_close(got, expected, rtol=1e-13, atol=1e-13)
    point = state.clone().requires_grad_()
    weight = torch.rand_like(state)
    found, wanted = (
        torch.autograd.grad(
            (rk4_step(mesh_system, point, 0.0, 1e-6, compile=how) * weight).sum(), point
        )[0]
        for how in (True, False)
    )
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    assert len(mesh_system.compiled_steps) == 1 and not caplog.records


@pytest.fixture
def counted(monkeypatch):
    """Stand in for torch.compile: counts what it is asked for, fails when told to."""
    calls = types.SimpleNamespace(made=0, run=0, error=None)

    def fake(function, **options):
        calls.made += 1
        assert options["fullgraph"] is True

        def compiled(*args):
            calls.run += 1
            if calls.error is not None:
                raise calls.error
            return function(*args)

        return compiled

    monkeypatch.setattr(compiled_step.torch, "compile", fake)
    return calls


def small_system():
    d = GraphOperators.from_graph(grid_graph([6, 5], [0.0, 0.0], [6.0, 5.0]))
    return SemiDiscrete(gray_scott, d), torch.rand(30, 2, dtype=torch.float64)


def test_a_step_is_compiled_once_for_each_method(counted):
    system, state = small_system()
    out = integrate(system, state, 0.0, 1.0, 0.1, compile=True)
    assert (counted.made, counted.run) == (1, 10)
    torch.testing.assert_close(out, integrate(system, state, 0.0, 1.0, 0.1), rtol=1e-14, atol=0)
    integrate(system, state, 0.0, 1.0, 0.1, compile=True)
    assert (counted.made, counted.run) == (1, 20)
    integrate(system, state, 0.0, 1.0, 0.1, compile=True, method=HEUN)
    assert counted.made == 2


def test_without_a_compiler_the_steps_go_on_with_one_line(counted, caplog):
    caplog.set_level(logging.WARNING, "solvers")
    counted.error = RuntimeError("no C++ compiler was found\nand more")
    system, state = small_system()
    out = integrate(system, state, 0.0, 1.0, 0.1, compile=True)
    assert torch.equal(out, integrate(system, state, 0.0, 1.0, 0.1))
    assert counted.run == 1 and len(caplog.records) == 1
    text = caplog.records[0].getMessage()
    assert text == "The step cannot be compiled, going on without: no C++ compiler was found"
    integrate(system, state, 0.0, 1.0, 0.1, compile=True)
    assert counted.run == 1 and len(caplog.records) == 1


def test_an_error_of_the_system_itself_is_raised(counted):
    system, state = small_system()
    wrong = SemiDiscrete(lambda u, v, d: (u[:2], v), system.operators)
    counted.error = RuntimeError("tracing failed")
    with pytest.raises(ValueError, match="`rhs` must return two tensors"):
        rk4_step(wrong, state, 0.0, 0.1, compile=True)


def test_other_right_hand_sides_are_not_compiled(counted):
    state = torch.rand(30, 2, dtype=torch.float64)
    rk4_step(lambda t, s: -s, state, 0.0, 0.1, compile=True)
    system, _ = small_system()
    rk4_step(system, state, 0.0, 0.1, constrain=lambda t, s: s, compile=True)
    assert counted.made == 0


def test_the_rule_that_picks_compiling(counted):
    system, state = small_system()
    integrate(system, state, 0.0, 1.0, 0.1)
    assert counted.made == 0
    assert not _worth_compiling(system, 1_000_000)  # 1.2 s would be saved
    assert _worth_compiling(system, 10_000_000)
    assert not _worth_compiling(lambda t, s: s, 10**12)


def test_float32_and_columns_keep_their_type():
    system, state = small_system()
    single = SemiDiscrete(gray_scott, system.operators.to(dtype=torch.float32))
    out = integrate(single, state.float(), 0.0, 1.0, 0.1)
    assert out.dtype == torch.float32
    np.testing.assert_allclose(out, integrate(system, state, 0.0, 1.0, 0.1), rtol=1e-5, atol=1e-6)
    stepper = Stepper(system, None, RK4)
    assert all(field.is_contiguous() for field in stepper.split(state))


def test_memory_that_runs_out_is_not_taken_for_a_step_that_cannot_be_compiled(counted, caplog):
    system, state = small_system()
    counted.error = torch.OutOfMemoryError("CUDA out of memory.")
    with pytest.raises(torch.OutOfMemoryError):
        rk4_step(system, state, 0.0, 0.1, compile=True)
    assert not caplog.records
    counted.error = None
    rk4_step(system, state, 0.0, 0.1, compile=True)
    assert counted.run == 2, "it is still tried"


def test_what_compiling_saves_depends_on_the_device(monkeypatch):
    system, _ = small_system()
    assert _worth_compiling(system, 10**9)
    monkeypatch.setattr(steps, "_COMPILING", {"cuda": (1e-11, 30.0, 0.6)})
    assert not _worth_compiling(system, 10**9), "nothing is known of this device"
