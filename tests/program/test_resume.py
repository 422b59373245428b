"""Going on from a checkpoint: bit for bit, also after a kill; and what is refused."""

import operator
import os
import random
import shutil
import signal
import time
import zipfile
from pathlib import Path

import pytest
import torch

from pinn_ext import strategies
from pinn_ext.program import checkpoints
from tests.program.conftest import SMALL, read_report, read_rows

ROOT = Path(__file__).resolve().parents[2]
EPOCHS = ["training.epochs=4", "dtype=float64"]
BLOCK, BLOCKS = "training.lbfgs_iterations=5", "training.lbfgs_iterations=43"


def recipe(strategy):
    return "training=default" if strategy == "fixed" else f"training=adaptive_{strategy}"


def parameters(folder):
    saved = checkpoints.load(Path(folder) / "checkpoint.pt")
    return torch.cat([p.flatten() for p in saved["model_state_dict"].values()])


def same_end(one, other):
    assert read_rows(one) == read_rows(other)
    assert torch.equal(parameters(one), parameters(other))
    ends = [checkpoints.load(Path(f) / "checkpoint.pt") for f in (one, other)]
    assert (
        ends[0]["adaptive_weights_state"]["manager"] == ends[1]["adaptive_weights_state"]["manager"]
    )
    points = [end["adaptive_weights_state"]["points"] for end in ends]
    for table, other_table in zip(*[(p or {"tables": []})["tables"] for p in points], strict=True):
        for key, value in table["state"].items():
            same = torch.equal if isinstance(value, torch.Tensor) else operator.eq
            assert same(value, other_table["state"][key])


@pytest.mark.parametrize(
    ("strategy", "step", "more"),
    [(name, 5, BLOCK) for name in strategies.term_names()]
    + [("ema", 1, BLOCKS), ("equal_init_ema", 12, BLOCKS), ("brdr", 5, BLOCK)]
    + [("equal_init", 14, BLOCKS), ("ema", 14, BLOCKS)],
)
def test_resumed_equals_undisturbed(run, run_killed, strategy, step, more):
    """Killed in the first epoch, in a later one, at their end, and within L-BFGS."""
    arguments = [*SMALL, recipe(strategy), *EPOCHS, more]
    if getattr(strategies.class_of(strategy), "needs_conditions", False):
        arguments.append("problem.conditions=soft")
    whole = run(*arguments)
    run_killed(step, *arguments, "hydra.run.dir=broken")
    resumed = run("training.resume=broken")
    assert resumed.status == 0, resumed.err
    assert "Resumed after" in resumed.out
    same_end("broken", whole.folder)


def test_more_epochs_equal_a_longer_run(run):
    whole = run(*SMALL, "training=adaptive_ema", "training.epochs=5")
    first = run(*SMALL, "training=adaptive_ema", "training.epochs=3")
    more = run(f"training.resume={first.folder}", "training.epochs=5")
    assert more.status == 0 and more.folder is None
    same_end(first.folder, whole.folder)


def test_a_finished_run_says_so(run):
    done = run(*SMALL)
    before = read_rows(done.folder)
    again = run(f"training.resume={done.folder}", "training.epochs=3")
    assert again.status == 0 and "finished (epoch 3 of 3): nothing to train" in again.out
    assert read_rows(done.folder) == before and read_report(done.folder)["status"] == "ok"


def test_into_a_new_folder(run, tmp_path):
    first = run(*SMALL, "training=adaptive_ema")
    kept = read_rows(first.folder)
    more = run(f"training.resume={first.folder}", "training.epochs=5", "hydra.run.dir=new")
    assert more.status == 0, more.err
    assert read_rows(first.folder) == kept == read_rows("new")[:4]
    assert read_report("new")["epochs"] == 5
    file = first.folder / "checkpoint.pt"
    assert run(f"training.resume={file}", "hydra.run.dir=third").status == 0


CONTRADICTIONS = [
    ("problem=brusselator", "`problem` cannot differ"),
    ("training=adaptive_equal_init", "`training` cannot differ"),
    (
        "training.loss.adaptive.ema_alpha=0.5",
        "`training.loss.adaptive.ema_alpha` cannot differ",
    ),
    (
        "seed=1",
        "`seed` cannot differ from the checkpoint when a run is resumed: it is 0 there, got 1",
    ),
    ("dataset.num_graphs=7", "it is 6 there, got 7"),
    ("training.epochs=2", "`training.epochs` must be at least 3"),
]


def test_what_contradicts_the_checkpoint_is_refused(run):
    done = run(*SMALL, "training=adaptive_ema")
    kept = (done.folder / "checkpoint.pt").read_bytes()
    for override, message in CONTRADICTIONS:
        again = run(f"training.resume={done.folder}", override)
        assert again.status == 2 and message in again.err and again.err.count("\n") == 1, override
        assert (done.folder / "checkpoint.pt").read_bytes() == kept
    assert run(f"training.resume={done.folder}", "training.loss.adaptive.ema_alpha=0.9").status == 0


def middle_of_the_largest_entry(path):
    """Return where in a zip file a changed byte is damage and not in a gap."""
    with zipfile.ZipFile(path) as archive:
        entry = max(archive.infolist(), key=lambda info: info.compress_size)
    header = path.read_bytes()[entry.header_offset : entry.header_offset + 30]
    gaps = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return entry.header_offset + 30 + gaps + entry.compress_size // 2


