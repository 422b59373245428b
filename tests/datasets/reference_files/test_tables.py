"""Tables of text: columns by name or place, separators, decimal commas, and what is refused."""

import csv

import numpy as np
import pytest

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets import outside_files
from pinn_ext.datasets.reference_files import read_reference

X, T = np.linspace(0.0, 1.0, 5), np.array([0.0, 0.1, 0.4])
U, V = np.sin(X + 3 * T[:, None]), 1e-7 * np.exp(X * T[:, None])


def rows(x=X, t=T, u=U, v=V):
    """Return lines x, t, u, v, all points of a time together."""
    return [(x[n], t[k], u[k, n], v[k, n]) for k in range(len(t)) for n in range(len(x))]


def write(folder, text, name="data.csv", **how):
    file = folder / name
    file.write_text(text, **({"encoding": "utf-8"} | how))
    return file


def refused(folder, text, **how):
    """Return the sentence that refuses a table."""
    with pytest.raises(ArgumentError) as caught:
        read_reference(write(folder, text), **how)
    return str(caught.value)


def assert_is_written(data, x=X[:, None], t=T, u=U, v=V):
    for ours, theirs in ((data.x, x), (data.t, t), (data.u, u), (data.v, v)):
        assert ours.dtype == np.float64
        np.testing.assert_array_equal(ours, theirs)


# ---- read back ------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("head", [["x", "t", "u", "v"], ["X", "Time", "u_exact", "v_exact"]])
def test_what_csv_writes_is_read(tmp_path, separator, head):
    file = tmp_path / "data.csv"
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream, delimiter=separator)
        writer.writerow(head)
        writer.writerows([[repr(float(value)) for value in row] for row in rows()])
    data = read_reference(file)
    assert_is_written(data)
    assert data.columns == dict(zip("xtuv", head, strict=True))
    assert data.notes == () and data.source == str(file)


def test_what_numpy_writes_is_read_with_names_in_a_comment(tmp_path):
    file = tmp_path / "data.txt"
    np.savetxt(file, rows(), header="x t u v", fmt="%.17g")
    assert_is_written(read_reference(file))
    np.savetxt(file, rows(), header="made on Monday", fmt="%.17g")
    data = read_reference(file)
    assert_is_written(data)
    assert data.notes == ("The columns have no names and were taken for x, t, u, v.",)


def test_order_of_lines_and_columns_does_not_matter(tmp_path):
    shuffled = np.random.default_rng(0).permutation(rows())
    file = write(tmp_path, "p,v,u,t,x\n", "data.csv")
    with file.open("a") as stream:
        np.savetxt(stream, np.insert(shuffled[:, ::-1], 0, 7.0, axis=1), "%.17g", ",")
    data = read_reference(file)
    kept = np.array([np.flatnonzero(x == X)[0] for x in data.x[:, 0]])
    assert len(set(kept)) == len(kept) == 5
    assert_is_written(data, X[kept, None], T, U[:, kept], V[:, kept])
    first = shuffled[shuffled[:, 1] == T[0], 0]
    np.testing.assert_array_equal(data.x[:, 0], first)  # as the file has them


def test_columns_are_told(tmp_path):
    file = write(tmp_path, "r,s,U1,U2,u\n0,1,2,3,9\n1,1,4,5,9\n")
    data = read_reference(file, columns={"x": "r", "t": "s", "u": "U1", "v": "U2"})
    assert data.u.tolist() == [[2, 4]] and data.v.tolist() == [[3, 5]] and data.t.tolist() == [1]
    file = write(tmp_path, "0 1 2 3 9\n1 1 4 5 9\n")
    data = read_reference(file, columns={"x": 1, "t": "2", "u": 4, "v": 3})
    assert data.u.tolist() == [[3, 5]] and data.columns["u"] == "4"


def test_decimal_commas_are_taken_where_something_else_separates(tmp_path):
    for text in ("x;t;u;v\n0,5;0;1,25;-2,5e-3\n", "x t u v\n0,5 0,0 1,25 -2,5e-3\n"):
        data = read_reference(write(tmp_path, text))
        assert [data.x.item(), data.u.item(), data.v.item()] == [0.5, 1.25, -2.5e-3]
        assert data.notes == ("Commas were read as decimal points.",)


