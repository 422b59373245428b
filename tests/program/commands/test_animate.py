"""`pinn-ext animate`: one picture a time, the same colours in all of them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.program.untrained import untrained


@pytest.fixture
def plane(tmp_path):
    """Make a run in the plane on a ring in the box."""
    on_ring = "problem.geometry=annulus", "problem.conditions=soft"
    untrained(tmp_path / "plane", "problem=brusselator", *on_ring)
    return tmp_path / "plane"


@pytest.mark.parametrize("problem", ["brusselator", "coupled_burgers"])
def test_a_gif_of_all_frames(run, rendered, tmp_path, problem):
    untrained(tmp_path / "run", f"problem={problem}")
    done = run("animate", "run", "--frames", 3, "--fps", 10)
    assert done.status == 0, done.err
    assert done.out == "Written: run/fields.gif (3 frames, 10 a second).\n"
    with Image.open(tmp_path / "run" / "fields.gif") as picture:
        frames = []
        for number in range(picture.n_frames):
            picture.seek(number)
            frames.append(np.asarray(picture.convert("RGB"), dtype=int))
        assert picture.n_frames == 3 and picture.info["duration"] == 100
    assert frames[0].shape == (400, 900, 3)
    # Fields and the title change; labels of the axes, that is the lowest rows, do not.
    assert (frames[0] != frames[2]).any() and (frames[0][-20:] == frames[2][-20:]).all()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "There is no run at nowhere."),
        (["plane", "--out", "a.png"], "`--out` must end in .gif or .mp4, got a.png."),
        (["plane", "--frames", "1"], "`--frames` must be a whole number in [2, 1000], got 1."),
        (["plane", "--fps", "99"], "`--fps` must be a whole number in [1, 50], got 99."),
        (["plane", "--out", "old.gif"], "There is a file old.gif: add --overwrite to replace it."),
        (["plane", "--out", "a.mp4"], "ffmpeg must be installed to write a.mp4: a .gif needs"),
    ],
    ids=str,
)
def test_refused(run, plane, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    (tmp_path / "old.gif").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    done = run("animate", *arguments)
    assert done.status == 2 and done.err.count("\n") == 1 and sentence in done.err, done.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_a_movie(run, rendered, plane):
    done = run("animate", "plane", "--frames", 3, "--out", "a.mp4")
    assert done.status == 0, done.err
    assert b"ftyp" in Path("a.mp4").read_bytes()[:12]


def test_a_failure_leaves_nothing(run, rendered, plane, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pinn_ext.reports.field_plots.animation.replace_file", full)
    before = sorted(tmp_path.rglob("*"))
    done = run("animate", "plane", "--frames", 2)
    assert done.status == 2 and "fields.gif cannot be written (No space left" in done.err
    assert sorted(tmp_path.rglob("*")) == before
