"""COMSOL's text export, written here by its layout: a header of `%`, a column a field and time."""

import numpy as np
import pytest

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.reference_files import read_reference

TIMES = ("0", "0.1", "0.25")
# What stands before the numbers is in the exporter's language.
WORDS = {
    "english": ("Model", "Version", "Date", "Dimension", "Nodes", "Expressions", "Description"),
    "german": ("Modell", "Version", "Datum", "Dimension", "Knoten", "Ausdrücke", "Beschreibung"),
    "chinese": ("模型", "版本", "日期", "维度", "节点", "表达式", "描述"),
}


def export(columns, values, dimension, words=WORDS["english"], nodes=None, unit="m"):
    """Return the text that COMSOL would write of columns, each of them padded to 25 letters."""
    said = ("wave.mph", "COMSOL 6.0.0.354", "Aug 12 2023, 23:34", dimension)
    counts = (len(values) if nodes is None else nodes, len(columns) - dimension, "因变量 u")
    lines = [f"% {f'{word}:':<20}{value}" for word, value in zip(words, said + counts, strict=True)]
    if unit:  # not in one dimension
        lines.append(f"% {'Length unit:':<20}{unit}")
    lines.append("% " + "".join(f"{name:<25} " for name in columns).strip())
    for row in values:
        lines.append("".join(f"{value!r:<25}" for value in map(float, row)).strip())
    return "\n".join(lines) + "\n"


def nodes(count=20):
    """Return nodes in no order, one of them with a coordinate that rounding left."""
    x = np.random.default_rng(1).random((count, 2))
    x[3] = -4.6629367034256575e-15, 0.5
    return x


def fields(x, times=TIMES):
    t = np.array([float(time) for time in times])[:, None]
    return np.sin(x[:, 0] + t), 1e-5 * np.cos(x[:, 1] * t)


def write(folder, text, **how):
    file = folder / "wave.dat"
    file.write_text(text, **({"encoding": "utf-8"} | how))
    return file


def refused(folder, text, **how):
    with pytest.raises(ArgumentError) as caught:
        read_reference(write(folder, text), **how)
    return str(caught.value)


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("axes", [("x", "y"), ("X", "Y")])
@pytest.mark.parametrize("unit", ["", " (1)", " (K)", " (mol/(m^3*s))"])
def test_fields_at_times(tmp_path, language, axes, unit):
    x = nodes()
    u, v = fields(x)
    heads = [*axes, *(f"{f}{unit} @ t={t}" for t in TIMES for f in "uv")]
    values = np.concatenate([x, np.stack([u, v], axis=1).reshape(-1, len(x)).T], axis=1)
    file = write(tmp_path, export(heads, values, 2, WORDS[language]))
    assert len(file.read_text("utf-8").splitlines()) == 9 + len(x)
    data = read_reference(file)
    np.testing.assert_array_equal(data.x, x)
    np.testing.assert_array_equal(data.t, [0, 0.1, 0.25])
    np.testing.assert_array_equal(data.u, u)
    np.testing.assert_array_equal(data.v, v)
    told = unit.strip(" ").removeprefix("(").removesuffix(")")
    unit_note = f"Units are taken as they are: u in {told}, v in {told}."
    assert data.notes == (() if told in ("", "1") else (unit_note,))


def test_one_dimension_has_no_length_unit(tmp_path):
    x = nodes()[:, :1]
    heads = ["X", "u (1) @ t=0", "v (1) @ t=0", "p (Pa) @ t=0"]
    values = np.concatenate([x, x, 2 * x, 3 * x], axis=1)
    data = read_reference(write(tmp_path, export(heads, values, 1, unit="")))
    assert data.x.shape == (20, 1) and data.notes == ()
    np.testing.assert_array_equal(data.v[0], 2 * x[:, 0])
    data = read_reference(write(tmp_path, export(heads, values, 1, unit="")), columns={"v": "p"})
    np.testing.assert_array_equal(data.v[0], 3 * x[:, 0])


def test_a_parameter_stands_in_the_place_of_the_time(tmp_path):
    x = nodes()
    heads = ["x", "y", "u @ Re=100", "v @ Re=100", "p @ Re=100"]
    file = write(tmp_path, export(heads, np.concatenate([x, x, x[:, :1]], axis=1), 2, unit="null"))
    data = read_reference(file)
    assert data.t.tolist() == [100.0] and data.columns["t"] == "Re"
    assert data.notes == ("Re was taken in the place of the time.",)


def test_several_parameters(tmp_path):
    heads = ["x"] + [f"{f} @ t={t}; k={k}" for k in (1, 2) for t in (0, 1) for f in "uv"]
    text = export(heads, [[0.5, *range(1, 9)]], 1, unit="")
    assert refused(tmp_path, text) == (
        "`path` must have one k, or be told it by `columns`, got 1, 2 in wave.dat."
    )
    data = read_reference(write(tmp_path, text), columns={"k": "2"})
    assert data.u.tolist() == [[5], [7]] and data.v.tolist() == [[6], [8]]
    assert refused(tmp_path, text, columns={"k": 3}) == (
        "`columns` must give k as one of 1, 2, got '3'."
    )
    assert refused(tmp_path, text, columns={"t": "T"}) == (
        "`columns` must name t by one of t, k, got 'T' for wave.dat."
    )
    assert refused(tmp_path, text, columns={"m": 3}) == (
        "`columns` must have keys of x, y, z, t, u, v, k, got 'm'."
    )


def test_a_parameter_that_does_not_change_is_no_matter(tmp_path):
    heads = ["x"] + [f"{f} @ t={t}, k=2" for t in (0, 1) for f in "uv"]
    data = read_reference(write(tmp_path, export(heads, [[0.5, 1, 2, 3, 4]], 1, unit="")))
    assert data.t.tolist() == [0, 1] and data.u.tolist() == [[1], [3]] and data.notes == ()


def test_names_as_long_as_a_column_are_told_apart(tmp_path):
    heads = ["x", "u (m/s) @ t=0.12345678901", "v (m/s) @ t=0.12345678901"]
    assert all(len(head) == 25 for head in heads[1:])  # one blank is left between them
    data = read_reference(write(tmp_path, export(heads, [[0.5, 1, 2]], 1, unit="")))
    assert data.u.tolist() == [[1]] and data.t.tolist() == [0.12345678901]


def test_an_encoding_of_another_country(tmp_path):
    text = export(["x", "u @ t=0", "v @ t=0"], [[0, 1, 2]], 1, WORDS["chinese"], unit="")
    assert read_reference(write(tmp_path, text, encoding="gbk")).u.tolist() == [[1]]


def test_a_file_that_was_cut_off(tmp_path):
    heads = ["x", "u @ t=0", "v @ t=0"]
    assert refused(tmp_path, export(heads, [[0, 1, 2]], 1, nodes=101, unit="")) == (
        "`path` must have a line for each of the 101 nodes of its header, got 1 line in wave.dat."
    )
    short = export(heads, [[0, 1, 2]], 1, unit="").replace("v @ t=0", "")
    assert refused(tmp_path, short) == (
        "`path` must name 1 coordinate and 2 expressions, as its header says, got 2 columns in "
        "wave.dat."
    )


def test_nodes_outside_of_the_geometry(tmp_path):
    text = export(["x", "u @ t=0", "v @ t=0"], [[0, 1, 2], [1, np.nan, 3]], 1, unit="")
    assert refused(tmp_path, text) == (
        "`path` must hold finite numbers, got nan in line 10, column 2 (u) (1 such number in all) "
        "in wave.dat."
    )
