"""Named arrays of npz and mat files, made by numpy, scipy and h5py: layouts, damage, refusals."""

import itertools
import pickle
import zipfile

import numpy as np
import pytest
import scipy.io

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets import outside_files
from pinn_ext.datasets.reference_files import read_reference

T, X, Y = np.linspace(0, 1, 4), np.linspace(-1, 1, 6), np.linspace(0, 2, 5)
U1, V1 = np.sin(X + T[:, None]), np.cos(X * T[:, None])
_T, _X, _Y = np.meshgrid(T, X, Y, indexing="ij")
U2, V2 = np.sin(_X + 2 * _Y + _T), np.cos(_X * _Y + _T)


def h5py():
    return pytest.importorskip("h5py", reason="the extra mesh is not installed")


def write(file, arrays):
    """Write arrays as the file's ending says: `.npz`, `.mat`, or `.7.mat` for MATLAB 7.3."""
    if file.suffix == ".npz":
        np.savez(file, **arrays)
    elif file.name.endswith(".7.mat"):
        with h5py().File(file, "w", userblock_size=512) as stored:
            for name, values in arrays.items():
                values = np.atleast_2d(values)
                if np.iscomplexobj(values):
                    pair = np.empty(values.shape, [("real", "f8"), ("imag", "f8")])
                    pair["real"], pair["imag"] = values.real, values.imag
                    values = pair
                item = stored.create_dataset(name, data=values.T, compression="gzip")
                item.attrs["MATLAB_class"] = np.bytes_("double")
        with file.open("r+b") as start:
            start.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    else:
        scipy.io.savemat(file, arrays, do_compression=True)
    return file


def refused(file, error=ArgumentError, **how):
    with pytest.raises(error) as caught:
        read_reference(file, **how)
    return str(caught.value)


kinds = pytest.mark.parametrize("kind", ["npz", "mat", "7.mat"])


# ---- layouts --------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("turn", [False, True])
@pytest.mark.parametrize("names", ["t x u v", "tt xx usol vsol", "time X u_star v_star"])
def test_one_dimension_in_either_orientation(tmp_path, kind, turn, names):
    t, x, u, v = names.split()
    arrays = {t: T[:, None], x: X[None], u: U1.T if turn else U1, v: V1.T, "p": np.zeros(3)}
    data = read_reference(write(tmp_path / f"data.{kind}", arrays), dimension=1)
    np.testing.assert_array_equal(data.x, X[:, None])
    np.testing.assert_array_equal(data.t, T)
    np.testing.assert_array_equal(data.u, U1)
    np.testing.assert_array_equal(data.v, V1)
    assert data.columns == {"x": x, "t": t, "u": u, "v": v}


@kinds
@pytest.mark.parametrize("name", ["uu", "usol", "exact", "psi"])
def test_a_complex_field_is_u_and_v(tmp_path, kind, name):
    file = write(tmp_path / f"data.{kind}", {"tt": T, "x": X, name: (U1 + 1j * V1).T})
    data = read_reference(file)
    np.testing.assert_array_equal(data.u, U1)
    np.testing.assert_array_equal(data.v, V1)


@kinds
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_axes_in_two_dimensions_in_any_order(tmp_path, kind, order):
    arrays = {"t": T, "x": X, "y": Y, "u": U2.transpose(order), "v": V2}
    data = read_reference(write(tmp_path / f"data.{kind}", arrays))
    np.testing.assert_array_equal(data.x, np.stack([_X[0].ravel(), _Y[0].ravel()], axis=1))
    np.testing.assert_array_equal(data.u, U2.reshape(4, 30))
    np.testing.assert_array_equal(data.v, V2.reshape(4, 30))


@kinds
@pytest.mark.parametrize("indexing", ["ij", "xy"])
@pytest.mark.parametrize("place", [0, 2])
def test_grids_of_coordinates(tmp_path, kind, indexing, place):
    xx, yy = np.meshgrid(X, Y, indexing=indexing)
    u = np.moveaxis(np.sin(xx + 2 * yy + T[:, None, None]), 0, place)
    arrays = {"t": T, "x": xx, "y": yy, "usol": u, "vsol": 2 * u}
    data = read_reference(write(tmp_path / f"data.{kind}", arrays))
    np.testing.assert_allclose(data.u, np.sin(data.x @ [1, 2] + T[:, None]), rtol=1e-15)
    assert data.u.shape == (4, 30)


