"""Fields on meshes at several times, written by meshio: VTU, VTK, PVD and XDMF."""

import numpy as np
import pytest

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets import outside_files
from pinn_ext.datasets.reference_files import read_reference

meshio = pytest.importorskip("meshio", reason="the extra mesh is not installed")

POINTS = np.random.default_rng(0).random((9, 2))
CELLS = [("triangle", np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8]]))]
TIMES = [0.0, 0.5, 2.0]


def fields(time, points=POINTS):
    x, y = points[:, :2].T
    return {"u": np.sin(x + time), "v": 1e-8 * np.cos(y * time), "p": x}


def in_space(points=POINTS, z=0.0):
    return np.column_stack([points, np.full(len(points), z)])


def write(file, time=0.0, points=None, data=None, **how):
    points = in_space() if points is None else points
    data = fields(time, points) if data is None else data
    meshio.Mesh(points, CELLS, point_data=data).write(file, **how)
    return file


def refused(file, error=ArgumentError, **how):
    with pytest.raises(error) as caught:
        read_reference(file, **how)
    return str(caught.value)


def pvd(folder, entries, name="run.pvd"):
    sets = "".join(f'<DataSet timestep="{t}" part="0" file="{file}"/>' for t, file in entries)
    file = folder / name
    file.write_text(
        f'<?xml version="1.0"?><VTKFile type="Collection"><Collection>{sets}</Collection></VTKFile>'
    )
    return file


def assert_is_written(data, points=POINTS, times=TIMES):
    np.testing.assert_array_equal(data.x, points)
    np.testing.assert_array_equal(data.t, times)
    for k, time in enumerate(times):
        np.testing.assert_array_equal(data.u[k], fields(time, points)["u"])
        np.testing.assert_array_equal(data.v[k], fields(time, points)["v"])


@pytest.mark.parametrize("ending", ["vtu", "vtk"])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("z", [0.0, -3.5])
def test_one_file_at_a_time_that_is_given(tmp_path, ending, binary, z):
    file = write(tmp_path / f"a.{ending}", 0.5, in_space(z=z), binary=binary)
    data = read_reference(file, time=0.5, dimension=2)
    assert data.u.dtype == data.x.dtype == np.float64 and data.u.dtype.isnative
    if binary or ending == "vtk":
        assert_is_written(data, times=[0.5])
    else:  # meshio writes twelve digits
        np.testing.assert_allclose(data.u[0], fields(0.5)["u"], rtol=1e-11)
    assert refused(file) == (
        "`path` must hold t, or be told its name by `columns`, got no TimeValue, u, v, p in "
        f"a.{ending}."
    )
    assert refused(file, time=0, dimension=1) == (
        f"`path` must have positions in 1 dimension, got 2 coordinates in a.{ending}."
    )


def test_a_line_and_a_space(tmp_path):
    line = np.column_stack([POINTS[:, 0], np.zeros((9, 2))])
    data = read_reference(write(tmp_path / "a.vtu", points=line), time=0)
    np.testing.assert_array_equal(data.x, POINTS[:, :1])
    assert read_reference(tmp_path / "a.vtu", time=0, dimension=2).x.shape == (9, 2)
    assert read_reference(tmp_path / "a.vtu", time=0, dimension=3).x.shape == (9, 3)
    space = np.random.default_rng(1).random((9, 3))
    np.testing.assert_array_equal(
        read_reference(write(tmp_path / "b.vtu", points=space), time=0).x, space
    )


def test_a_collection_of_paraview(tmp_path):
    (tmp_path / "parts").mkdir()
    for k in (2, 0, 1):
        write(tmp_path / "parts" / f"run_{k}.vtu", TIMES[k])
    file = pvd(tmp_path, [(TIMES[k], f"parts/run_{k}.vtu") for k in (1, 0, 2)])
    data = read_reference(file, dimension=2)
    assert_is_written(data)
    assert data.notes == ("The times were not sorted.",)


