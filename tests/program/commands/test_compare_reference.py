"""`pinn-ext compare-reference`: the errors printed are numpy's own."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import pinn_ext
from tests.program.untrained import untrained

TIMES = np.linspace(0.0, 1.0, 5)


def relative(found, wanted):
    return np.sqrt(((found - wanted) ** 2).sum()) / np.sqrt((wanted**2).sum())


@pytest.fixture
def reference(run, trained):
    """Write fields near those of the network; return them, [T, N] each."""
    x = np.linspace(-3.0, 3.0, 11)
    draw = np.random.default_rng(0)
    u, v = (np.exp(-TIMES)[:, None] * np.sin(x) + 0.1 * draw.random((5, 11)) for _ in range(2))
    np.savez("ref.npz", x=x, t=TIMES, u=u, v=v)
    loaded = pinn_ext.load(trained.folder)
    own = np.stack([loaded.fields(x, t) for t in TIMES]).astype(np.float64)
    return x, u, v, own


CLOSE = 2e-6
"""The network computes in float32, whose last digit depends on how many points it is asked for."""


def said(error, text):
    """Return whether a text has a number that is an error, but for what `CLOSE` allows."""
    numbers = re.findall(r"\d\.\d{6}e[-+]\d\d", text)
    return any(float(number) == pytest.approx(error, rel=CLOSE) for number in numbers)


def test_the_errors_printed_are_those_of_numpy(run, trained, reference):
    _, u, v, own = reference
    done = run("compare-reference", trained.folder, "ref.npz", "--out", "a.json")
    assert done.status == 0, done.err
    by_hand = {
        "u": relative(own[..., 0], u),
        "v": relative(own[..., 1], v),
        "joint": relative(own, np.stack([u, v], axis=-1)),
    }
    lines = done.out.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("relative L2"))
    assert lines[head].split()[-3:] == ["u", "v", "joint"]
    first, second, *numbers = lines[head + 1].split()
    assert (first, second) == ("all", "samples")
    assert [float(number) for number in numbers] == pytest.approx([*by_hand.values()], rel=CLOSE)
    assert len(lines[head + 2 : -1]) == 5 and lines[head + 3].startswith("t = 0.25 ")
    error = float(lines[head + 3].split()[3])
    assert error == pytest.approx(relative(own[1, :, 0], u[1]), rel=CLOSE)
    saved = json.loads(Path("a.json").read_text())
    assert saved["relative_l2"] == pytest.approx(by_hand, rel=CLOSE)
    assert saved["samples"] == 55 and len(saved["times"]) == 5 and saved["left_out"] == []
    assert saved["times"][4]["v"] == pytest.approx(relative(own[4, :, 1], v[4]), rel=CLOSE)


def test_what_lies_outside_is_left_out_and_said(run, trained, reference):
    x, u, v, own = reference
    times = np.array([0.0, 0.25, 0.5, 0.75, 1.5])
    np.savez("late.npz", x=np.append(x, 4.0), t=times, u=wide(u), v=wide(v))
    done = run("compare-reference", trained.folder, "late.npz")
    assert done.status == 0, done.err
    assert "12 samples of 60 at times outside of [0, 1] left out." in done.out
    assert "4 samples of 60 outside of the domain left out." in done.out
    assert said(relative(own[:4, :, 0], u[:4]), done.out)


def wide(values):
    """Return values with one more point, far from the others."""
    return np.hstack([values, np.full((len(values), 1), 1e6)])


def test_columns_time_and_the_best_network(run, trained, reference):
    x, u, v, _ = reference
    np.savez("odd.npz", x=x, one=u[2], two=v[2])
    options = "--columns", "u=one,v=two", "--time", 0.5, "--best"
    done = run("compare-reference", trained.folder, "odd.npz", *options)
    assert done.status == 0, done.err
    own = pinn_ext.load(trained.folder, best=True).fields(x, 0.5).astype(np.float64)
    assert said(relative(own[:, 0], u[2]), done.out) and "best.pt" in done.out
    assert "t = " not in done.out


def test_at_most_twelve_times_are_shown(run, tmp_path):
    untrained(tmp_path / "run", "problem=coupled_burgers")
    t, x = np.linspace(0, 1, 40), np.linspace(-1, 1, 3)
    field = np.ones((40, 3))
    np.savez("many.npz", x=x, t=t, u=field, v=field)
    done = run("compare-reference", "run", "many.npz")
    shown = [line for line in done.out.splitlines() if line.startswith("t = ")]
    assert len(shown) == 12 and shown[0].startswith("t = 0 ") and shown[-1].startswith("t = 1 ")
    assert "(12 of 40 times are shown)" in done.out


def test_single_samples(run, tmp_path):
    """Points that are not the same at all times have no error at a time of their own."""
    untrained(tmp_path / "run", "problem=coupled_burgers", "dtype=float64")
    table = np.random.default_rng(1).random((20, 4))
    np.savetxt("s.csv", table, delimiter=",", header="x,t,u,v", comments="")
    done = run("compare-reference", "run", "s.csv")
    own = pinn_ext.load("run").fields(table[:, :1], table[:, 1])
    assert said(relative(own, table[:, 2:]), done.out) and "t = " not in done.out
    assert "the data are single samples" in done.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere", "ref.npz"], "There is no run at nowhere."),
        (["run", "nowhere.npz"], "`FILE` must name a file, got nothing at nowhere.npz."),
        (
            ["run", "late.npz"],
            "`FILE` must have times in [0, 1], the time interval of the run, got 2",
        ),
        (
            ["run", "far.npz"],
            "`FILE` must have points in the domain of the run, got points in [9, 9]",
        ),
        (["run", "plane.npz"], "`FILE` must have positions in 1 dimension, got 2 coordinates"),
        (["run", "ref.npz", "--columns", "u"], "`--columns` must be KEY=NAME, such as u=U1,v=U2"),
        (["run", "ref.npz", "--columns", "u=w"], "`--columns` must name u by one of"),
        (["run", "ref.npz", "--columns", "w=u"], "`--columns` must have keys of"),
        (["run", "ref.npz", "--out", "a.csv"], "`--out` must end in .json, got a.csv."),
    ],
    ids=" ".join,
)
def test_refused(run, tmp_path, arguments, sentence):
    untrained(tmp_path / "run", "problem=coupled_burgers")
    one = np.ones((1, 1))
    np.savez("ref.npz", x=[0.0], t=[1.0], u=one, v=one)
    np.savez("late.npz", x=[0.0], t=[2.0], u=one, v=one)
    np.savez("far.npz", x=[9.0], t=[1.0], u=one, v=one)
    np.savez("plane.npz", x=np.ones((3, 2)), t=[1.0], u=np.ones((1, 3)), v=np.ones((1, 3)))
    before = sorted(tmp_path.rglob("*"))
    done = run("compare-reference", *arguments)
    assert done.status == 2 and done.err.count("\n") == 1 and sentence in done.err, done.err
    assert sorted(tmp_path.rglob("*")) == before
