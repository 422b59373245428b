"""`pinn-ext rollout`: errors over time beside the reference, as a table, a file and a picture."""

import csv
import shutil

import pytest

from pinn_ext.cli import main
from pinn_ext.reports.field_plots import rollouts
from tests.program.conftest import SMALL, read_report
from tests.program.test_families import FEW


@pytest.fixture(scope="module")
def stepper(tmp_path_factory):
    """Give the folder of a finished run of a network that steps."""
    folder = tmp_path_factory.mktemp("stepper")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(rollouts, "draw", lambda file, rollout: file.write(b""))
        assert main([*FEW, "hydra.run.dir=one"]) == 0
    return folder


@pytest.fixture
def here(stepper, tmp_path, run):
    """Give a copy of the run in the folder of the test, with its data."""
    for name in ("one", "data"):
        shutil.copytree(stepper / name, tmp_path / name)
    return tmp_path


def test_the_table_and_the_files(run, here, rendered):
    done = run("rollout", "one", "steps=4")
    assert done.status == 0, done.err
    assert "3 unseen problems, steps of 0.25" in done.out
    assert "Means at the end: u " in done.out and "Runge-Kutta step" in done.out
    assert (here / "one" / "rollout.png").read_bytes()[:4] == b"\x89PNG"
    with open(here / "one" / "rollout.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["t"]) for row in rows] == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])
    assert float(rows[0]["error_u"]) < 1e-6 and float(rows[0]["frozen_v"]) == 0.0
    assert float(rows[4]["frozen_u"]) > 0.1
    shown = [line.split() for line in done.out.splitlines() if line.startswith("    ")]
    assert float(shown[-1][2]) == pytest.approx(float(rows[4]["error_u"]), rel=1e-2)
    assert "There is a file" in run("rollout", "one").err
    assert run("rollout", "one", "--overwrite", "--best").status == 0


def test_it_ends_where_the_report_did(run, here):
    assert run("rollout", "one").status == 0
    with open(here / "one" / "rollout.csv", newline="") as file:
        last = list(csv.DictReader(file))[-1]
    for field, error in read_report(here / "one")["relative_l2"].items():
        assert float(last[f"error_{field}"]) == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["steps=0"], "`steps` must be a whole number in [1, 10000], got 0."),
        (["steps=ten"], "`steps` must be a whole number in [1, 10000], got 'ten'."),
        (["length=3"], "`rollout` has the setting steps=N, got 'length=3'."),
        (["--out", "picture.pdf"], "`--out` must end in .png, got picture.pdf."),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(run, here, arguments, sentence):
    done = run("rollout", "one", *arguments)
    assert done.status == 2 and done.err == f"pinn-ext: {sentence}\n"


@pytest.mark.slow
def test_each_command_has_its_kind_of_network(run, here):
    done = run("predict", "one", "--out", "fields.npz")
    assert done.status == 2 and "`pinn-ext rollout` shows what it does" in done.err
    assert run(*SMALL, "training.epochs=1", "hydra.run.dir=other").status == 0
    done = run("rollout", "other")
    assert done.status == 2 and "`pinn-ext predict` gives its fields" in done.err
    assert run("rollout", "nowhere").err == "pinn-ext: There is no run at nowhere.\n"


def test_steps_may_stand_behind_options(run, here):
    assert run("rollout", "one", "--overwrite", "--best", "steps=2").status == 0