def test_numbered_files_that_state_their_times(tmp_path):
    for k, time in zip((2, 10, 11), TIMES, strict=True):
        file = write(tmp_path / f"run_{k}.vtu", time)
        stated = (
            '<FieldData><DataArray type="Float64" Name="TimeValue" NumberOfTuples="1" '
            f'format="ascii">\n{time}\n</DataArray></FieldData><Piece '
        )
        file.write_bytes(file.read_bytes().replace(b"<Piece ", stated.encode(), 1))
    data = read_reference(tmp_path / "run_*.vtu")
    assert_is_written(data)
    assert data.notes == ()  # sorted by number, not by name
    assert_is_written(read_reference(tmp_path / "run_10.vtu"), times=[0.5])
    assert refused(tmp_path / "other_*.vtu") == (
        "`path` must stand for files with numbers in their names, got none in other_*.vtu."
    )


@pytest.mark.parametrize("data_format", ["XML", "HDF"])
@pytest.mark.parametrize("flat", [True, False])
def test_xdmf_in_time(tmp_path, monkeypatch, data_format, flat):
    if data_format == "HDF":
        pytest.importorskip("h5py", reason="the extra mesh is not installed")
    monkeypatch.chdir(tmp_path)
    with meshio.xdmf.TimeSeriesWriter("a.xdmf", data_format=data_format) as series:
        series.write_points_cells(POINTS if flat else in_space(), CELLS)
        for time in TIMES:
            series.write_data(time, point_data=fields(time))
    data = read_reference(tmp_path / "a.xdmf", dimension=2)
    if data_format == "HDF":
        assert_is_written(data)
    else:  # text has fewer digits
        np.testing.assert_allclose(data.u, [fields(t)["u"] for t in TIMES], rtol=1e-12)


def test_xdmf_at_one_time(tmp_path, monkeypatch):
    pytest.importorskip("h5py", reason="the extra mesh is not installed")
    monkeypatch.chdir(tmp_path)
    assert_is_written(read_reference(write(tmp_path / "a.xdmf"), time=0), times=[0.0])


def test_a_mesh_that_changes_in_time(tmp_path):
    other = POINTS[:6] + 1.0
    write(tmp_path / "0.vtu", 0.0)
    meshio.Mesh(in_space(other), CELLS[:1], point_data=fields(1.0, other)).write(tmp_path / "1.vtu")
    data = read_reference(pvd(tmp_path, [(0, "0.vtu"), (1, "1.vtu")]))
    assert data.scattered and len(data.u) == 15
    np.testing.assert_array_equal(data.at(1.0).x, other)
    np.testing.assert_array_equal(data.at(1.0).u, fields(1.0, other)["u"])


def test_columns_are_told_and_may_be_parts_of_a_vector(tmp_path):
    velocity = np.arange(27.0).reshape(9, 3)
    file = write(tmp_path / "a.vtu", data={"velocity": velocity, "u": velocity[:, 2]})
    data = read_reference(file, time=0, columns={"u": "velocity[1]", "v": "velocity[0]"})
    np.testing.assert_array_equal(data.u[0], velocity[:, 1])
    np.testing.assert_array_equal(data.v[0], velocity[:, 0])
    assert refused(file, time=0) == (
        "`path` must hold v, or be told its name by `columns`, got velocity[0], velocity[1], "
        "velocity[2], u in a.vtu."
    )


def test_fields_at_cells_are_refused(tmp_path):
    cells = {"u": [np.ones(3)], "v": [np.ones(3)]}
    meshio.Mesh(in_space(), CELLS, cell_data=cells).write(tmp_path / "a.vtu")
    assert refused(tmp_path / "a.vtu", time=0) == (
        "`path` must hold u and v at the points, got u, v at the cells in a.vtu."
    )


def test_nan_is_named_by_its_point(tmp_path):
    data = fields(0.0)
    data["v"][4] = np.nan
    file = pvd(tmp_path, [(0, write(tmp_path / "a.vtu", data=data).name)])
    assert refused(file) == (
        "`path` must hold finite numbers, got nan in v of point 4 (1 such number in all) in a.vtu."
    )


