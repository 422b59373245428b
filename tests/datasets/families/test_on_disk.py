"""Problems in a database: those of the memory bit for bit, made once, whole or made again."""

import pytest
import torch

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.families import FamilyBatches, FamilyGraphsOnDisk, cache
from pinn_ext.datasets.families import on_disk as on_disk_module
from pinn_ext.datasets.families.problems import Problems
from tests.datasets.families.small import family, graphs

SCATTERED = family("neumann", "cloud", per_side=7, own=True)


def same(own, other):
    assert set(own.keys()) == set(other.keys())
    for key in sorted(own.keys()):
        equal = own[key] == other[key]
        assert equal.all() if isinstance(equal, torch.Tensor) else equal, key
        if isinstance(own[key], torch.Tensor):
            assert own[key].dtype == other[key].dtype and own[key].shape == other[key].shape


@pytest.mark.parametrize(
    ("own", "split"), [(family(), "test"), (SCATTERED, "train")], ids=["shared", "own"]
)
def test_each_problem_is_that_of_the_memory(tmp_path, monkeypatch, own, split):
    monkeypatch.setattr(on_disk_module, "_CHUNK", 2)
    stored, held = FamilyGraphsOnDisk(tmp_path, own, split, 3), graphs(own, split)
    assert len(stored) == 3 and stored.converged == held.converged
    for i in range(3):
        same(stored[i], held[i])
    again = FamilyGraphsOnDisk(tmp_path, own, split, 3)
    for i in (2, 0):
        same(again[i], held[i])


@pytest.mark.parametrize("own", [family(), SCATTERED], ids=["shared", "own"])
def test_batches_are_those_of_the_memory(tmp_path, own):
    times = torch.tensor([0.1, 0.2], dtype=torch.float64)
    stored, held = FamilyGraphsOnDisk(tmp_path, own, count=3), graphs(own)
    one, other = (FamilyBatches(data, 0.01) for data in (stored, held))
    assert torch.equal(one.fastest, other.fastest) and torch.equal(one.lowest, other.lowest)
    assert torch.equal(one.highest, other.highest)
    mine, wanted = (batches.batch([2, 0], times) for batches in (one, other))
    for key in ("x", "rates", "edge_attr", "parameters", "inputs", "numbers"):
        assert torch.equal(getattr(mine, key), getattr(wanted, key)), key


def test_it_is_made_once_the_same_bytes_each_time(tmp_path, monkeypatch):
    for name in ("a", "b"):
        FamilyGraphsOnDisk(tmp_path / name, family(), count=3).close()
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name / "processed").iterdir()}
        for name in ("a", "b")
    )
    assert first == second and sorted(name[-3:] for name in first) == [".db", ".pt"]

    def never(*_):
        raise AssertionError("the file was there")

    monkeypatch.setattr(Problems, "__iter__", never)
    assert len(FamilyGraphsOnDisk(tmp_path / "a", family(), count=3)) == 3


def _flip(database, about):
    whole = bytearray(database.read_bytes())
    whole[-100] ^= 1
    database.write_bytes(bytes(whole))


def _cut(database, about):
    database.write_bytes(database.read_bytes()[:1000])


def _absent(database, about):
    database.unlink()


def _older(database, about):
    content = torch.load(about, weights_only=True)
    content["version"] = 0
    torch.save(content, about)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_flip, r"\.db is damaged .*: it is made again\."),
        (_cut, r"\.db is damaged .*: it is made again\."),
        (_absent, r"\.db is damaged .*: it is made again\."),
        (_older, r"\.pt is of version 0, wanted .*: it is made again\."),
    ],
)
def test_a_database_that_cannot_be_used_is_made_again(tmp_path, damage, message):
    FamilyGraphsOnDisk(tmp_path, family(), count=2).close()
    (database,) = (tmp_path / "processed").glob("*.db")
    whole = database.read_bytes()
    damage(database, database.with_suffix(".pt"))
    with pytest.warns(RuntimeWarning, match=message):
        again = FamilyGraphsOnDisk(tmp_path, family(), count=2)
    same(again[1], graphs(count=2)[1])
    assert database.read_bytes() == whole
    assert cache.read(database.with_suffix(".pt"), again._described)


@pytest.mark.parametrize("root", [None, "", "???"])
def test_it_needs_a_folder(root):
    with pytest.raises(ArgumentError, match="`root` must name a folder"):
        FamilyGraphsOnDisk(root, family())