def test_equal_sides_are_no_matter_where_the_coordinates_are_grids(tmp_path):
    xx, yy = np.meshgrid(X, X)
    u = np.sin(xx + 2 * yy + T[:, None, None])
    data = read_reference(write(tmp_path / "a.npz", {"t": T, "x": xx, "y": yy, "u": u, "v": u}))
    np.testing.assert_allclose(data.u, np.sin(data.x @ [1, 2] + T[:, None]), rtol=1e-15)


@kinds
@pytest.mark.parametrize("name", ["x", "X_star", "points"])
def test_points_that_lie_on_no_grid(tmp_path, kind, name):
    points = np.random.default_rng(0).random((7, 2))
    u = points @ [1, 2] + T[:, None]
    arrays = {"t": T, name: points, "u": u.T, "v": u}
    data = read_reference(write(tmp_path / f"data.{kind}", arrays), dimension=2)
    np.testing.assert_array_equal(data.x, points)
    np.testing.assert_array_equal(data.u, u)
    turned = {"t": T, name: points.T, "u": u, "v": u}
    np.testing.assert_array_equal(
        read_reference(write(tmp_path / f"turned.{kind}", turned)).x, points
    )
    lists = {"t": T, "x": points[:, 0], "y": points[:, 1], "u": u, "v": u}
    np.testing.assert_array_equal(
        read_reference(write(tmp_path / f"lists.{kind}", lists)).x, points
    )


def test_lists_of_samples(tmp_path):
    grid = {"t": _T, "x": _X, "y": _Y, "u": U2, "v": V2}
    data = read_reference(write(tmp_path / "grid.npz", grid))
    np.testing.assert_array_equal(data.u, U2.reshape(4, 30))
    some = np.random.default_rng(0).permutation(120)[:50]
    listed = {name: values.ravel()[some] for name, values in grid.items()}
    data = read_reference(write(tmp_path / "list.npz", listed))
    assert data.scattered
    np.testing.assert_array_equal(data.u, listed["u"])
    np.testing.assert_array_equal(data.x, np.stack([listed["x"], listed["y"]], axis=1))
    points = {"x": data.x, "t": data.t, "u": data.u, "v": data.v}
    again = read_reference(write(tmp_path / "points.npz", points))
    np.testing.assert_array_equal(again.x, data.x)
    np.testing.assert_array_equal(again.v, data.v)


def test_one_time_and_none(tmp_path):
    file = write(tmp_path / "one.npz", {"x": X, "t": 0.5, "u": U1[0], "v": V1[:1]})
    data = read_reference(file)
    assert data.t.tolist() == [0.5] and data.u.shape == (1, 6)
    file = write(tmp_path / "none.npz", {"x": X, "u": U1[0], "v": V1[:1]})
    assert refused(file) == (
        "`path` must hold t, or be told its name by `columns`, got x, u, v in none.npz."
    )
    assert read_reference(file, time=2).t.tolist() == [2.0]


def test_times_are_sorted_and_all_different(tmp_path):
    arrays = {"x": X, "t": T[::-1], "u": U1[::-1], "v": V1[::-1]}
    data = read_reference(write(tmp_path / "a.npz", arrays))
    np.testing.assert_array_equal(data.u, U1)
    assert data.notes == ("The times were not sorted.",)
    arrays["t"] = np.array([0, 1, 2, 1])
    assert refused(write(tmp_path / "a.npz", arrays)) == (
        "`path` must have times that are all different, got 1 twice in a.npz."
    )


def test_integers_and_single_precision_become_float64(tmp_path):
    arrays = {"x": np.arange(6), "t": T, "u": U1.astype("f4"), "v": V1.astype(">f8")}
    data = read_reference(write(tmp_path / "a.npz", arrays))
    assert data.x.dtype == data.u.dtype == np.float64 and data.v.dtype.isnative
    np.testing.assert_array_equal(data.v, V1)


# ---- what the lengths do not tell -----------------------------------------------------------


def test_axes_of_one_length_have_to_be_told(tmp_path):
    square = np.arange(16.0).reshape(4, 4)
    file = write(tmp_path / "a.npz", {"x": np.arange(4), "t": T, "u": square, "v": square})
    assert refused(file) == (
        "`path` must be told the axes of u by `columns`, as u[t,x] or u[x,t], as two have one "
        "length, got shape [4, 4] in a.npz."
    )
    data = read_reference(file, columns={"u": "u[t,x]", "v": " v [ x , t ]"})
    np.testing.assert_array_equal(data.u, square)
    np.testing.assert_array_equal(data.v, square.T)
    told = {"u": "u[t,t]"}
    assert refused(file, columns=told) == "`columns` must name each axis of u once, got u[t,t]."
    assert refused(file, columns={"u": "u[t,y]", "v": "v[t,x]"}) == (
        "`path` must have axes of u[t, y] as long as t 4, x 4, got shape [4, 4] in a.npz."
    )


