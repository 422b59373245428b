"""The picture and the table of the terms' gradients."""

import pytest

from pinn_ext.reports import gradient_plot
from pinn_ext.reports.event_files import gradient_table


def gradient_rows(names, count=3):
    k = len(names)
    cosines = [[1.0 if a == b else (-1) ** (a + b) * 0.3 for b in range(k)] for a in range(k)]
    return [
        {"step": 5 * i, "names": names, "norms": [0.0, *[1.0] * (k - 1)], "cosines": cosines}
        for i in range(1, count + 1)
    ]


@pytest.mark.parametrize("terms", [1, 2, 9])
def test_the_picture_of_any_number_of_terms(tmp_path, terms):
    path = tmp_path / "gradients.png"
    gradient_plot.draw(path, gradient_rows([f"term_{i}" for i in range(terms)]))
    assert path.stat().st_size > 5000


def test_a_table_whose_terms_change_keeps_all_columns():
    text = gradient_table([*gradient_rows(["a", "b"], 1), *gradient_rows(["a", "c"], 1)])
    lines = text.splitlines()
    scores = "alignment,conflict,size_ratio"
    assert lines[0] == f"step,norm_a,norm_b,cos_a_b,{scores},norm_c,cos_a_c"
    assert lines[1:] == ["5,0.0,1.0,-0.3,,,,,", "5,0.0,,,,,,1.0,-0.3"]
    assert gradient_table([]) == "step\n"
