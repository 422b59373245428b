"""Stored references: within the limits, describing themselves, refused in one sentence."""

import json

import numpy as np
import pytest

import pinn_ext.references as references
from pinn_ext.checks import ArgumentError
from pinn_ext.references import recipes, store
from pinn_ext.references.cases import scalar
from pinn_ext.references.fourier import FourierGrid

NAMES = references.names()
ABOUT = {
    *("name", "source", "equation", "parameters", "lower", "upper", "final_time", "fields"),
    *("kinked", "method", "resolution", "nodes", "coarse_nodes", "stored_nodes", "step"),
    *("differences", "rounding", "accuracy", "accuracy_between", "independent"),
    *("seconds", "machine", "versions"),
}
AIM = 1e-5
"""What differences must stay below: of resolutions, and of the independent method."""


def test_every_reference_is_stored_and_nothing_else():
    files = {path.name for path in store.FOLDER.iterdir()}
    assert files == {store.file_of(name).name for name in NAMES}


def test_files_are_small():
    sizes = [path.stat().st_size for path in store.FOLDER.iterdir()]
    assert max(sizes) <= store.LARGEST == 300_000
    assert sum(sizes) <= store.LARGEST_SUM == 2_000_000


@pytest.mark.parametrize("name", NAMES)
def test_a_file_can_be_read_without_this_package(name):
    with np.load(store.file_of(name), allow_pickle=False) as file:
        arrays = dict(file)
    about = json.loads(str(arrays.pop("about")))
    axes = ["x", "y"][: len(about["lower"])]
    assert set(arrays) == {*axes, "t", *about["fields"]}
    shape = (len(arrays["t"]), *(len(arrays[axis]) for axis in axes))
    for field in about["fields"]:
        values = arrays[field]
        assert values.shape == shape and np.isfinite(values).all()
        assert values.dtype == recipes.find(name).dtype
    assert arrays["t"][0] == 0 and arrays["t"][-1] == about["final_time"]
    assert np.all(np.diff(arrays["t"]) > 0)
    for axis, low, high in zip(axes, about["lower"], about["upper"], strict=True):
        x = arrays[axis]
        assert x[0] == low and x[-1] + (x[1] - x[0]) == pytest.approx(high)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_what_it_is_and_how_good(name):
    reference = references.load(name)
    about = reference.about
    assert set(about) == ABOUT
    problem = recipes.find(name).problem
    assert about["parameters"] == problem.parameters, "made with other numbers: build it again"
    assert about["nodes"] == recipes.find(name).nodes, "made by another recipe: build it again"
    assert about["step"] == recipes.find(name).step, "made by another recipe: build it again"
    assert reference.times == pytest.approx(recipes.find(name).times)
    for field in problem.fields:
        parts = [*(row[field] for row in about["differences"].values()), about["rounding"][field]]
        assert reference.accuracy[field] == pytest.approx(sum(parts), rel=0.05)
        assert reference.accuracy[field] < AIM
        if not problem.kinked:
            assert about["independent"]["difference"][field] < AIM
    assert set(about["versions"]) == {"pinn_ext", "numpy", "scipy"}
    assert about["source"] in reference.provenance and about["method"] in reference.provenance


@pytest.mark.parametrize("name", NAMES)
def test_the_first_state_is_the_start(name):
    reference = references.load(name)
    problem = reference.problem
    points = np.stack(np.meshgrid(*reference.axes, indexing="ij"), -1)
    start = problem.start(points.reshape(-1, problem.dimension)).reshape(reference.values[0].shape)
    assert reference.values[0] == pytest.approx(start, abs=2e-7)


def test_schroedinger_keeps_its_mass_in_the_file():
    reference = references.load("schroedinger/raissi")
    mass = (reference.u**2 + reference.v**2).mean(axis=1)
    assert mass == pytest.approx(np.full(len(mass), mass[0]), rel=1e-6)


