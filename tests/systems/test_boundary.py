"""Conditions on the sides of a box: how they are written, and what they answer."""

import pytest
import torch

from pinn_ext.systems import dirichlet, neumann
from pinn_ext.systems.boundary import Sides

F64 = torch.float64
UNIT = ((0.0, 0.0), (1.0, 1.0))


def rising(x, t):
    return torch.stack((x[:, 1] + t, 2 * x[:, 1]), dim=1)


@pytest.mark.parametrize(
    ("written", "kind", "kinds"),
    [
        ("periodic", "periodic", (("periodic",) * 2,) * 2),
        (dirichlet((1.0, 2.0)), "dirichlet", (("dirichlet",) * 2,) * 2),
        (neumann(), "mixed", (("neumann",) * 2,) * 2),
        ({"x": "periodic", "y": dirichlet(rising)}, "mixed",
         (("periodic",) * 2, ("dirichlet",) * 2)),
        ({"x-": neumann(), "x+": dirichlet(rising), "y": "periodic"}, "mixed",
         (("neumann", "dirichlet"), ("periodic",) * 2)),
    ],
)  # fmt: skip
def test_what_each_side_is(written, kind, kinds):
    sides = Sides(written, *UNIT)
    assert (sides.kind, sides.kinds) == (kind, kinds)


def test_values_and_slopes_of_each_side():
    sides = Sides({"x-": dirichlet((5.0, 6.0)), "x+": neumann(rising), "y": neumann()}, *UNIT)
    x = torch.tensor([[0.0, 0.5], [1.0, 0.5], [0.5, 0.0], [0.0, 1.0]], dtype=F64)
    t = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=F64)
    assert sides.gives_values(x).tolist() == [True, False, False, True]
    other = torch.full((4, 2), 9.0, dtype=F64)
    assert sides.values(x, t, other).tolist() == [[5, 6], [9, 9], [9, 9], [5, 6]]
    normals = torch.tensor([[-1.0, 0], [1, 0], [0, -1], [0, 1]], dtype=F64)
    assert sides.has_slopes
    assert sides.slopes(x, normals, t).tolist() == [[0, 0], [2.5, 1.0], [0, 0], [0, 0]]


def test_the_slope_along_a_mean_normal_is_made_of_both_sides():
    sides = Sides({"x": neumann((3.0, 0.0)), "y": neumann((0.0, 4.0))}, *UNIT)
    corner = torch.ones(1, 2, dtype=F64)
    found = sides.slopes(corner, corner / 2**0.5, corner[:, 0])
    torch.testing.assert_close(found, torch.tensor([[3.0, 4.0]], dtype=F64) / 2**0.5)


def test_a_function_need_not_be_finite_on_other_sides():
    sides = Sides({"x-": dirichlet(lambda x, t: 1 / x[:, 1:] * t[:, None].new_ones(2)),
                   "x+": neumann(), "y": neumann()}, *UNIT)  # fmt: skip
    x = torch.tensor([[0.0, 0.5], [0.5, 0.0]], dtype=F64)
    values = sides.values(x, torch.zeros(2, dtype=F64), torch.zeros(2, 2, dtype=F64))
    assert values.tolist() == [[2.0, 2.0], [0.0, 0.0]]


def test_nodes_in_float32_lie_on_their_side():
    sides = Sides(dirichlet((1.0, 1.0)), (0.1, 0.3), (0.7, 0.9))
    corners = torch.tensor([[0.1, 0.3], [0.7, 0.9]], dtype=torch.float32)
    assert sides.gives_values(corners).all()
    assert not sides.gives_values(corners + torch.tensor([[1e-3, 1e-3], [-1e-3, -1e-3]])).any()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"x": "periodic"}, "`BOUNDARY` must name each side, y-, y[+] too"),
        ({"x": "periodic", "z": neumann(), "y": neumann()}, "side of BOUNDARY.* must be one of x"),
        ({"x": neumann(), "x-": neumann(), "y": neumann()}, "`BOUNDARY` must name side x- once"),
        ({"x-": "periodic", "x+": neumann(), "y": neumann()}, "both sides of x periodic, or none"),
        ("dirichlet", "must be made of dirichlet"),
        (3.0, "must be made of dirichlet"),
    ],
)
def test_what_no_boundary_is(written, message):
    with pytest.raises(ValueError, match=message):
        Sides(written, *UNIT)


@pytest.mark.parametrize("value", [1.0, (1.0,), "ab", (1.0, float("nan")), None])
def test_what_no_values_are(value):
    for make in (dirichlet, neumann):
        with pytest.raises(ValueError, match=f"`{make.__name__}` must"):
            make(value)


def test_a_function_that_returns_one_field():
    sides = Sides(dirichlet(lambda x, t: t), *UNIT)
    with pytest.raises(ValueError, match=r"must return u and v side by side.*got \[3\] of torch"):
        sides.values(torch.zeros(3, 2), torch.zeros(3), torch.zeros(3, 2))
