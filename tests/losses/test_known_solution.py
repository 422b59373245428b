"""Solutions that are known at samples: from files, and by Runge-Kutta steps on a graph."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from pinn_ext import systems
from pinn_ext.datasets.node_graphs import node_graph
from pinn_ext.datasets.reference_files import ReferenceData
from pinn_ext.losses.known_solution import KnownSolution, by_runge_kutta, within
from pinn_ext.losses.solution_error import Evaluator
from tests.lengths import quick_are

HEAT = Path(__file__).resolve().parents[1] / "systems" / "problem_files" / "heat.py"
F64 = torch.float64


def data(x, t, scale=1.0):
    u = np.ones((len(t), len(x)))
    return ReferenceData(np.asarray(x, float), np.asarray(t, float), scale * u, 2 * u, "made.npz")


def test_samples_outside_are_left_out_and_said():
    system = systems.create("brusselator", side=1.0)
    known = within(data([[0.5, 0.5], [0.5, 1.5]], [0.0, 1.0, 2.0]), system)
    assert known.inputs.tolist() == [[0.5, 0.5, 0.0], [0.5, 0.5, 1.0]]
    assert known.fields.tolist() == [[1.0, 2.0]] * 2 and known.label == "made.npz"
    assert known.notes == (
        "4 of 6 samples of made.npz lie outside of the domain or of [0, 1] in time and are left "
        "out.",
    )
    assert known.last[0].tolist() == [[0.5, 0.5, 1.0]]


@pytest.mark.parametrize(
    ("x", "t", "message"),
    [
        ([[0.5, 0.5]], [3.0, 4.0], r"have a time in \[0, 1\], got 3 to 4 in made.npz"),
        ([[5.0, 0.5]], [0.5], r"have points in the domain, got \[5, 5\] x \[0.5, 0.5\] in made"),
        ([[0.5]], [0.5], "have 2 space dimensions, as brusselator, got 1 in made.npz"),
    ],
)
def test_what_does_not_fit_is_refused(x, t, message):
    with pytest.raises(ValueError, match=f"`reference` must {message}"):
        within(data(x, t), systems.create("brusselator"))


def test_errors_are_those_by_hand():
    system = systems.create("brusselator")
    inputs = torch.rand(50, 3, dtype=F64)
    fields = torch.rand(50, 2, dtype=F64) + 1
    evaluator = Evaluator(system, "cpu", F64, KnownSolution(inputs, fields, "mine"))
    assert evaluator.label == "mine"

    def network(at):
        return at[:, :2] + 1

    errors = evaluator.errors(network)
    for i, field in enumerate("uv"):
        own, known = network(inputs)[:, i].numpy(), fields[:, i].numpy()
        by_hand = np.linalg.norm(own - known) / np.linalg.norm(known)
        assert errors[field] == pytest.approx(by_hand, rel=1e-14)


def test_many_samples_are_drawn_once_and_for_all():
    system = systems.create("brusselator")
    inputs = torch.rand(20000, 3, dtype=F64)
    known = KnownSolution(inputs, inputs[:, :2], "many")
    first, again = (Evaluator(system, "cpu", F64, known) for _ in range(2))
    assert len(first.inputs) == 8192 and torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.inputs[:, :2], first.reference)


def test_without_a_solution_errors_are_no_numbers(tmp_path):
    path = tmp_path / "open.py"
    text = HEAT.read_text()
    path.write_text(text.replace("def exact", "def wave"). replace("(exact)", "(wave)")
                    .replace("return exact", "return wave"))  # fmt: skip
    system = systems.from_file(path)
    evaluator = Evaluator(system, "cpu", F64)
    assert not system.has_solution and evaluator.label == "" and evaluator.reference is None
    for errors in (evaluator.errors(lambda at: at[:, :2]), evaluator.trivial("soft")):
        assert all(math.isnan(errors[field]) for field in "uv")


@pytest.mark.parametrize("problem", quick_are(["heat"], ["brusselator", "heat"]))
def test_the_solver_s_own_answer_converges_to_the_exact_solution(problem):
    system = systems.from_file(HEAT) if problem == "heat" else systems.create(problem)
    sizes, errors = (9, 13, 18), []
    for nodes in sizes:
        known = by_runge_kutta(system, node_graph(system, "grid", nodes, 2))
        exact = system.exact(known.inputs[:, :-1], known.inputs[:, -1])
        assert len(known.inputs) % 21 == 0
        start = known.inputs[:, -1] == 0
        torch.testing.assert_close(known.fields[start], exact[start], rtol=1e-12, atol=1e-12)
        errors.append(((known.fields - exact).norm(dim=0) / exact.norm(dim=0)).tolist())
    for field in (0, 1):
        order = -np.polyfit(np.log(sizes), np.log([e[field] for e in errors]), 1)[0]
        assert order > 1.6, errors


def test_its_error_is_estimated_by_another_order():
    system = systems.create("brusselator")
    graphs = [node_graph(system, "grid", 11, order) for order in (2, 4)]
    known = by_runge_kutta(system, *graphs)
    exact = system.exact(known.inputs[:, :-1], known.inputs[:, -1])
    late = known.inputs[:, -1] == 1.0
    u, v = ((known.fields - exact)[late].norm(dim=0) / exact[late].norm(dim=0)).tolist()
    (note,) = known.notes
    said = [float(word) for word in note.split() if "e-" in word]
    assert said == pytest.approx([u, v], rel=0.1) and "order 4" in note