def test_comments_blank_lines_and_foreign_line_ends(tmp_path):
    text = "# by hand\r\n\r\nx, t, u, v\r\n0, 0, 1, 2\r\n% later\r\n  \r\n1, 0, 3, 4\r\n"
    assert read_reference(write(tmp_path, text)).u.tolist() == [[1, 3]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path, encoding):
    text = "# größe\nx,t,u,v\n0,0,1,2\n"
    assert read_reference(write(tmp_path, text, encoding=encoding)).u.tolist() == [[1]]


def test_the_separator_that_excel_states(tmp_path):
    data = read_reference(write(tmp_path, "sep=;\nx;t;u;v\n0;0;1,5;2\n"))
    assert data.u.tolist() == [[1.5]]


def test_quoted_names_and_units(tmp_path):
    data = read_reference(write(tmp_path, '"x (m)","t [s]","u","v (K)"\n0,0,1,2\n'))
    assert data.columns == {"x": "x", "t": "t", "u": "u", "v": "v"}
    assert data.notes == ("Units are taken as they are: x in m, v in K, t in s.",)


def test_points_in_space_and_their_number_of_dimensions(tmp_path):
    file = write(tmp_path, "x,y,z,t,u,v\n0,1,2,0,4,5\n")
    assert read_reference(file).x.tolist() == [[0, 1, 2]]
    assert refused(tmp_path, "x,y,t,u,v\n0,1,0,4,5\n", dimension=1) == (
        "`path` must have positions in 1 dimension, got 2 coordinates in data.csv."
    )


def test_a_time_is_given_to_a_file_that_states_none(tmp_path):
    text = "x,u,v\n0,1,2\n1,3,4\n"
    assert refused(tmp_path, text) == (
        "`path` must hold t, or be told its name by `columns`, got x, u, v in data.csv."
    )
    data = read_reference(write(tmp_path, text), time=0.5)
    assert data.t.tolist() == [0.5] and data.u.tolist() == [[1, 3]]
    data = read_reference(write(tmp_path, "0,0,1,2\n1,0,3,4\n"), time=0.5, dimension=2)
    assert data.x.shape == (2, 2) and data.t.tolist() == [0.5]


def test_points_that_move_are_single_samples(tmp_path):
    data = read_reference(write(tmp_path, "x,t,u,v\n0,0,1,2\n1,0,3,4\n0,1,5,6\n2,1,7,8\n"))
    assert data.scattered and data.u.tolist() == [1, 3, 5, 7] and data.t.tolist() == [0, 0, 1, 1]
    assert data.notes == ("The points are not the same at all times: the data are single samples.",)


def test_wide_tables_have_the_time_in_the_names(tmp_path):
    data = read_reference(write(tmp_path, "x,u @ t=1,v @ t=1,u @ t=0,v @ t=0\n0,1,2,3,4\n"))
    assert data.t.tolist() == [0, 1] and data.u.tolist() == [[3], [1]]
    assert data.v.tolist() == [[4], [2]] and data.notes == ("The times were not sorted.",)


# ---- duplicates -----------------------------------------------------------------------------


def test_samples_that_stand_there_twice_are_taken_once(tmp_path):
    text = "x,t,u,v\n0,0,1,2\n1,0,3,4\n-0.0,0,1.0000000000001,2\n"
    data = read_reference(write(tmp_path, text))
    assert data.x.tolist() == [[0], [1]] and data.u.tolist() == [[1, 3]]
    assert data.notes == ("1 sample that stood there twice were taken once.",)


def test_samples_that_disagree_are_refused(tmp_path):
    assert refused(tmp_path, "x,t,u,v\n0,0,1,2\n1,0,3,4\n0,0,1,2.1\n") == (
        "`path` must have one value of u and v at each point and time, got two that differ at "
        "(0, 0), line 2 and line 4, in data.csv."
    )


