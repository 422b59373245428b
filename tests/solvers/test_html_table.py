"""Tables for notebooks, and what solutions show by them."""

import pytest
import torch

from solvers import gauss_newton, quasi_newton
from solvers.html_table import html_table


def test_cells_are_text_and_numbers_are_short():
    table = html_table("a & b", ("x", "<y>"), [("<script>", 1 / 3), (12, "")])
    assert "<b>a &amp; b</b>" in table and "&lt;y&gt;" in table and "0.3333" in table
    assert "<script>" not in table and ">12<" in table
    assert html_table("alone", (), ()).count("<tr>") == 0


@pytest.mark.parametrize(
    "solution",
    [
        gauss_newton.least_squares(lambda x: x - 1.0, torch.zeros(3, dtype=torch.float64)),
        quasi_newton.minimize(lambda x: ((x**2).sum(), 2 * x), torch.ones(3, dtype=torch.float64)),
    ],
)
def test_a_solution_says_how_it_has_ended(solution):
    shown = solution._repr_html_()
    assert solution.success and "Solution, a minimum" in shown
    assert solution.message.replace("'", "&#x27;") in shown
    assert f">{solution.nfev}<" in shown and ">3<" in shown and "tensor" not in shown