def test_schroedinger_is_the_periodic_problem_and_not_the_breather():
    # Their known distance on [-5, 5]: 6.87e-3 as complex fields, relative L2 over the whole time.
    reference = references.load("schroedinger/raissi")
    x, t = reference.axes[0], reference.times[:, None]
    above = np.cosh(3 * x) + 3 * np.exp(4j * t) * np.cosh(x)
    breather = 4 * np.exp(0.5j * t) * above
    breather /= np.cosh(4 * x) + 4 * np.cosh(2 * x) + 3 * np.cos(4 * t)
    difference = reference.u + 1j * reference.v - breather
    found = np.linalg.norm(difference) / np.linalg.norm(breather)
    assert found == pytest.approx(6.87e-3, rel=0.1)


def test_kdv_has_zabuskys_and_kruskals_solitons():
    # 1/pi after the start the front is steepest; at 1 a train of solitons stands instead.
    u = references.load("kdv/jaxpi").u
    assert u.max() > 2.3 and u.mean(axis=1) == pytest.approx(np.zeros(len(u)), abs=1e-9)
    assert (u**2).mean(axis=1) == pytest.approx(np.full(len(u), 0.5), rel=1e-7)


def test_the_grids_are_those_of_the_modes():
    reference = references.load("gray_scott/jaxpi")
    grid = FourierGrid((-1, -1), (1, 1), len(reference.axes[0]), True)
    assert np.array_equal(np.stack(reference.axes), np.stack(grid.axes))


# ---- bad input -----------------------------------------------------------------------------------


def test_an_unknown_name_is_refused_with_the_legal_ones():
    with pytest.raises(ArgumentError, match=r"one of allen_cahn/jaxpi, .*did you mean 'gray_scott"):
        references.load("gray_scott/jax")


def test_a_missing_file_says_what_builds_it(tmp_path):
    command = f"`python -m pinn_ext.references kdv/jaxpi --out {tmp_path}` builds it"
    with pytest.raises(FileNotFoundError) as caught:
        references.load("kdv/jaxpi", tmp_path)
    assert command in str(caught.value)


def test_another_reference_under_that_name_is_refused(tmp_path):
    other = store.file_of("kdv/jaxpi").read_bytes()
    store.file_of("burgers/raissi", tmp_path).write_bytes(other)
    with pytest.raises(ValueError, match="must hold burgers/raissi, got kdv/jaxpi"):
        references.load("burgers/raissi", tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"x,t\n0,0\n"])
def test_a_damaged_file_is_refused(tmp_path, content):
    store.file_of("kdv/jaxpi", tmp_path).write_bytes(content)
    with pytest.raises(ValueError, match=r"kdv_jaxpi\.npz cannot be read as a reference"):
        references.load("kdv/jaxpi", tmp_path)


def test_a_file_that_is_too_large_is_not_left_behind(tmp_path):
    noise = np.random.default_rng(0).random((40, 1024))
    axis = FourierGrid((-1,), (1,), 1024, True).axes
    large = references.Reference("kdv/jaxpi", axis, np.arange(40.0), noise, None, {})
    with pytest.raises(ValueError, match="must have at most 300000 bytes, got 3"):
        store.save(large, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_read_back(tmp_path):
    stored = references.load("burgers_2d/periodic")
    path = store.save(stored, tmp_path / "new")
    again = references.load("burgers_2d/periodic", path.parent)
    assert np.array_equal(again.values, stored.values) and again.about == stored.about
    assert path.read_bytes() == store.save(stored, tmp_path / "other").read_bytes()


def test_rounding_is_to_multiples_and_leaves_no_negative_zero():
    values = np.array([0.3, -1e-9, 2.0])
    found = store.rounded(values, 0.25, "float32")
    assert found.tolist() == [0.25, 0, 2] and found.dtype == np.float32
    assert not np.signbit(found[1])
    assert store.rounded(values, 0.0, "float64").tolist() == values.tolist()
    with pytest.raises(ValueError, match=r"power of 2, got 0\.3"):
        store.rounded(values, 0.3, "float32")


def test_a_scalar_reference_has_no_v():
    reference = references.load("allen_cahn/jaxpi")
    assert reference.v is None and reference.values.shape[1] == 1
    assert reference.problem is scalar.ALLEN_CAHN
