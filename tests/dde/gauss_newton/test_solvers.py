"""Every solver and damping on the same model; memory; what is part of the residual."""

import deepxde as dde
import pytest
import torch

from pinn_ext.dde.model.residual_rows import ModelRows
from solvers.gauss_newton import DAMPINGS, SOLVERS
from tests.dde.gauss_newton.small_models import decay_model, error, poisson, total, train


def test_single_precision_says_where_it_ends(capsys):
    dde.config.set_default_float("float32")
    model = poisson()
    capsys.readouterr()
    train(model, 60, verbose=1)
    assert capsys.readouterr().out.count("float32 ends at errors of about 1e-4") == 1
    assert {p.dtype for p in model.net.parameters()} == {torch.float32} and error(model) < 1e-3


def test_too_little_memory_says_how_much_is_needed():
    model = poisson()
    with pytest.raises(MemoryError, match=r"62|64 rows.*primal .* GiB, dual .* GiB, matrix_free"):
        train(model, memory_limit_gb=1e-9)
    assert model.losshistory.steps == []


def test_another_path_where_memory_is_short(problem):
    model = poisson()
    train(model, 10, memory_limit_gb=3e-5)  # the Jacobian does not fit, products do
    assert total(model) < 1e-2 * sum(model.losshistory.loss_train[0])


@pytest.mark.parametrize("solver", SOLVERS)
def test_all_paths_lead_to_the_same(problem, solver):
    model = poisson()
    train(model, 6, solver=solver, damping="nielsen")
    dde.config.set_random_seed(0)
    reference = poisson()
    train(reference, 6, solver="primal", damping="nielsen")
    ours, theirs = total(model), total(reference)
    near = {"matrix_free": 0.3, "accumulated": 0.3, "sketched": 3.0}  # others bend by J itself
    assert ours == pytest.approx(theirs, rel=near.get(solver, 1e-6))


@pytest.mark.parametrize("damping", DAMPINGS)
@pytest.mark.parametrize("geodesic", [True, False])
def test_all_dampings_lower_the_loss(damping, geodesic):
    model = poisson()
    train(model, 25, damping=damping, geodesic=geodesic)
    part = 1.0 if damping == "line_search" else 1e-2  # undamped steps are for good starts
    assert total(model) < part * sum(model.losshistory.loss_train[0])


def test_frozen_parameters_stay(problem):
    net = dde.nn.FNN([1, 6, 6, 1], "tanh", "Glorot normal")
    for parameter in net.linears[1].parameters():
        parameter.requires_grad_(False)
    kept = [parameter.clone() for parameter in net.linears[1].parameters()]
    model = poisson(net=net)
    train(model, 10, display_every=3)
    flags = [parameter.requires_grad for parameter in net.parameters()]
    assert flags == [True, True, False, False, True, True]
    assert all(map(torch.equal, net.linears[1].parameters(), kept))
    assert total(model) < 0.1 * sum(model.losshistory.loss_train[0])


def test_a_coefficient_alone_is_found_for_a_given_field():
    model, k = decay_model()
    train(model, 30)
    model.net.requires_grad_(False)
    with torch.no_grad():
        k.fill_(0.2)
    train(model, 10)
    assert k.item() == pytest.approx(1.7, abs=1e-4)
    assert not any(parameter.requires_grad for parameter in model.net.parameters())


def test_regularisation_is_part_of_what_is_minimised(problem):
    def trained(decay):
        dde.config.set_random_seed(0)
        net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
        net.regularizer = ("l2", decay)
        model = poisson(net=net)
        train(model, 60)
        return model

    model = trained(1e-2)
    assert problem.vector(model).norm() < 0.9 * problem.vector(trained(1e-12)).norm()
    rows = ModelRows(model)
    residual, jacobian = rows.linearize(rows.get())
    gradient = jacobian.T @ residual
    assert gradient.norm() < 1e-3 * jacobian.norm() * residual.norm()