@pytest.mark.parametrize(
    ("entries", "wanted", "got"),
    [
        ([], "list files with their times", "none"),
        ([("now", "a.vtu")], "have a timestep for each file", "now for a.vtu"),
        ([(0, "")], "name a file for each timestep", "none at 0"),
        (
            [(0, "a.vtu"), (0.0, "b.vtu")],
            "list one file for each time, as pieces are not put together",
            "two at 0",
        ),
    ],
)
def test_collections_that_do_not_fit(tmp_path, entries, wanted, got):
    assert refused(pvd(tmp_path, entries)) == f"`path` must {wanted}, got {got} in run.pvd."


def test_a_file_that_a_collection_lacks(tmp_path):
    sentence = refused(pvd(tmp_path, [(0, "none.vtu")]))
    assert sentence == f"`path` must name a file, got nothing at {tmp_path / 'none.vtu'}."


@pytest.mark.parametrize("ending", ["vtu", "vtk", "xdmf", "pvd"])
def test_damaged_files(tmp_path, monkeypatch, capfd, ending):
    monkeypatch.chdir(tmp_path)
    if ending == "pvd":
        file = pvd(tmp_path, [(0, "a.vtu")])
    elif ending == "xdmf":
        file = write(tmp_path / "a.xdmf", data_format="XML")
    else:
        file = write(tmp_path / f"a.{ending}")
    whole = file.read_bytes()
    for share in (0.05, 0.5, 0.9):
        file.write_bytes(whole[: int(share * len(whole))])
        sentence = refused(file, time=0)
        assert sentence.startswith("`path` must be ") and sentence.endswith(f" in {file.name}.")
    assert capfd.readouterr() == ("", "")  # meshio prints, and ends the program


def test_xdmf_whose_numbers_are_gone(tmp_path, monkeypatch):
    pytest.importorskip("h5py", reason="the extra mesh is not installed")
    monkeypatch.chdir(tmp_path)
    with meshio.xdmf.TimeSeriesWriter("a.xdmf") as series:
        series.write_points_cells(POINTS, CELLS)
        series.write_data(0.0, point_data=fields(0.0))
    (tmp_path / "a.h5").unlink()
    assert refused(tmp_path / "a.xdmf").startswith("`path` must be a whole xdmf file")


def test_steps_of_xdmf_on_other_meshes_are_refused(tmp_path):
    def grid(time, text):
        return (
            f'<Grid GridType="Uniform"><Time Value="{time}"/><Geometry GeometryType="XY">'
            f'<DataItem Dimensions="1 2" Format="XML">{text}</DataItem></Geometry></Grid>'
        )

    file = tmp_path / "a.xdmf"
    file.write_text(
        '<Xdmf Version="3.0"><Domain><Grid GridType="Collection" CollectionType="Temporal">'
        f"{grid(0, '0 0')}{grid(1, '0 1')}</Grid></Domain></Xdmf>"
    )
    assert (
        refused(file) == "`path` must have one mesh at all times, got 2 different ones in a.xdmf."
    )


def test_sizes_are_looked_at_first(tmp_path, monkeypatch):
    file = write(tmp_path / "a.vtu")
    monkeypatch.setattr(outside_files, "MOST_NUMBERS", 8)
    assert refused(file, time=0) == (
        "`path` must hold at most 8 numbers, got 9 of its points or cells in a.vtu."
    )
    monkeypatch.setattr(outside_files, "MOST_NUMBERS", 44)
    assert refused(file, time=0) == (
        "`path` must hold at most 44 numbers, got 45 of its steps in a.vtu."
    )


def test_without_meshio_a_sentence_names_the_extra(tmp_path, monkeypatch):
    file = write(tmp_path / "a.vtu")

    def none(name):
        raise ImportError(name)

    monkeypatch.setattr(outside_files.importlib, "import_module", none)
    assert refused(file, ValueError, time=0) == (
        "meshio must be installed to read .vtu files: pip install 'pinn-ext[mesh]'."
    )