def test_damaged_checkpoints_are_refused(run, tmp_path):
    done = run(*SMALL)
    whole = (done.folder / "checkpoint.pt").read_bytes()
    flipped = bytearray(whole)
    flipped[middle_of_the_largest_entry(done.folder / "checkpoint.pt")] ^= 1
    evil = tmp_path / "evil.pt"
    torch.save({"format": checkpoints.FORMAT, "run": os.system}, evil)
    newer = tmp_path / "newer.pt"
    torch.save({"format": checkpoints.FORMAT, "version": 99}, newer)
    other = tmp_path / "other.pt"
    torch.save({"weights": torch.zeros(1)}, other)
    for content in (b"", b"garbage", whole[:-100], bytes(flipped)):
        (tmp_path / "bad.pt").write_bytes(content)
        again = run("training.resume=bad.pt")
        assert again.status == 2 and "bad.pt is damaged" in again.err.replace(
            "checkpoint bad.pt", "bad.pt"
        )
    assert "damaged or no checkpoint" in run("training.resume=evil.pt").err
    assert "format 99" in run("training.resume=newer.pt").err
    assert "is no checkpoint of pinn_ext" in run("training.resume=other.pt").err


def test_an_incomplete_checkpoint_is_refused(run):
    done = run(*SMALL)
    path = done.folder / "checkpoint.pt"
    whole = checkpoints.load(path)
    for key in ("rows", "config", "random_state"):
        checkpoints.save(path, {k: v for k, v in whole.items() if k != key})
        again = run(f"training.resume={done.folder}")
        assert again.status == 2 and f"incomplete, it lacks {key}" in again.err
    checkpoints.save(path, {**whole, "config": {**whole["config"], "old_key": 1}})
    again = run(f"training.resume={done.folder}")
    assert again.status == 2 and "does not fit this version" in again.err


def test_a_torn_history_row_is_dropped(run):
    done = run(*SMALL)
    whole = read_rows(done.folder)
    with open(done.folder / "history.csv", "a") as file:
        file.write("4,epochs,0.1,")
    assert run(f"training.resume={done.folder}").status == 0
    assert read_rows(done.folder) == whole


def test_lost_history_is_said(run):
    done = run(*SMALL)
    (done.folder / "history.csv").unlink()
    again = run(f"training.resume={done.folder}")
    assert again.status == 1 and "3 rows that belong to the checkpoint" in again.err


def test_a_folder_in_use_is_refused(run):
    done = run(*SMALL)
    with checkpoints.locked(done.folder):
        again = run(f"training.resume={done.folder}", "training.epochs=5")
    assert again.status == 1 and "Another process is running in" in again.err


def test_a_temporary_file_left_by_a_kill_is_removed(run):
    done = run(*SMALL)
    part = done.folder / "checkpoint.pt.part"
    part.write_bytes(b"half")
    assert run(f"training.resume={done.folder}").status == 0 and not part.exists()


@pytest.fixture
def start(start_script, tmp_path):
    """Start the program in a process of its own: `start(folder, *arguments)`."""

    def call(folder, *arguments):
        return start_script(
            ROOT / "main.py", *arguments, f"hydra.run.dir={folder}", folder=tmp_path
        )

    return call


def wait_for_rows(folder, count, script):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and script.poll() is None:
        with_rows = folder / "history.csv"
        if with_rows.exists() and with_rows.read_text().count("\n") > count:
            return
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_leave_checkpoint_and_report(run, start, tmp_path, number, status):
    arguments = [*SMALL, "training=adaptive_ema", "training.epochs=3000"]
    script = start(tmp_path / "cut", *arguments)
    wait_for_rows(tmp_path / "cut", 3, script)
    os.kill(script.pid, number)
    ended = script.wait()
    text = script.text("out") + script.text("err")
    assert ended == status, text
    assert "Traceback" not in text and "Interrupted; go on with training.resume=" in text
    report = read_report(tmp_path / "cut")
    assert report["status"] == "interrupted" and report["epochs"] >= 3
    rows = read_rows(tmp_path / "cut")
    assert len(rows) == report["epochs"] + 1
    more = report["epochs"] + 2
    shutil.copytree(tmp_path / "cut", tmp_path / "copy")
    saved = checkpoints.load(tmp_path / "copy" / "checkpoint.pt")
    saved["config"]["training"]["epochs"] = more
    checkpoints.save(tmp_path / "copy" / "checkpoint.pt", saved)
    assert run("training.resume=copy").status == 0
    whole = run(*arguments[:-1], f"training.epochs={more}")
    same_end("copy", whole.folder)


@pytest.mark.slow
def test_ten_random_kills(run, start, tmp_path):
    """`kill -9` at any moment, resumed each time: the end is that of the undisturbed run."""
    arguments = [
        *SMALL,
        "training=adaptive_equal_init_ema",
        "training.epochs=60",
        *EPOCHS[1:],
        BLOCKS,
    ]
    whole = run(*arguments)
    moments = random.Random(0)
    kills, folder = 0, tmp_path / "killed"
    script = start(folder, *arguments)
    while kills < 10:
        rows = len(read_rows(folder)) if (folder / "history.csv").exists() else 0
        wait_for_rows(folder, rows + moments.randrange(5), script)
        time.sleep(moments.uniform(0, 0.05))
        os.kill(script.pid, signal.SIGKILL)
        script.wait()
        kills += 1
        if not (folder / "checkpoint.pt").exists():
            shutil.rmtree(folder, ignore_errors=True)
            script = start(folder, *arguments)
        else:
            script = start(folder, f"training.resume={folder}")
    assert script.wait() == 0, script.text("err")
    same_end(folder, whole.folder)
