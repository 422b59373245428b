"""Templates of problem files: each is the system that it copies, bit for bit; the first one grows.

`pinn_ext.systems.templates` is read as text. What writes it into files is tested here too where it
must agree with the systems.
"""

import ast
import runpy

import pytest
import torch

from pinn_ext import systems
from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs
from pinn_ext.datasets.node_graphs import node_graph
from pinn_ext.losses.known_solution import by_runge_kutta
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.networks import FieldNetwork, term_scales
from pinn_ext.program.commands import new

pytestmark = pytest.mark.usefixtures("double")
NODES = {1: 25, 2: 7}


def from_template(source, folder):
    file = folder / "problem.py"
    file.write_text(new.template(source), "utf-8")
    return systems.from_file(file)


def residuals(system, conditions, graph):
    """Return every term's residuals of one network at the same points."""
    scales = term_scales(system, "fields")
    loss = PhysicsLoss(system, conditions=conditions, scales=scales, step=1e-2)
    network = FieldNetwork(system, (6, 6), conditions=conditions, scales=scales, seed=1)
    graphs = SnapshotGraphs(system, 2, step=1e-2, conditions=conditions, shared=graph)
    batch = SnapshotBatch.from_graphs(list(graphs))
    batch.inputs.requires_grad_()
    rows = loss.residuals(network, batch, loss.outputs(network, batch))
    return dict(zip(loss.names, rows, strict=True))


def test_each_is_called_as_a_system_and_its_case():
    """A new system need not have one; those of today all have."""
    every = []
    for name in systems.names():
        first, *others = systems.cases(name) or [None]
        every += [name, *(f"{name}/{case}" for case in others)]
        assert new.FIRST_CASES.get(name) == first or name not in new.names()
    assert set(new.names()) <= set(every) and len(new.names()) >= 20
    assert new.template("gray_scott/front") == new.template("gray_scott")


@pytest.mark.parametrize("source", new.names())
def test_a_template_is_the_system_bit_for_bit(source, tmp_path, monkeypatch):
    name, _, case = source.partition("/")
    own, copied = systems.create(name, case=case or None), from_template(source, tmp_path)
    if not own.has_exact:  # a stored reference is slow to ask, and no term is made of it
        monkeypatch.setattr(own, "solution", own.data)
    for key in ("lower", "upper", "final_time", "default_nodes", "boundary", "has_exact"):
        assert getattr(copied, key) == getattr(own, key), key
    assert copied.field_scales() == own.field_scales()
    graph = node_graph(own, "grid", NODES[own.dimension], 2)
    for conditions in ("hard", "soft"):
        wanted, found = (residuals(one, conditions, graph) for one in (own, copied))
        assert list(found) == list(wanted) and len(wanted) == (4 if conditions == "hard" else 8)
        for term, rows in wanted.items():
            assert rows.square().mean() > 0
            assert torch.equal(found[term], rows), (conditions, term)
            assert torch.equal(found[term].square().mean(), rows.square().mean())


@pytest.mark.parametrize("source", [None, *new.names()])
def test_a_template_needs_torch_and_the_helpers_alone(source):
    text = new.template(source)
    tree = ast.parse(text)
    assert text.isascii() or source is None
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= {"math", "torch"}
        if isinstance(node, ast.ImportFrom):
            assert node.module == "pinn_ext.systems"
            assert {alias.name for alias in node.names} <= {"dirichlet", "neumann"}


def test_the_first_one_makes_a_turing_pattern(tmp_path):
    """A steady state that is stable without diffusion, and that diffusion makes unstable."""
    system = from_template(None, tmp_path)
    assert not system.has_exact and system.periodic and not system.needs_soft
    numbers = runpy.run_path(tmp_path / "problem.py")["PARAMETERS"]
    a, b, g, d_u, d_v = numbers.values()
    u, v = a + b, b / (a + b) ** 2
    f_u, f_v, g_u, g_v = g * (2 * u * v - 1), g * u**2, -2 * g * u * v, -g * u**2
    determinant = f_u * g_v - f_v * g_u
    assert f_u + g_v < 0 < determinant
    assert d_v * f_u + d_u * g_v > 2 * (d_u * d_v * determinant) ** 0.5
    known = by_runge_kutta(system, node_graph(system, "grid", 13, 2))
    fields = known.fields.reshape(21, -1, 2)
    start, end = (state.amax(dim=0) - state.amin(dim=0) for state in (fields[0], fields[-1]))
    assert start[0] < 0.6 and end[0] > 2.0 * start[0] and end[1] > 0.3
