"""What may be said when a run is resumed, in every form in which an override can be written."""

import shutil

import pytest

from pinn_ext.program import checkpoints
from tests.program.conftest import SMALL, read_report


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the folder of a finished run; tests copy it."""
    from pinn_ext.cli import main

    folder = tmp_path_factory.mktemp("finished") / "run"
    assert main([*SMALL, "training=adaptive_ema", f"hydra.run.dir={folder}"]) == 0
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "own")


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("training={learning_rate: 0.5}", "training.learning_rate"),
        ("dataset={num_graphs: 5}", "dataset.num_graphs"),
        ("training={loss: {w1_PI: 3.0}}", "training.loss.w1_PI"),
        ("training={epochs: 5, log_every: 2}", "training.log_every"),
        ("training.loss={adaptive: {strategy: cov}}", "training.loss.adaptive.strategy"),
        ("problem.parameters={nu: 0.3}", "problem.parameters"),
        ("network={hidden: [9]}", "network.hidden"),
    ],
)
def test_a_mapping_is_held_against_the_checkpoint_key_by_key(run, folder, override, key):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = run(f"training.resume={folder}", override)
    assert again.status == 2 and again.err.count("\n") == 1, again.err
    assert f"`{key}` cannot differ from the checkpoint" in again.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_mapping_of_what_may_change_is_taken(run, folder):
    more = run(
        f"training.resume={folder}",
        "training={epochs: 4, learning_rate: 0.005}",
        "experiment={name: longer}",
    )
    assert more.status == 0, more.err
    report = read_report(folder)
    assert report["epochs"] == 4 and report["experiment"] == "longer"
    assert checkpoints.load(folder / "checkpoint.pt")["config"]["training"]["epochs"] == 4


def test_a_name_that_looks_like_a_look_up_stays_text(run, folder, monkeypatch):
    monkeypatch.setenv("TOKEN", "not-for-others")
    name = r"experiment.name='\${oc.env:TOKEN}'"
    for arguments in ([name], [], [name]):
        again = run(f"training.resume={folder}", *arguments)
        assert again.status == 0, again.err
        assert read_report(folder)["experiment"] == "${oc.env:TOKEN}"
        assert "not-for-others" not in (folder / "config.yaml").read_text()


def test_inside_of_its_folder_a_run_is_a_dot(run, folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert run("training.resume=.", "training.epochs=4").status == 0
    assert read_report(folder)["epochs"] == 4
    for nothing in ("", " "):
        refused = run(f"training.resume='{nothing}'")
        assert refused.status == 2 and "`training.resume` must be" in refused.err
