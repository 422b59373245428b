"""A checkpoint is taken as a whole and beside its own tables, or refused in one line."""

import os
import shutil

import pytest
import torch

from pinn_ext.program import checkpoints
from tests.program.conftest import SMALL
from tests.program.test_old_checkpoints import DATA

RECIPE = (*SMALL, "training=adaptive_ema", "training.loss.adaptive.diagnostics=true")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the folder of a finished run; tests copy it."""
    from pinn_ext.cli import main

    folder = tmp_path_factory.mktemp("finished") / "run"
    assert main([*RECIPE, f"hydra.run.dir={folder}"]) == 0
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "own")


def everything(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "run.lock"}


def refused(run, folder, *arguments):
    """Resume, and return the line by which that was refused without a change."""
    before = everything(folder)
    again = run(f"training.resume={folder}", "training.epochs=5", *arguments)
    assert again.status != 0 and again.err.count("\n") == 1 and again.out == "", again.err
    assert everything(folder) == before
    return again.err


def change(folder, *keys, to):
    content = checkpoints.load(folder / "checkpoint.pt")
    part = content
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = to
    torch.save(content, folder / "checkpoint.pt")


WRONG = [
    (("choices",), [("training", "ema")]),
    (("choices",), {"training": 3}),
    (("overrides",), "training.epochs=3"),
    (("job",), -2),
    (("phase",), "pilots"),
    (("epoch",), True),
    (("epoch",), 2),
    (("epoch",), 10**6),
    (("rows",), 2),
    (("rows",), 2.5),
    (("next_step",), -1),
    (("next_step",), 0),
    (("step",), None),
    (("iteration",), "3"),
    (("lbfgs_over",), "no"),
    (("gauss_newton",), 7),
    (("seconds_training",), float("nan")),
    (("seconds_weighting",), -1.0),
    (("config",), None),
    (("config", "training", "epochs"), "${oc.env:HOME}"),
    (("random_state", "python"), [3, [1, 2], None]),
    (("random_state", "numpy"), None),
    (("random_state", "torch"), torch.zeros(3, dtype=torch.uint8)),
    (("tables",), None),
    (("tables", "history", "bytes"), -5),
    (("tables", "events"), {}),
    (("model_state_dict",), {"a": 1}),
    (("model_state_dict",), {"a": torch.zeros(2)}),
    (("adaptive_weights_state",), {}),
    (("adaptive_weights_state", "manager"), 4),
    (("adaptive_weights_state", "manager", "asked"), None),
    (("adaptive_weights_state", "manager", "limits", 0), 3),
    (("adaptive_weights_state", "epoch"), "3"),
    (("adaptive_weights_state", "jump"), float("nan")),
    (("adaptive_weights_state", "switches"), None),
    (("adaptive_weights_state", "first"), [1.0]),
    (("adaptive_weights_state", "first_weights", 0), "1"),
    (("adaptive_weights_state", "period", "count"), -1),
    (("adaptive_weights_state", "period"), {"sums": None, "count": 2}),
    (("adaptive_weights_state", "best", "first"), -1),
    (("adaptive_weights_state", "best", "score"), None),
    (("adaptive_weights_state", "best", "parameters"), [1.0]),
    (("optimizer_state_dict", "param_groups"), []),
    (("optimizer_state_dict", "param_groups", 0, "lr"), "fast"),
    (("optimizer_state_dict", "param_groups", 0, "lr"), -0.1),
    (("optimizer_state_dict", "state", 0, "exp_avg"), torch.zeros(2)),
    (("optimizer_state_dict", "state", 1), {}),
]


@pytest.mark.parametrize(("keys", "value"), WRONG)
def test_a_part_of_a_wrong_kind_or_range_is_refused(run, folder, keys, value):
    change(folder, *keys, to=value)
    line = refused(run, folder)
    assert "checkpoint" in line


@pytest.mark.parametrize("where", ["in place", "into a new folder"])
@pytest.mark.parametrize("name", ["history.csv", "gradients.csv"])
def test_tables_of_another_run_are_refused(run, folder, tmp_path, name, where):
    text = (folder / name).read_text()
    at = text.rindex(",") + 1
    (folder / name).write_text(text[:at] + "7" + text[at + 1 :])
    more = ["hydra.run.dir=new"] if where != "in place" else []
    assert f"{name} must hold the 3 rows that belong" in refused(run, folder, *more)
    assert not (tmp_path / "new").exists()
    (folder / name).unlink()
    assert "got fewer" in refused(run, folder, *more)


def test_what_came_after_the_checkpoint_goes_from_all_tables(run, folder, tmp_path):
    whole = everything(folder)
    for name in ("history.csv", "gradients.csv"):
        with open(folder / name, "ab") as file:
            file.write(whole[name].splitlines()[-1] + b"\n4,")
    (folder / "events.csv").write_text("step,epoch,term,what,why\n9,9,,note,lost\n")
    assert run(f"training.resume={folder}").status == 0
    assert all((folder / n).read_bytes() == whole[n] for n in ("history.csv", "gradients.csv"))
    assert (folder / "events.csv").exists() == ("events.csv" in whole)


def test_tables_go_along_into_a_new_folder(run, folder, tmp_path):
    kept = (folder / "gradients.csv").read_text()
    assert run(f"training.resume={folder}", "training.epochs=4", "hydra.run.dir=new").status == 0
    text = (tmp_path / "new" / "gradients.csv").read_text()
    assert text.startswith(kept) and text.count("\n") == kept.count("\n") + 1


def test_a_checkpoint_does_not_grow(run, folder):
    before = (folder / "checkpoint.pt").stat().st_size
    assert run(f"training.resume={folder}", "training.epochs=40").status == 0
    state = checkpoints.load(folder / "checkpoint.pt")["adaptive_weights_state"]
    assert state["events"] == [] and state["gradient_history"] == []
    assert (folder / "checkpoint.pt").stat().st_size < before + 1000
    assert (folder / "gradients.csv").read_text().count("\n") == 41


def test_a_full_disk_changes_nothing(run_script, folder, tmp_path):
    """The limit on file sizes makes writing fail as a full disk does."""
    script = tmp_path / "on_a_full_disk.py"
    script.write_text(
        "import resource, sys; from pinn_ext.cli import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000));"
        "sys.exit(main(sys.argv[1:]))"
    )
    before = everything(folder)
    done = run_script(script, f"training.resume={folder}", "training.epochs=9", folder=tmp_path)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert "cannot be written" in done.stderr and everything(folder) == before


def test_a_checkpoint_without_digest_is_taken_once_with_a_line(run, tmp_path):
    folder = shutil.copytree(DATA / "auto", tmp_path / "old")
    assert "has no digest of history.csv" in run(f"training.resume={folder}").out
    events = (folder / "events.csv").read_text()
    assert len(events.splitlines()) > 5
    assert "digest" not in run(f"training.resume={folder}").out
    assert (folder / "events.csv").read_text() == events


def test_history_of_another_length_is_refused_without_digest(run, tmp_path):
    folder = shutil.copytree(DATA / "ema", tmp_path / "old")
    lines = (folder / "history.csv").read_text().splitlines(keepends=True)
    (folder / "history.csv").write_text("".join([*lines[:3], *lines[2:]]))
    assert "must end with epoch 3" in refused(run, folder, "training.epochs=6")


def test_a_link_in_the_place_of_a_temporary_file_is_not_followed(run, folder, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("kept")
    for name in ("checkpoint.pt", "history.csv", "config.yaml"):
        os.symlink(other, folder / f"{name}.part")
    assert run(f"training.resume={folder}", "training.epochs=4").status == 0
    assert other.read_text() == "kept" and not list(folder.glob("*.part"))
