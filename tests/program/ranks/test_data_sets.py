"""Families of every kind in several processes: as in one process alone to rounding."""

import pytest

from tests.program.ranks import jobs
from tests.program.ranks.jobs import SHORT
from tests.program.ranks.test_jobs import same_to_rounding
from tests.program.test_families import FEW
from tests.program.test_family_options import MESH, SCATTERED, known

pytestmark = pytest.mark.slow
ON_MESH = tuple(argument for argument in SHORT if "nodes_per_side" not in argument)
assert len(ON_MESH) == len(SHORT) - 1 and set(FEW) < set(SHORT)
KINDS = {
    "domains in turn": (*SHORT, *SCATTERED, "dataset.family.domains=[square,disk,l_shape]"),
    "nodes of their own": (*SHORT, *SCATTERED, "dataset.family.own_nodes=true"),
    "mesh files": (*ON_MESH, *MESH),
    "on disk": (*SHORT, "dataset.family.on_disk=true"),
    "noise": (*SHORT, "dataset.family.noise=0.1"),
    "trajectories": (*SHORT, "dataset.family.trajectories=known.npz"),
}


@pytest.fixture(autouse=True)
def as_they_are(pytestconfig):
    if pytestconfig.getoption("last_bits"):
        pytest.skip("other processes train from the weights as they are")


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_train_as_one(run, tmp_path, kind):
    """Three epochs, so that roll-outs are trained from; each process makes its share alike."""
    known(tmp_path / "known.npz")
    arguments = (*KINDS[kind], "training=adaptive_lr_annealing", "training.epochs=3")
    done = jobs.run(2, *arguments, "hydra.run.dir=together", folder=tmp_path)
    assert done.statuses == [0, 0], done.err
    held = [(tmp_path / f"held{rank}.json").read_text() for rank in (0, 1)]
    assert held[0] == held[1]
    alone = run(*arguments)
    assert alone.status == 0, alone.err
    same_to_rounding(tmp_path / "together", alone.folder)


def test_two_processes_go_on_as_three_on_a_mesh(tmp_path):
    arguments = (*ON_MESH, *MESH, "dataset.family.noise=0.1", "training.schedule=none")
    whole = jobs.run(2, *arguments, "training.epochs=4", "hydra.run.dir=whole", folder=tmp_path)
    first = jobs.run(2, *arguments, "training.epochs=2", "hydra.run.dir=parts", folder=tmp_path)
    assert whole.statuses == first.statuses == [0, 0], (whole.err, first.err)
    more = jobs.run(3, "training.resume=parts", "training.epochs=4", folder=tmp_path)
    assert more.statuses == [0, 0, 0], more.err
    same_to_rounding(tmp_path / "parts", tmp_path / "whole")
