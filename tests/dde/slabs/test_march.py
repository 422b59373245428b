"""Slab after slab: what is trained, what is reported, and what ends it."""

import json
import re
import warnings

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from tests.dde.slabs import small


def gauss_newton(model, slab):
    pinn_ext.train_gauss_newton(model, 15, verbose=0)
    return "fifteen steps."


@pytest.fixture(scope="module")
def trained():
    dde.config.set_random_seed(0)
    with small.float64():
        return small.march(small.builder(points=80), train=gauss_newton, reference=small.exact)


def test_the_solution_is_found(trained):
    assert trained.complete and trained.reached == 1.0
    x = np.random.default_rng(1).random((300, 2))
    assert dde.metrics.l2_relative_error(small.exact(x), trained.predict(x)) < 1e-4


def test_each_slab_has_its_row(trained):
    for number, row in enumerate(trained.rows):
        assert (row["slab"], row["lower"]) == (number, small.EDGES[number])
        assert row["upper"] == small.EDGES[number + 1]
        assert row["steps"] == 15 and row["end"] == "fifteen steps"
        assert row["seconds"] > 0 and row["start_seconds"] > 0 and row["start_sets"] == 1
        slab, model = trained.slabs[number], trained.models[number]
        x = model.data.test()[0]
        error = dde.metrics.l2_relative_error(small.exact(x), trained.predict(x))
        assert row["errors"] == [pytest.approx(error, rel=1e-6)] and slab.number == number
        assert row["loss"] == float(np.sum(model.train_state.loss_train))


def test_the_loss_of_the_start_carried_on_is_that_of_what_it_leaves_out(trained):
    rate = -0.1 * np.pi**2
    for slab, model, row in zip(trained.slabs, trained.models, trained.rows, strict=True):
        held = rate * np.exp(rate * slab.lower) * np.sin(np.pi * model.data.test()[0][:, 0])
        assert row["start_loss"] == pytest.approx(np.mean(held**2), rel=1e-3)
        assert row["loss"] < 1e-5 * row["start_loss"]


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_slab_that_was_learnt_poorly_is_warned_of(failing):
    dde.config.set_random_seed(0)

    def train(model, slab):
        pinn_ext.train_gauss_newton(model, 1 if slab.number == failing else 15, verbose=0)

    times = ["0 to 0.25", r"0\.25 to 0\.6", r"0\.6 to 1"][failing]
    with small.float64(), pytest.warns(RuntimeWarning) as warned:
        rows = small.march(small.builder(points=80), train=train, warm_start=False).rows
    said = [str(one.message) for one in warned if "poorly learnt" in str(one.message)]
    numbers = f"its loss is {rows[failing]['loss']:.1e}, .* has {rows[failing]['start_loss']:.1e}"
    assert re.match(rf"Slab {failing} \({times}\) is poorly learnt: {numbers}", said[0])
    assert len(said) == 1


def test_a_start_at_rest_is_no_yardstick():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (row,) = small.march(edges=[0, 1], start=lambda x: 0 * x[:, :1], iterations=3).rows
    assert row["start_loss"] == 0


@pytest.mark.parametrize("outputs", [1, 2])
def test_an_ordinary_equation_has_a_loss_of_its_start(outputs):
    def build(slab):
        times = dde.geometry.TimeDomain(slab.lower, slab.upper)
        data = dde.data.PDE(
            times, lambda t, y: dde.grad.jacobian(y, t, i=0, j=0) + y[:, :1], [], 12
        )
        net = dde.nn.FNN([1, 6, outputs], "tanh", "Glorot normal")

        def hard(t, y):
            return torch.cat((slab.start(t) + slab.ramp(t) * y[:, :1], y[:, 1:]), dim=1)

        net.apply_output_transform(hard)
        model = dde.Model(data, net)
        model.compile("adam", lr=1e-2, verbose=0)
        return model

    found = pinn_ext.march(build, [0.0, 1.0, 2.0], lambda t: 3 + 0 * t, iterations=2, verbose=0)
    assert found.rows[0]["start_loss"] == pytest.approx(9.0)
    times = np.array([[0.499], [0.5], [0.501], [1.5]])  # positions, of which there are none here
    rates = found.predict(times, operator=lambda t, y: dde.grad.jacobian(y, t, i=0, j=0))
    before, _, after, _ = found.predict(times)[:, 0]
    assert rates[1, 0] == pytest.approx((after - before) / 2e-3, rel=1e-3)


def test_the_table_has_a_line_a_slab(trained):
    lines = trained.table().splitlines()
    assert len(lines) == 4 and lines[0].split()[:2] == ["slab", "times"]
    assert lines[2].startswith("1     0.25 to 0.6  15 ") and lines[2].endswith("fifteen steps")


def test_gauss_newton_says_why_it_ended():
    def train(model, slab):
        pinn_ext.train_gauss_newton(model, 2, verbose=0)
        if slab.number == 1:
            model.train(iterations=3, display_every=10**6, verbose=0)

    with pytest.warns(RuntimeWarning, match="residual rows"):
        solution = small.march(train=train)
    ends = [row["end"] for row in solution.rows]
    assert ends == ["all 2 iterations are made", "all steps made", "all 2 iterations are made"]
    assert not any("pinn_ext_notes" in vars(model) for model in solution.models)


