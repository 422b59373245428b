"""Names of loss terms, and the room's import."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext.dde.model.loss_terms import derive_names, weights_list

ROOT = Path(__file__).resolve().parents[3]


def test_names_follow_the_kinds_of_conditions(problem):
    square = dde.geometry.Rectangle([0, 0], [1, 1])

    def zero(x):
        return 0 * x[:, :1]

    class MyInflowBC(dde.icbc.DirichletBC):
        pass

    def on(_, boundary):
        return boundary

    conditions = [
        dde.icbc.DirichletBC(square, zero, on),
        dde.icbc.DirichletBC(square, zero, on),
        dde.icbc.NeumannBC(square, zero, on),
        dde.icbc.RobinBC(square, lambda x, y: y, on),
        dde.icbc.PeriodicBC(square, 0, on),
        dde.icbc.OperatorBC(square, lambda x, y, _: y, on),
        dde.icbc.PointSetBC(np.zeros((2, 2)), np.zeros((2, 1))),
        MyInflowBC(square, zero, on),
    ]
    data = dde.data.PDE(square, lambda x, y: [y, y], conditions, 4, 8)
    assert derive_names(data, 10) == [
        "pde_1", "pde_2", "dirichlet_1", "dirichlet_2", "neumann_1", "robin_1", "periodic_1",
        "operator_1", "point_set_1", "my_inflow_1",
    ]  # fmt: skip
    assert derive_names(data, 8)[0] == "dirichlet_1"  # conditions alone
    assert derive_names(data, 5) == [f"data_{i}" for i in range(1, 6)]
    assert derive_names(problem.heat_data(), 3) == ["pde_1", "dirichlet_1", "ic_1"]
    assert derive_names(problem.fit().data, 1) == ["data_1"]


def test_operator_learning_names_its_equation(problem):
    space = dde.data.GRF(1.0, length_scale=0.5)
    points = np.linspace(0, 1, 5)[:, None]
    equation = problem.poisson_data(lambda x, y, v: dde.grad.jacobian(y, x) - v)
    data = dde.data.PDEOperatorCartesianProd(equation, space, points, 2)
    assert derive_names(data, 2) == ["pde_1", "dirichlet_1"]


def test_weights_keep_the_digits_they_were_given():
    names = ["a", "b"]
    assert weights_list(None, 2, names) == [1.0, 1.0]
    assert weights_list([0.1, 2], 2, names) == [0.1, 2.0]
    assert weights_list(torch.tensor([0.5, 2.0], requires_grad=True), 2, names) == [0.5, 2.0]
    with pytest.raises(ValueError, match="got 'ab'"):
        weights_list("ab", 2, names)


def python(code, **environment):
    kept = {key: value for key, value in os.environ.items() if key != "DDE_BACKEND"}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )


FAKE = """
    import sys, types
    fake = types.ModuleType("deepxde")
    fake.backend = types.SimpleNamespace(backend_name="jax")
    sys.modules["deepxde"] = fake
"""


@pytest.mark.parametrize("environment", [{}, {"DDE_BACKEND": "tensorflow"}])
def test_another_backend_is_refused(environment):
    done = python(FAKE * (not environment) + "\n    import pinn_ext.dde", **environment)
    assert (
        done.returncode and "ImportError: pinn_ext needs DeepXDE's PyTorch backend" in done.stderr
    )
    assert f"got '{environment.get('DDE_BACKEND', 'jax')}'" in done.stderr


def test_mpirun_is_refused():
    done = python("import pinn_ext.dde", OMPI_COMM_WORLD_SIZE="2")
    assert done.returncode and "cannot run under mpirun" in done.stderr


@pytest.mark.parametrize("first", ["import deepxde", "import pinn_ext"])
def test_either_import_may_come_first(first):
    code = f"""
        {first}
        import deepxde as dde, pinn_ext
        pinn_ext.AdaptiveWeights()
        assert dde.backend.backend_name == "pytorch"
    """
    extra = {"DDE_BACKEND": "pytorch"} if "deepxde" in first else {}
    done = python(code, **extra)
    assert done.returncode == 0, done.stderr
