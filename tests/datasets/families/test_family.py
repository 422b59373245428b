"""A family of problems: initial states, constants that vary, nodes, and what is refused."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pinn_ext import systems
from pinn_ext.datasets.families import Family, NodeSet, longest_step, relative_positions
from pinn_ext.systems.constants import rhs_with
from solvers.operators import GraphOperators, grid_graph
from tests.datasets.families.small import family, graphs

PLATE = Path(__file__).resolve().parents[2] / "data" / "plate.msh"


def test_a_problem_depends_on_its_number_and_its_split_alone():
    own = family()
    again, other = own.problem(0, 4), own.problem(1, 4)
    assert torch.equal(own.problem(0, 4).x, again.x)
    assert not torch.equal(own.problem(0, 5).x, again.x)
    assert not torch.equal(other.x, again.x)
    shared = own.nodes.graph(own.system, 0)
    assert torch.equal(own.problem(0, 4, shared).x, again.x)
    assert not torch.equal(family(seed=1).problem(0, 4).x, again.x)


def test_scales_are_those_of_the_states():
    own = family(per_side=8)
    x = torch.stack([own.problem(0, i).x for i in range(150)]).flatten(0, 1)
    for i in range(2):
        assert float(x[:, i].square().mean().sqrt()) == pytest.approx(own.scales[i], rel=0.1)
        assert float(x[:, i].std()) == pytest.approx(own.deviations[i], rel=0.2)
        assert float(x[:, i].min()) > 0
    signed = family(per_side=8, positive=False, mean=(-1.0, 0.0), spread=(0.5, 2.0))
    assert signed.scales == pytest.approx((math.sqrt(1.25), 2.0))
    assert signed.deviations == (0.5, 2.0)


def test_the_constants_of_a_problem_are_in_its_equation():
    own = family()
    graph = own.problem(0, 1)
    operators = GraphOperators.from_graph(graph)
    decay = 2.5 + 0.5 * float(graph.parameters)
    assert 2.0 < decay < 3.0
    u, v = graph.x.unbind(dim=1)
    wanted = 1.0 + u * u * v - (decay + 1.0) * u + 0.05 * operators.laplacian(u)
    found = own.equation(operators, graph.parameters)(0.0, graph.x)
    torch.testing.assert_close(found[:, 0], wanted, rtol=1e-12, atol=1e-12)


def test_a_system_keeps_its_own_constants():
    system = systems.create("gray_scott")
    rhs_with(system, {"feed": 7.0})
    assert system.feed == pytest.approx(0.09)
    with pytest.raises(ValueError, match="constants of gray_scott` must be one of du, dv, feed"):
        rhs_with(system, {"food": 1.0})
    with pytest.raises(ValueError, match="must be empty for schnakenberg"):
        rhs_with(systems.create("schnakenberg"), {"a": 1.0})


@pytest.mark.parametrize("nodes", ["cloud", "triangulation"])
@pytest.mark.parametrize("boundary", ["neumann", "dirichlet"])
@pytest.mark.parametrize("geometry", [None, "disk", "l_shape"])
def test_scattered_nodes_hold_constants_and_their_boundary(nodes, boundary, geometry):
    own = family(boundary, nodes, per_side=9, geometry=geometry, constants={"diffusion": 1.0})
    graph = own.problem(0, 0)
    assert bool(graph.boundary_mask.any()) == (boundary == "dirichlet")
    operators = GraphOperators.from_graph(graph)
    assert operators.laplacian(torch.ones(len(graph.pos), dtype=torch.float64)).abs().max() < 1e-9
    rates = own.equation(operators, graph.parameters)(0.0, graph.x)
    assert not rates[graph.boundary_mask].any() and rates[~graph.boundary_mask].abs().min() > 0


def test_each_problem_may_have_nodes_of_its_own():
    own = family("neumann", "cloud", per_side=8, own=True)
    first, second = own.problem(0, 0), own.problem(0, 1)
    assert first.pos.shape != second.pos.shape or not torch.equal(first.pos, second.pos)
    assert torch.equal(own.problem(0, 0).pos, first.pos)
    data = graphs(own)
    assert data.nodes is None and torch.equal(data[1].pos, second.pos)


def test_problems_take_domains_in_turn():
    nodes = NodeSet("cloud", 8, 2, "neumann", domains=("square", "disk"))
    own = replace(family("neumann", "cloud", per_side=8), nodes=nodes)
    first, second, third = (own.problem(0, i) for i in range(3))
    assert torch.equal(first.pos, third.pos) and len(first.pos) != len(second.pos)
    assert float((second.pos - 1.0).norm(dim=1).max()) == pytest.approx(1.0)
    assert not own.nodes.shared and "square, disk" in own.text()[0]
    there = own.on(["l_shape"])
    assert there.nodes.spacing(own.system) == own.nodes.spacing(own.system)
    assert there.description() != own.description()
    assert not ((there.problem(0, 0).pos - 1.0) > 1e-9).all(dim=1).any()  # a corner is missing


def test_a_family_on_a_mesh_keeps_the_unit_of_its_training(tmp_path):
    own = family("dirichlet", "cloud", per_side=8)
    there = own.on([str(PLATE)])
    graph = there.problem(0, 0)
    assert bool(graph.boundary_mask.any())
    source, target = graph.edge_index
    length = (graph.pos[source] - graph.pos[target]).norm(dim=1) / own.nodes.spacing(own.system)
    torch.testing.assert_close(graph.edge_attr[:, 2], length)
    copy = tmp_path / "another.msh"
    copy.write_bytes(PLATE.read_bytes())
    assert own.on([str(copy)]).description() == there.description()  # whatever it is called
    with pytest.raises(ValueError, match="`domains` must name mesh files, as in training"):
        there.on(["disk"])


def test_relative_positions_take_the_nearest_image():
    graph = grid_graph([5, 5], [0.0, 0.0], [1.0, 2.0])
    attributes = relative_positions(graph, 0.2, torch.tensor([1.0, 2.0]))
    assert attributes[:, :2].abs().amax(dim=0).tolist() == pytest.approx([1.0, 2.0])
    assert attributes[:, 2].tolist() == pytest.approx(attributes[:, :2].norm(dim=1).tolist())
    source, target = graph.edge_index
    across = (graph.pos[source] - graph.pos[target]).abs().amax(dim=1) > 0.5
    assert bool(across.any())


def test_the_longest_step_is_that_of_the_equation():
    """Of pure diffusion it is 2.785 over the Laplacian's spectral radius times the constant."""
    own = family(constants={"feed": 0.0, "decay": 0.0, "diffusion": 50.0}, per_side=8)
    step = longest_step(own, graphs(own, count=2))
    spacing = 2.0 / 8
    assert 0.9 < step / (2.785 * spacing**2 / (8 * 50.0)) <= 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"constants": {"feed": (2.0, 1.0)}}, "constants.feed` must be a number or the two ends"),
        ({"constants": {"feed": math.nan}}, "constants.feed` must be a finite number, got nan"),
        ({"mean": (0.0, 1.0)}, r"`mean` must be a finite number > 0, got 0.0"),
        ({"spread": (0.1,)}, r"`spread` must hold one number for u and one for v, got \[0.1\]"),
        ({"horizon": 0.0}, "`horizon` must be a finite number > 0, got 0.0"),
        ({"steps": 0}, "`steps` must be a whole number >= 1, got 0"),
        ({"boundary": "neumann", "nodes": "cloud", "spectrum": None}, None),
    ],
)
def test_what_is_no_family(changes, message):
    if message is None:  # waves that repeat with a box are for periodic ones
        with pytest.raises(ValueError, match="`fields` must be gaussian on a boundary"):
            family("neumann", "cloud", spectrum=family().spectrum)
        return
    with pytest.raises(ValueError, match=message):
        family(**changes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "cloud"}, "`boundary` must be neumann or dirichlet for scattered nodes"),
        ({"own": True}, "`own_nodes` must be false for a grid"),
        ({"name": "cloud", "boundary": "neumann", "order": 6}, "`order` must be one of 2, 4"),
        ({"per_side": 2}, "`nodes_per_side` must be a whole number >= 3, got 2"),
    ],
)
def test_nodes_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        NodeSet(**arguments)


def test_an_equation_with_sources_is_refused():
    with pytest.raises(ValueError, match="`system` must have an equation without sources"):
        Family(systems.create("predator_prey"), {}, (1.0, 1.0), (0.1, 0.1))


def test_a_grid_is_for_the_box():
    with pytest.raises(ValueError, match="`nodes` must be cloud or triangulation on another"):
        family("neumann", per_side=8, geometry="disk").problem(0, 0)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("belousov_zhabotinsky", {"ratio": 0.4}),
        ("lambda_omega", {"slope": 3.0}),
        ("lambda_omega", {"frequency": 2.0}),
        ("linear_reaction_diffusion", {"a": 0.2}),
        ("linear_reaction_diffusion", {"diffusion": 0.3}),
        ("gray_scott", {"loss": 0.05}),
    ],
)
def test_any_parameter_of_the_system_is_part_of_what_files_are_called(name, parameter):
    small = family("neumann", "cloud", per_side=8)
    own = replace(small, constants={}, system=systems.create(name))
    same = replace(own, system=systems.create(name))
    other = replace(own, system=systems.create(name, **parameter))
    assert own.description() == same.description() != other.description()
