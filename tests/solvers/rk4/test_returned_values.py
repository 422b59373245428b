"""What the functions of a user return is refused in one short sentence if it is of another kind."""

import pytest
import torch

from solvers.operators import GraphOperators, grid_graph
from solvers.rk4 import SemiDiscrete, integrate, rk4_step

NODES = 500
D = GraphOperators.from_graph(grid_graph([NODES], [0.0], [1.0]))
STATE = torch.ones(NODES, 2, dtype=torch.float64)


@pytest.mark.parametrize(
    ("rhs", "got"),
    [
        (lambda u, v, d: d.laplacian(u), "a tensor [500]"),
        (lambda u, v, d: torch.stack([u, v], 1), "a tensor [500, 2]"),
        (lambda u, v, d: u.sum(), "a tensor []"),
        (lambda u, v, d: None, "None"),
        (lambda u, v, d: 0.0, "a float"),
        (lambda u, v, d: (u, 0.0), "2 values, the first a tensor [500]"),
        (lambda u, v, d: (u, v, u), "[[500], [500], [500]]"),
        (lambda u, v, d: list(u), "500 values, the first a tensor []"),
        (lambda u, v, d: (), "[]"),
        (lambda u, v, d: (u[:2], v), "[[2], [500]]"),
    ],
)
def test_a_right_hand_side_of_another_kind_is_refused(rhs, got):
    system = SemiDiscrete(rhs, D)
    for call in (
        lambda: system(0.0, STATE),
        lambda: rk4_step(system, STATE, 0.0, 1e-6),
        lambda: integrate(system, STATE, 0.0, 1e-6, 1e-6, limit=1.0),
    ):
        with pytest.raises(ValueError) as caught:
            call()
        assert str(caught.value) == f"`rhs` must return two tensors [500], got {got}."


@pytest.mark.parametrize(
    "rhs",
    [
        lambda u, v, d: [v, u],
        lambda u, v, d: torch.stack([v, u]),
        lambda u, v, d: (part for part in (v, u)),
    ],
)
def test_two_tensors_may_come_in_any_container(rhs):
    state = torch.stack([torch.zeros(NODES), torch.ones(NODES)], 1).double()
    assert torch.equal(SemiDiscrete(rhs, D)(0.0, state), state.flip(1))


def test_other_functions_that_return_no_tensor_are_refused():
    with pytest.raises(ValueError, match=r"`rhs` must return shape \[500, 2\], got a tuple"):
        rk4_step(lambda time, state: (state[:, 0], state[:, 1]), STATE, 0.0, 0.1)
    with pytest.raises(ValueError, match=r"`rhs` must return shape \[500, 2\], got \[500\]"):
        rk4_step(lambda time, state: state[:, 0], STATE, 0.0, 0.1)
    rod = grid_graph([5], [0.0], [1.0], boundary=[("dirichlet", "neumann")])
    d = GraphOperators.from_graph(rod)
    state = torch.ones(5, 2, dtype=torch.float64)

    def diffusion(u, v, d):
        return d.laplacian(u), d.laplacian(v)

    with pytest.raises(ValueError, match=r"`boundary` must return shape \[1, 2\], got None"):
        SemiDiscrete(diffusion, d, lambda x, t: None).constrain(0.0, state)
    with pytest.raises(ValueError, match=r"`flux` must return shape \[1, 2\], got a tuple"):
        SemiDiscrete(diffusion, d, flux=lambda x, n, t: (t, t))(0.0, state)