def test_shapes_that_do_not_fit(tmp_path):
    arrays = {"x": X, "t": T, "u": U1[:, :5], "v": V1}
    assert refused(write(tmp_path / "a.npz", arrays)) == (
        "`path` must have axes of u as long as t 4, x 6, got shape [4, 5] in a.npz."
    )
    arrays = {"x": np.ones((4, 5)), "t": T, "u": U1, "v": V1}
    assert refused(write(tmp_path / "a.npz", arrays)) == (
        "`path` must hold points [N, d] for x, got shape [4, 5] in a.npz."
    )
    arrays = {"x": X, "t": np.ones((2, 3)), "u": U1, "v": V1}
    assert refused(write(tmp_path / "a.npz", arrays)) == (
        "`path` must hold times [T] or samples for t, got shape [2, 3] in a.npz."
    )
    arrays = {"x": np.ones((2, 3)), "y": Y, "t": T, "u": U1, "v": V1}
    assert refused(write(tmp_path / "a.npz", arrays)) == (
        "`path` must hold an axis or a grid for each coordinate, got [2, 3] and [5] in a.npz."
    )


# ---- refusals -------------------------------------------------------------------------------


@kinds
def test_missing_and_double_names(tmp_path, kind):
    def sentence(**arrays):
        return refused(write(tmp_path / f"a.{kind}", arrays))

    one, both = (f"or be told {words} by `columns`" for words in ("its name", "their names"))
    # In alphabetical order, as HDF5 lists them.
    assert sentence(t=T, u=U1, x=X) == f"`path` must hold v, {one}, got t, u, x in a.{kind}."
    assert sentence(a=U1, t=T, x=X) == f"`path` must hold u and v, {both}, got a, t, x in a.{kind}."
    assert sentence(t=T, u=U1, v=V1) == f"`path` must hold x, {one}, got t, u, v in a.{kind}."
    assert sentence(x=X, t=T, u=U1, usol=U1, v=V1) == (
        f"`path` must have one u, or be told which it is by `columns`, got u and usol in a.{kind}."
    )
    assert sentence(x=X, t=T, u=U1 + 1j, v=V1) == (
        f"`path` must hold real numbers for u, got complex u in a.{kind}."
    )


@kinds
def test_nan_is_named_by_its_place(tmp_path, kind):
    wrong = U1.copy()
    wrong[2, 3] = np.nan
    file = write(tmp_path / f"a.{kind}", {"x": X, "t": T, "u": wrong, "v": V1})
    assert refused(file) == (
        f"`path` must hold finite numbers, got nan in u[2, 3] (1 such number in all) in a.{kind}."
    )


@kinds
def test_empty_arrays(tmp_path, kind):
    file = write(tmp_path / f"a.{kind}", {"x": X, "t": T, "u": np.empty((0, 6)), "v": V1})
    assert refused(file) == f"`path` must hold numbers for u, got none in a.{kind}."


@kinds
def test_files_that_are_cut_off(tmp_path, kind):
    file = write(tmp_path / f"a.{kind}", {"x": X, "t": T, "u": U1, "v": V1})
    whole = file.read_bytes()
    for share in (0.3, 0.6, 0.9):
        file.write_bytes(whole[: int(share * len(whole))])
        sentence = refused(file)
        assert sentence.startswith("`path` must ") and sentence.endswith(f"in a.{kind}.")
    file.write_bytes(b"no such file" * 9)
    assert refused(file).startswith(f"`path` must be a whole {kind[-3:]} file, got ")


def test_damage_inside_of_a_zip(tmp_path):
    times = np.linspace(0, 1, 500)
    u = np.sin(X + times[:, None])
    file = write(tmp_path / "a.npz", {"x": X, "t": times, "u": u, "v": u})
    raw = bytearray(file.read_bytes())
    raw[raw.find(u.tobytes()[8000:8040])] ^= 255
    file.write_bytes(raw)
    assert "`path` must hold all of u, got BadZipFile (Bad CRC-32" in refused(file)


class _Bomb:
    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


