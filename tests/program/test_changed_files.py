"""Files that a run is made of, and its network, are those of before, or a sentence says which."""

import shutil

import numpy as np
import pytest
import torch

import pinn_ext
from pinn_ext.files import RunError
from pinn_ext.program import checkpoints
from tests.program.conftest import SMALL
from tests.program.test_families import FEW
from tests.program.test_family_options import PLATE, known

SHORT = (*FEW, "training.schedule=none")  # which may be trained for longer later
ON_MESH = (
    *(argument for argument in SHORT if "nodes_per_side" not in argument),
    *(
        f"dataset.family.{pair}"
        for pair in ("nodes=mesh", "boundary=dirichlet", "fields=gaussian", "steps=1")
    ),
)


@pytest.mark.slow
def test_the_mesh_of_a_family(run, tmp_path):
    """On resume it may lie elsewhere; a changed one is refused there and by the roll-out."""
    mesh = shutil.copy(PLATE, tmp_path / "mine.msh")
    done = run(*ON_MESH, f"dataset.family.domains=[{mesh}]", "training.epochs=1")
    assert done.status == 0, done.err
    moved = tmp_path / "moved.msh"
    shutil.copy(PLATE, moved)
    again = f"training.resume={done.folder}", "training.epochs=2"
    (tmp_path / "mine.msh").write_text(PLATE.read_text().replace('"walls"', '"sides"'))
    sentence = (
        "mine.msh (dataset.family.domains[0]) has changed since the run was made: put it back as "
        "it was, or start a new run.\n"
    )
    refused = run(*again)
    assert refused.status == 1 and refused.err.endswith(sentence), refused.err
    for best in ((), ("--best",)):
        refused = run("rollout", str(done.folder), *best)
        assert refused.status == 2 and refused.err.endswith(sentence), refused.err
    refused = run(*again, f"dataset.family.domains=[{moved},{moved}]")
    assert refused.status == 2 and "`dataset.family.domains` cannot differ from" in refused.err
    resumed = run(*again, f"dataset.family.domains=[{moved}]", "dataset.family.root=other")
    assert resumed.status == 0, resumed.err
    moved.unlink()
    gone = run("rollout", str(done.folder))
    assert gone.status == 2 and gone.err.count("\n") == 1, gone.err
    assert "domains` must name a file, got nothing at" in gone.err and "moved.msh" in gone.err
    refused = run(*again, "dataset.family.domains=[square]")
    assert "`dataset.family.domains` must name a file, got nothing at square" in refused.err


@pytest.mark.slow
def test_trajectories(run, tmp_path):
    known(tmp_path / "known.npz")
    file = f"dataset.family.trajectories={tmp_path / 'known.npz'}"
    done = run(*SHORT, file, "training.epochs=1")
    assert done.status == 0, done.err
    known(tmp_path / "known.npz", times=np.array([0.0, 0.1, 0.2]))
    refused = run(f"training.resume={done.folder}", "training.epochs=2")
    assert refused.status == 1 and refused.err.count("\n") == 1
    assert "known.npz (dataset.family.trajectories) has changed since the run" in refused.err
    known(tmp_path / "elsewhere.npz")
    moved = f"dataset.family.trajectories={tmp_path / 'elsewhere.npz'}"
    resumed = run(f"training.resume={done.folder}", "training.epochs=2", moved)
    assert resumed.status == 0, resumed.err


def test_a_reference(run, tmp_path):
    x = np.linspace(0.0, 2.0, 5)
    field = np.ones((2, 5))
    np.savez(tmp_path / "measured.npz", x=x, t=[0.0, 1.0], u=field, v=field)
    done = run(*SMALL, f"problem.reference={tmp_path / 'measured.npz'}", "training.epochs=1")
    assert done.status == 0, done.err
    assert run(f"training.resume={done.folder}").status == 0
    np.savez(tmp_path / "measured.npz", x=x, t=[0.0, 1.0], u=2 * field, v=field)
    refused = run(f"training.resume={done.folder}", "training.epochs=2")
    assert refused.status == 1
    assert "measured.npz (problem.reference) has changed since the run was made" in refused.err
    pinn_ext.load(done.folder)  # nothing is compared here


def of_another_network(folder):
    """Give a checkpoint, and the best network, parameters that no network of the run has."""
    for name in ("checkpoint.pt", "best.pt"):
        whole = checkpoints.load(folder / name)
        state = dict(whole["model_state_dict"])
        key = next(key for key, value in state.items() if value.ndim == 2)
        state[key] = torch.zeros(3, 3)
        checkpoints.save(folder / name, {**whole, "model_state_dict": state})
    return key


@pytest.mark.parametrize("kind", [pytest.param(SHORT, marks=pytest.mark.slow), SMALL])
def test_another_network(run, kind):
    done = run(*kind, "training.epochs=1")
    assert done.status == 0, done.err
    key = of_another_network(done.folder)
    command = ("rollout",) if kind is SHORT else ("predict", "--out", "fields.npz")
    for arguments in (
        (f"training.resume={done.folder}", "training.epochs=2"),
        (*command, str(done.folder)),
        (*command, str(done.folder), "--best"),
    ):
        refused = run(*arguments)
        assert refused.status in (1, 2) and refused.err.count("\n") == 1, refused.err
        assert "belongs to another network than its configuration describes: `" in refused.err
        assert f"`{key}` is [3, 3] there, wanted [" in refused.err
    if kind is SMALL:
        with pytest.raises(RunError, match="belongs to another network"):
            pinn_ext.load(done.folder)
