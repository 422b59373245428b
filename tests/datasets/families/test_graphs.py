"""The data set of a family: processed once, kept in a file, whole or made again."""

import pytest
import torch
from torch_geometric.data import Batch

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.families import FamilyGraphs, cache, references
from pinn_ext.datasets.families import problems as problems_module
from pinn_ext.datasets.families.trajectories import NoTrajectory, trajectory
from solvers.operators import GraphOperators
from solvers.rk4 import integrate
from tests.datasets.families.small import family, graphs


def files(root):
    return {path.name: path.read_bytes() for path in (root / "processed").glob("*-*.pt")}


def test_files_are_the_same_bytes_and_read_as_what_was_made(tmp_path):
    made = [graphs(split="test", root=tmp_path / name) for name in ("a", "b")]
    first, second = (files(tmp_path / name) for name in ("a", "b"))
    assert first == second and len(first) == 1
    read = graphs(split="test", root=tmp_path / "a")
    assert len(read) == 3 and read.converged == made[0].converged
    for own, other in zip(read, made[0], strict=True):
        assert own.keys() == other.keys()
        for key in sorted(own.keys()):
            same = own[key] == other[key]
            assert same.all() if isinstance(same, torch.Tensor) else same, key


def test_it_is_processed_once(tmp_path, monkeypatch):
    graphs(split="validation", root=tmp_path)

    def never(*_):
        raise AssertionError("the file was there")

    monkeypatch.setattr(problems_module, "trajectory", never)
    assert graphs(split="validation", root=tmp_path)[0].y.shape == (36, 3, 2)
    with pytest.raises(AssertionError):  # others are other files
        graphs(family(seed=3), split="validation", root=tmp_path)


def _cut(path, whole):
    path.write_bytes(whole[: len(whole) // 2])


def _flip(path, whole):
    content = torch.load(path, weights_only=True)
    content["content"]["data"]["x"][0, 0] += 1e-9
    torch.save(content, path)


def _older(path, whole):
    content = torch.load(path, weights_only=True)
    content["version"] = 0
    torch.save(content, path)


def _another(path, whole):
    torch.save({"weights": torch.ones(3)}, path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, r"\.pt is damaged \(.*\): it is made again\."),
        (_flip, r"\.pt is damaged \(its digest is another one\): it is made again\."),
        (_older, r"\.pt is of version 0, wanted 1: it is made again\."),
        (_another, r"\.pt holds something else: it is made again\."),
    ],
)
def test_a_file_that_cannot_be_used_is_made_again(tmp_path, damage, message):
    graphs(root=tmp_path)
    (path,) = (tmp_path / "processed").glob("train-*.pt")
    whole = path.read_bytes()
    damage(path, whole)
    with pytest.warns(RuntimeWarning, match=message):
        again = graphs(root=tmp_path)
    assert path.read_bytes() == whole and len(again) == 3


def test_what_is_not_kept_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(graphs()) == 3 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("root", ["", "  ", "???"])
def test_a_folder_without_a_name_is_refused(tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match=r"`root` must name a folder, got '"):
        graphs(root=root)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "data").write_text("mine")
    with pytest.raises(ArgumentError, match="`root` must be a folder that can be written, got"):
        graphs(root=tmp_path / "data")


def test_nothing_but_the_data_is_written(tmp_path):
    """torch-geometric would write two files more, and run what it finds in them."""
    graphs(root=tmp_path)
    assert [path.name[:6] for path in (tmp_path / "processed").iterdir()] == ["train-"]


def test_no_code_of_a_file_is_run(tmp_path):
    graphs(root=tmp_path)
    (path,) = (tmp_path / "processed").glob("train-*.pt")
    torch.save({"format": cache.FORMAT, "version": cache.VERSION, "content": print}, path)
    with pytest.warns(RuntimeWarning, match="UnpicklingError"):
        graphs(root=tmp_path)


def test_a_batch_has_the_operators_of_each_graph():
    own = family("neumann", "cloud", per_side=7, own=True)
    data = [graphs(own, count=3)[i] for i in range(3)]
    batch = Batch.from_data_list(data)
    together = GraphOperators.from_graph(batch).laplacian(batch.x[:, 0].contiguous())
    alone = [GraphOperators.from_graph(g).laplacian(g.x[:, 0].contiguous()) for g in data]
    assert torch.equal(together, torch.cat(alone))


def test_references_solve_the_semi_discrete_system():
    """Our Runge-Kutta steps, short enough, come to the same."""
    data = graphs(split="test", count=2)
    assert 0 < data.converged < 1e-6
    for graph in data:
        equation = data.family.equation(data.operators(graph), graph.parameters)
        assert torch.equal(graph.y[:, 0], graph.x)
        found = integrate(equation, graph.x, 0.0, 0.5, 0.25, limit=2.5e-3, compile=False)
        torch.testing.assert_close(found, graph.y[:, 2], rtol=1e-8, atol=1e-8)
    assert references(data).shape == (72, 3, 2)


def test_training_has_no_references():
    data = graphs()
    assert "y" not in data[0]
    with pytest.raises(ArgumentError, match="must have reference trajectories, got those of train"):
        references(data)


def test_a_reference_of_another_length_is_refused():
    data = graphs(split="test", count=2)
    data.family = family(steps=5)
    with pytest.raises(ArgumentError, match="must have trajectories of 6 states, got 3"):
        references(data)


def test_a_solution_that_ends_before_its_trajectory():
    with pytest.raises(NoTrajectory, match="must stay finite until t = 100, got none after"):
        trajectory(Ending(), torch.ones(4, 2, dtype=torch.float64), 50.0, 2)


class Ending:
    """The equation `u' = u^2`, which ends at t = 1 / u."""

    def rates(self, time, fields):
        u, v = fields
        return u * u, 0.0 * v


def test_a_horizon_beyond_the_solution_names_the_problem(tmp_path, monkeypatch):
    def ends(*_):
        raise NoTrajectory("it ends")

    monkeypatch.setattr(problems_module, "trajectory", ends)
    wanted = r"`horizon` must be shorter: test problem 0 cannot be followed \(it ends\), got 0.25"
    with pytest.raises(ArgumentError, match=wanted):
        FamilyGraphs(tmp_path, family(), "test", 1)
    assert not list(tmp_path.rglob("test-*"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "tests"}, "`split` must be one of test, train, validation, got 'tests'"),
        ({"count": 0}, "`count` must be a whole number >= 1, got 0"),
    ],
)
def test_what_is_no_data_set(changes, message):
    with pytest.raises(ArgumentError, match=message):
        graphs(**changes)