# ---- refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted", "got"),
    [
        ("x,t,u,w\n0,0,1,2\n", "hold v, or be told its name by `columns`", "x, t, u, w"),
        ("y,t,u,v\n0,0,1,2\n", "hold x, or be told its name by `columns`", "y, t, u, v"),
        ("x,t,u,v\n", "hold lines of numbers", "only the names of columns"),
        ("# nothing\n", "hold lines of numbers", "none"),
        ("x,t,u,v\n0,0,1\n", "have 4 columns in each line", "3 in line 2"),
        ("x t u v\n0 0 1 2\n\n0 0 1 2 3\n", "have 4 columns in each line", "5 in line 4"),
        ("x,t,u,v\n0,0,1,2\n1,0,one,2\n", "hold numbers", "'one' in line 3, column 3"),
        ("x,t,u,v\n0,0,,2\n", "hold numbers", "'' in line 2, column 3"),
        ("0;0;1.000,5;2\n", "hold numbers", "'1.000.5' in line 1, column 3"),
        (
            "x,t,u,v\n0,0,1,2\n1,0,2,NaN\n",
            "hold finite numbers",
            "nan in line 3, column 4 (v) (1 such number in all)",
        ),
        (
            "x,t,u,v\n0,inf,1,2\n1,0,2,nan\n",
            "hold finite numbers",
            "inf in line 2, column 2 (t) (2 such numbers in all)",
        ),
        ("x,t,u,v,v\n0,0,1,2,3\n", "have columns of different names", "'v' twice"),
        (
            "x,t,u,usol,v\n0,0,1,2,3\n",
            "have one u, or be told which it is by `columns`",
            "u and usol",
        ),
        (
            "0,0,1\n",
            "have columns x, t, u, v in this order, with y and z after x, where it names none",
            "3 columns",
        ),
        ("x,u @ t=0,v\n0,1,2\n", "state the time of every column of u and v", "none of v"),
        ("x,u @ t=0,v @ t=1\n0,1,2\n", "have u and v at the same t", "t=0 for one of them"),
        ("x,u @ t=a,v @ t=a\n0,1,2\n", "state t as a number for each u", "a in column 2"),
        (
            "x,u @ t=0,u @ t=0.0,v @ t=0\n0,1,2,3\n",
            "have each t of u once",
            "0 in column 3 as in column 2",
        ),
        ("x\0t", "be text", "bytes of something else"),
    ],
)
def test_refusals(tmp_path, text, wanted, got):
    assert refused(tmp_path, text) == f"`path` must {wanted}, got {got} in data.csv."


def test_nan_in_a_column_that_is_not_used_does_not_matter(tmp_path):
    assert read_reference(write(tmp_path, "x,t,u,v,p\n0,0,1,2,nan\n")).u.tolist() == [[1]]


def test_told_columns_that_are_not_there(tmp_path):
    text = "x,t,u,v\n0,0,1,2\n"
    assert refused(tmp_path, text, columns={"u": "U1"}) == (
        "`columns` must name u by one of x, t, u, v, got 'U1' for data.csv."
    )
    assert refused(tmp_path, text, columns={"w": "u"}) == (
        "`columns` must have keys of x, y, z, t, u, v, got 'w'."
    )
    assert refused(tmp_path, text, columns={"u": " "}) == (
        "`columns` must name u in the file, got ''."
    )
    assert refused(tmp_path, text, columns=["u"]) == (
        "`columns` must map x, y, z, t, u or v to their names, got ['u']."
    )


def test_files_that_are_not_there_or_not_for_us(tmp_path):
    def sentence(path, **how):
        with pytest.raises(ArgumentError) as caught:
            read_reference(path, **how)
        return str(caught.value).replace(str(tmp_path), "FOLDER")

    named = "`path` must name a file, got"
    assert sentence(tmp_path / "no.csv") == f"{named} nothing at FOLDER/no.csv."
    (tmp_path / "folder.csv").mkdir()
    assert sentence(tmp_path / "folder.csv") == f"{named} something else at FOLDER/folder.csv."
    assert sentence(3) == f"{named} 3." and sentence("") == f"{named} ''."
    assert "got '.xlsx' of a.xlsx." in sentence(tmp_path / "a.xlsx")
    (tmp_path / "empty.csv").touch()
    assert sentence(tmp_path / "empty.csv") == "`path` must hold data, got 0 bytes in empty.csv."
    assert sentence("a\0.csv").startswith("`path` must name a file")
    assert sentence("a.csv", dimension=4).startswith("`dimension` must be a whole number in [1, 3]")
    assert sentence("a.csv", time=np.nan).startswith("`time` must be a finite number")


def test_too_large_a_file_is_refused_before_it_is_read(tmp_path, monkeypatch):
    text = "x,t,u,v\n0,0,1,2\n1,0,1,2\n"
    monkeypatch.setattr(outside_files, "MOST_NUMBERS", 7)
    assert refused(tmp_path, text) == (
        "`path` must hold at most 7 numbers, got 8 of its table in data.csv."
    )
    monkeypatch.setattr(outside_files, "MOST_BYTES", 20)
    assert refused(tmp_path, text) == "`path` must have at most 20 bytes, got 24 in data.csv."
