"""A march that was broken off goes on from its files bit for bit."""

import deepxde as dde
import pytest
import torch

from pinn_ext.files import RunError
from tests.dde.slabs import small


class BrokenOff(Exception):
    pass


def seeded(seed, build, **options):
    dde.config.set_random_seed(seed)
    return small.march(build, **options)


def breaking(at):
    """Return an equation that breaks off at its evaluation of that number."""
    calls = []

    def pde(x, u):
        calls.append(1)
        if len(calls) == at:
            raise BrokenOff
        return small.heat(x, u)

    return pde


POINTS = {"train_distribution": "pseudo"}  # drawn from the generator that is saved


@pytest.fixture(scope="module")
def whole():
    with small.float64():
        return seeded(0, small.builder(**POINTS), iterations=12)


@pytest.mark.parametrize("at", [5, 20, 30, 42, 47])
@pytest.mark.parametrize("save_every", [0, 5])
def test_it_goes_on_bit_for_bit(tmp_path, whole, at, save_every):
    options = {"iterations": 12, "folder": tmp_path, "save_every": save_every}
    with pytest.raises(BrokenOff):
        seeded(0, small.builder(breaking(at), **POINTS), **options)
    seed = 0 if not (tmp_path / "slab_000.pt").exists() else 7
    solution = seeded(seed, small.builder(**POINTS), resume=True, **options)
    assert torch.equal(small.numbers(solution), small.numbers(whole))
    assert [row["steps"] for row in solution.rows] == [12, 12, 12]
    assert not (tmp_path / "slab_at_work.pt").exists()


def test_inside_a_slab_no_step_is_made_twice(tmp_path):
    options = {"iterations": 12, "folder": tmp_path, "save_every": 5}
    with pytest.raises(BrokenOff):
        seeded(0, small.builder(breaking(17), **POINTS), **options)
    assert [path.name for path in tmp_path.iterdir()] == ["slab_at_work.pt"]
    made = []

    def train(model, slab):
        made.append(slab.done)

    small.march(small.builder(**POINTS), folder=tmp_path, resume=True, train=train)
    assert made == [10, 0, 0]


def test_a_training_function_keeps_what_it_needs(tmp_path):
    """Points that were drawn anew, loss weights, and a word of its own."""
    seen = []

    def train(model, slab):
        seen.append((slab.done, slab.saved))
        if len(seen) > 1:
            return
        new = dde.callbacks.PDEPointResampler(period=1)
        model.train(iterations=4, callbacks=[new], display_every=10**6, verbose=0)
        model.loss_weights = torch.tensor([3.0])
        slab.save(model, {"phase": "second", "moments": torch.ones(2)})
        seen.append((torch.as_tensor(model.data.train_x), small_numbers(model)))
        raise BrokenOff

    with pytest.raises(BrokenOff):
        seeded(0, small.builder(**POINTS), train=train, folder=tmp_path)
    solution = seeded(0, small.builder(**POINTS), train=train, folder=tmp_path, resume=True)
    assert seen[0] == (0, None) and seen[2][0] == 4
    assert seen[2][1]["phase"] == "second" and torch.equal(seen[2][1]["moments"], torch.ones(2))
    first = solution.models[0]
    assert torch.equal(torch.as_tensor(first.data.train_x), seen[1][0])
    assert torch.equal(small_numbers(first), seen[1][1])
    assert first.loss_weights == [3.0]


def small_numbers(model):
    return torch.cat([p.detach().reshape(-1).clone() for p in model.net.parameters()])


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small.march(iterations=2, save_every=1)
    assert list(tmp_path.iterdir()) == []


def test_a_whole_march_is_taken_up_without_training(tmp_path, whole):
    options = {"iterations": 12, "folder": tmp_path}
    first = seeded(0, small.builder(**POINTS), **options)

    def train(model, slab):
        raise BrokenOff

    again = seeded(3, small.builder(**POINTS), train=train, folder=tmp_path, resume=True)
    assert torch.equal(small.numbers(again), small.numbers(whole))
    assert again.rows == first.rows and again.complete
    x = [[0.3, 0.1], [0.3, 0.5], [0.3, 0.9]]
    assert (again.predict(x) == first.predict(x)).all()


def test_files_are_read_without_running_code(tmp_path):
    small.march(iterations=2, folder=tmp_path)
    content = torch.load(tmp_path / "slab_001.pt", weights_only=True)
    assert content["number"] == 1 and content["edges"] == small.EDGES
    assert content["row"]["steps"] == 2


@pytest.fixture
def folder(tmp_path):
    small.march(iterations=2, folder=tmp_path)
    return tmp_path


def test_a_folder_with_slabs_is_not_written_over(folder):
    with pytest.raises(RunError, match=r"must not hold slabs yet: go on with them by resume=True"):
        small.march(iterations=2, folder=folder)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"edges": [0, 0.5, 1]}, r"with edges at \[0\.0, 0\.5, 1\.0\], got \[0\.0, 0\.25"),
        ({"build": small.builder(outputs=2, hard=lambda slab: slab.transform)}, "does not fit"),
    ],
)
def test_other_slabs_are_refused(folder, options, said):
    with pytest.raises(RunError, match=said):
        small.march(iterations=2, folder=folder, resume=True, **options)


@pytest.mark.parametrize("content", [b"", b"no slab", None])
def test_damaged_files_are_refused(folder, content):
    if content is None:
        torch.save({"format": "else"}, folder / "slab_001.pt")
    else:
        (folder / "slab_001.pt").write_bytes(content)
    with pytest.raises(RunError, match=r"slab_001\.pt is (damaged or )?no slab of pinn_ext"):
        small.march(iterations=2, folder=folder, resume=True)


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be made"):
        small.march(iterations=2, folder=tmp_path / "file")