def test_by_iterations_with_the_compiled_optimiser(capsys):
    solution = small.march(iterations=3, reference=small.exact, verbose=1)
    assert [row["steps"] for row in solution.rows] == [3, 3, 3]
    assert [row["end"] for row in solution.rows] == ["all steps made"] * 3
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    start = "Slab 2 of 3, t = 0.25 to 0.6: 3 steps, loss "
    assert lines[1].startswith(start) and lines[1].endswith(" s, all steps made.")
    assert f"error {solution.rows[1]['errors'][0]:.2e}, " in lines[1]


def test_lbfgs_needs_no_iterations():
    def build(slab):
        model = small.builder()(slab)
        model.compile("L-BFGS", verbose=0)
        return model

    options = dde.optimizers.config.LBFGS_options  # put back by `clean_deepxde`
    options.update(maxiter=20, iter_per_step=20, fun_per_step=25)
    solution = small.march(build, edges=[0, 0.5, 1], verbose=0)
    assert solution.complete and min(row["steps"] for row in solution.rows) > 5
    assert max(row["loss"] for row in solution.rows) < 1e-1


@pytest.mark.parametrize("warm", [True, False])
def test_a_network_begins_where_the_former_one_ended(warm):
    begun = []

    def train(model, slab):
        begun.append(torch.cat([p.detach().reshape(-1).clone() for p in model.net.parameters()]))
        model.train(iterations=2, display_every=10**6, verbose=0)

    solution = small.march(train=train, warm_start=warm)
    ends = small.numbers(solution).reshape(3, -1)
    assert torch.equal(begun[1], ends[0]) == torch.equal(begun[2], ends[1]) == warm


def test_unknown_coefficients_are_handed_on():
    variables = []

    def build(slab):
        model = small.builder()(slab)
        variables.append(dde.Variable(1.0))
        variable = [variables[-1]]
        model.compile("adam", lr=1e-2, verbose=0, external_trainable_variables=variable)
        return model

    def train(model, slab):
        assert float(variables[-1].detach()) == 1.0 + slab.number
        with torch.no_grad():
            variables[-1] += 1.0

    small.march(build, train=train)


def test_float32():
    dde.config.set_default_float("float32")
    solution = small.march(iterations=3)
    x = np.random.default_rng(0).random((20, 1))
    at_edge = np.hstack((x, np.full_like(x, 0.6)))
    ends = [model.predict(at_edge) for model in solution.models[1:]]
    assert ends[0].dtype == solution.predict(at_edge).dtype == np.float32
    np.testing.assert_allclose(*ends, rtol=0, atol=1e-6)


def test_a_slab_that_fails_ends_the_march(tmp_path):
    def train(model, slab):
        model.train(iterations=2, display_every=1, verbose=0)
        if slab.number == 1:
            with torch.no_grad():
                model.net.linears[0].weight[0, 0] = torch.nan

    with pytest.warns(RuntimeWarning, match=r"slab 1 \(0\.25 to 0\.6\) ended in numbers that are"):
        solution = small.march(train=train, folder=tmp_path)
    assert not solution.complete and solution.reached == 0.25 and len(solution.models) == 1
    assert [row["end"][:6] for row in solution.rows] == ["all st", "failed"]
    assert not (tmp_path / "slab_001.pt").exists()
    with pytest.raises(ValueError, match=r"`x` must have times in \[0, 0\.25\]"):
        solution.predict([[0.5, 0.5]])
    assert len(json.loads((tmp_path / "slabs.json").read_text())["slabs"]) == 2


def test_a_loss_that_is_no_number_fails_too():
    pde = lambda x, u: small.heat(x, u) + (torch.nan if x.requires_grad else 0.0)  # noqa: E731
    with pytest.warns(RuntimeWarning, match="slab 0"):
        solution = small.march(small.builder(pde), iterations=2)
    assert solution.reached == 0.0 and solution.rows[0]["loss"] is None
    with pytest.raises(ValueError, match="none is trained"):
        solution.predict([[0.5, 0.0]])


def test_outputs_without_a_start():
    """Such as a pressure: it comes as the network has it."""
    build = small.builder(outputs=2, hard=lambda slab: slab.transform)
    solution = small.untrained(build)
    x = np.random.default_rng(0).random((10, 1))
    at_edge = np.hstack((x, np.full_like(x, 0.25)))
    first, second = (model.predict(at_edge) for model in solution.models[:2])
    np.testing.assert_allclose(first[:, 0], second[:, 0], rtol=0, atol=1e-15)
    assert np.abs(first[:, 1] - second[:, 1]).max() > 1e-3
    assert solution.predict(at_edge).shape == (10, 2)


def test_ordinary_differential_equations():
    """They have no positions: y' = -y from 1."""

    def build(slab):
        times = dde.geometry.TimeDomain(slab.lower, slab.upper)
        data = dde.data.PDE(times, lambda t, y: dde.grad.jacobian(y, t) + y, [], 30)
        net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
        net.apply_output_transform(slab.transform)
        model = dde.Model(data, net)
        model.compile("adam", lr=1e-2, verbose=0)
        return model

    def train(model, slab):
        pinn_ext.train_gauss_newton(model, 25, verbose=0)

    with pytest.warns(RuntimeWarning, match="residual rows"):
        solution = small.march(
            build, [0, 1, 2], lambda t: torch.ones_like(t), train=train,
            reference=lambda t: np.exp(-t),
        )  # fmt: skip
    assert max(row["errors"][0] for row in solution.rows) < 1e-4
    t = np.array([[1.7], [0.2], [1.0]])
    np.testing.assert_allclose(solution.predict(t), np.exp(-t), rtol=1e-4)