def test_pickles_are_never_loaded(tmp_path):
    arrays = {"x": X, "t": T, "v": V1, "u": np.array([_Bomb()], dtype=object)}
    file = write(tmp_path / "a.npz", arrays)
    assert refused(file) == (
        "`path` must hold numbers for u, got pickled Python objects (never loaded) in a.npz."
    )
    data = read_reference(write(tmp_path / "b.npz", {**arrays, "more": arrays["u"], "u": U1}))
    np.testing.assert_array_equal(data.u, U1)
    (tmp_path / "c.npz").write_bytes(pickle.dumps(_Bomb()))
    assert refused(tmp_path / "c.npz").startswith("`path` must be a whole npz file")
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("readme.txt", "none")
    assert refused(tmp_path / "d.npz") == (
        "`path` must hold arrays of numpy (.npy), got none in d.npz."
    )


def test_what_matlab_has_beside_numbers(tmp_path):
    fields = {"x": X, "t": T, "u": {"value": U1}, "v": V1}
    assert refused(write(tmp_path / "a.mat", fields)) == (
        "`path` must hold numbers for u, got a struct in a.mat."
    )
    fields["u"] = np.array([U1, "text"], dtype=object)
    assert refused(write(tmp_path / "a.mat", fields)) == (
        "`path` must hold numbers for u, got a cell in a.mat."
    )
    fields["u"] = "text"
    assert refused(write(tmp_path / "a.mat", fields)) == (
        "`path` must hold numbers for u, got a char in a.mat."
    )
    fields["u"] = scipy.sparse.eye(4, format="csc")
    assert refused(write(tmp_path / "a.mat", fields)) == (
        "`path` must hold numbers for u, got a sparse matrix in a.mat."
    )


def test_what_matlab_73_has_beside_numbers(tmp_path):
    file = write(tmp_path / "a.7.mat", {"x": X, "t": T, "v": V1})
    with h5py().File(file, "r+") as stored:
        stored.create_group("u").attrs["MATLAB_class"] = np.bytes_("struct")
    assert refused(file) == "`path` must hold numbers for u, got a struct in a.7.mat."
    with h5py().File(file, "r+") as stored:
        del stored["u"]
        stored["u"] = np.zeros((2, 1), "u8")
        stored["u"].attrs.update({"MATLAB_class": np.bytes_("double"), "MATLAB_empty": 1})
    assert refused(file) == "`path` must hold numbers for u, got an empty array in a.7.mat."
    with h5py().File(file, "r+") as stored:
        stored["u"].attrs.update({"MATLAB_class": np.bytes_("cell"), "MATLAB_empty": 0})
    assert refused(file) == "`path` must hold numbers for u, got a cell in a.7.mat."


def test_a_package_that_is_missing_is_named_with_its_extra(tmp_path, monkeypatch):
    file = tmp_path / "a.mat"
    file.write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(9))

    def none(name):
        raise ImportError(name)

    monkeypatch.setattr(outside_files.importlib, "import_module", none)
    assert refused(file, ValueError) == (
        "h5py must be installed to read mat files of MATLAB 7.3: pip install 'pinn-ext[mesh]'."
    )


@kinds
def test_huge_arrays_are_refused_by_their_shape(tmp_path, kind, monkeypatch):
    file = write(tmp_path / f"a.{kind}", {"x": X, "t": T, "u": U1, "v": V1})
    monkeypatch.setattr(outside_files, "MOST_NUMBERS", 23)
    assert refused(file) == f"`path` must hold at most 23 numbers, got 24 of u in a.{kind}."


def test_a_shape_that_lies_takes_no_memory(tmp_path):
    file = tmp_path / "a.npz"
    with zipfile.ZipFile(file, "w") as archive, archive.open("u.npy", "w") as stream:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**7, 10**7)}
        np.lib.format.write_array_header_1_0(stream, header)
    with zipfile.ZipFile(file, "a") as archive:
        for name, values in {"x": X, "t": T, "v": V1}.items():
            with archive.open(f"{name}.npy", "w") as stream:
                np.save(stream, values)
    assert refused(file) == "`path` must hold at most 1e+08 numbers, got 1e+14 of u in a.npz."


def test_the_error_can_be_renamed_and_pickled(tmp_path):
    file = write(tmp_path / "a.npz", {"x": X})
    with pytest.raises(ArgumentError) as caught:
        read_reference(file)
    assert str(caught.value.renamed("problem.reference")).startswith(
        "`problem.reference` must hold"
    )
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
