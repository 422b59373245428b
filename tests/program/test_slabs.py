"""`training.slabs`: what a run in slabs of time prints and leaves, and what is refused."""

import contextlib
import csv
import gc
import io
import json
import signal
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import pinn_ext
from pinn_ext.cli import main
from pinn_ext.losses.solution_error import Evaluator
from pinn_ext.program import checkpoints
from pinn_ext.slabs import slab_of
from tests.program.conftest import SMALL, read_report, read_rows

THREE = [*SMALL, "training.slabs=3"]
GAUSS_NEWTON = (
    *("training=gauss_newton", "training.gauss_newton.iterations=12", "network.hidden=[6]"),
    *("dataset.num_graphs=2", "dataset.num_validation=2", "dataset.nodes_per_side=8"),
)


def rows_of(folder):
    with open(folder / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Give a finished run in three slabs that nobody changes: its folder, and what it printed."""
    folder, out = tmp_path_factory.mktemp("slabs") / "run", io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setattr(Figure, "savefig", lambda figure, file, **_: file.write(b""))
        assert main([*THREE, f"hydra.run.dir={folder}"]) == 0
    return SimpleNamespace(folder=folder, out=out.getvalue())


def test_a_run_in_slabs_says_so_everywhere(done):
    rows, report = rows_of(done.folder), read_report(done.folder)
    assert [(r["slab"], r["epoch"]) for r in rows] == [(s, e) for s in "123" for e in "123"]
    assert "Slab 2 of 3 | Epoch 001 | Train " in done.out
    assert "Slab 2 of 3, t = 0.333333 to 0.666667, is trained (u " in done.out
    assert "Relative L2 error after 3 epochs in each of 3 slabs " in done.out
    assert [row["slab"] for row in report["slabs"]] == [1, 2, 3]
    for row in report["slabs"]:
        last = [r for r in rows if r["slab"] == str(row["slab"])][-1]
        for field in "uv":  # measured in the slab, as after its last epoch
            assert row["relative_l2"][field] == float(last[f"error_{field}"])
    total = sum(row["seconds"] for row in report["slabs"])
    assert total == pytest.approx(report["seconds_training"])
    assert float(rows[-1]["seconds"]) <= total + 1e-3


def test_all_slabs_are_one_network_afterwards(done):
    report, found = read_report(done.folder), pinn_ext.load(done.folder)
    errors = Evaluator(found.system, "cpu", found.dtype).errors(found.network)
    assert errors == report["relative_l2"] and found.system.final_time == 1.0
    for row in report["slabs"]:
        slab = slab_of(found.system, row["slab"], 3)
        own = Evaluator(slab, "cpu", torch.float32)
        at = own.inputs.clone()
        at[:, -1] += slab.begin
        fields = found.fields(at[:, :-1], at[:, -1]).double()
        away = (fields - own.reference).norm(dim=0) / own.reference.norm(dim=0)
        assert away.tolist() == pytest.approx(list(row["relative_l2"].values()), rel=1e-4)
    best = pinn_ext.load(done.folder, best=True)
    assert best.fields([[0.4]] if best.system.dimension == 1 else [[0.4, 0.4]], 0.9).shape == (1, 2)
    edge = 1 / 3  # fields do not jump, and have derivatives on both sides
    x = found.grid(9)
    before, after = (found.fields(x, edge + shift) for shift in (-1e-6, 1e-6))
    assert np.abs(before - after).max() < 1e-4
    assert np.isfinite(found.derivatives(x, edge).laplacian).all()


def test_the_commands_take_all_slabs(run, done):
    again = run("predict", done.folder, "--times", "0,0.5,1", "--out", "f.npz")
    assert again.status == 0, again.err
    with np.load("f.npz") as file:
        u, x = file["u"], file["x"]
    found = pinn_ext.load(done.folder)
    assert np.array_equal(u[1], found.fields(x, 0.5)[:, 0])
    assert run("animate", done.folder, "--frames", "2", "--out", "f.gif").status == 0


@pytest.mark.slow
def test_gauss_newton_solves_slab_after_slab(run):
    """With few iterations a slab, errors stay small to the end: the start is the former end."""
    done = run(*GAUSS_NEWTON, "problem=coupled_burgers", "training.slabs=2")
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert max(report["relative_l2"].values()) < 1e-2 and report["epochs"] == 0
    assert all(max(row["relative_l2"].values()) < 1e-2 for row in report["slabs"])
    assert all(row["gauss_newton_iterations"] == 12 for row in report["slabs"])
    assert "12 Gauss-Newton iterations in each of 2 slabs" in done.out
    saved = checkpoints.load(done.folder / "checkpoint.pt")
    assert {v.dtype for v in saved["former_networks"].values()} == {torch.float64}


@pytest.mark.parametrize(
    "problem",
    [
        ("problem=ginzburg_landau", "dataset.nodes_per_side=8"),
        pytest.param(
            ("problem=brusselator", "problem.conditions=soft", "training=adaptive_rba"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ("problem=gray_scott", "training=adaptive_causal", "problem.reference=rk4"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ("training=adaptive_auto", "training.epochs=8", "training.schedule=cosine"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_other_problems_and_ways_of_training(run, problem):
    done = run(*SMALL[1:], *problem, "training.slabs=2")
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert [row["slab"] for row in report["slabs"]] == [1, 2]
    if "training=adaptive_auto" in problem:  # a choice in each slab
        assert {row["slab"] for row in report["pilots"]} == {1, 2}
        assert all(row["choice"] for row in report["slabs"]) and "slab after slab" in done.out


def test_soft_conditions_compare_with_the_end_of_the_former_slab(run, monkeypatch):
    from pinn_ext.program.run import state

    kept, build = [], state.build
    monkeypatch.setattr(state, "build", lambda *a: kept.append(build(*a)) or kept[-1])
    done = run(*SMALL, "problem.conditions=soft", "training.slabs=2")
    assert done.status == 0, done.err
    first, second = (built.network.double() for built in kept)
    x = torch.rand(5, first.system.dimension, dtype=torch.float64)
    end = first(torch.cat((x, torch.full((5, 1), 0.5, dtype=torch.float64)), dim=1))
    assert torch.allclose(second.system.at_start(x), end, rtol=1e-12)
    start = torch.cat((x, torch.zeros(5, 1, dtype=torch.float64)), dim=1)
    assert not torch.allclose(second(start), end, rtol=1e-3)  # which is left to the loss
    assert "IC1 " in done.out


def test_the_graphs_of_a_slab_are_gone_before_the_next_ones_are_made(run, monkeypatch):
    from pinn_ext.program.run import state

    former, build = [], state.build

    def watching(*arguments):
        gc.collect()
        assert not any(data() for data in former), "a device may have no room for both"
        built = build(*arguments)
        former.append(weakref.ref(built.data))
        return built

    monkeypatch.setattr(state, "build", watching)
    done = run(*SMALL, "training.slabs=2")
    assert done.status == 0 and len(former) == 2, done.err


@pytest.mark.slow
def test_the_next_slab_starts_from_what_is_kept(run):
    """With `training.keep=best` that is the best network of the slab."""
    wild = [*SMALL, "training.epochs=6", "training.learning_rate=3.0", "training.slabs=2"]
    last, best = run(*wild), run(*wild, "training.keep=best")
    assert read_report(best.folder)["slabs"][0]["best"]["epoch"] < 6
    ends = [checkpoints.load(done.folder / "checkpoint.pt") for done in (last, best)]
    key = "layers.0.weight"
    assert not torch.equal(*(end["former_networks"][key] for end in ends))
    rows = [rows_of(done.folder) for done in (last, best)]
    assert rows[0][:5] == rows[0][:5] and rows[0][6]["PI_loss1"] != rows[1][6]["PI_loss1"]
    errors = read_report(best.folder)["slabs"][0]["relative_l2"]
    epoch = read_report(best.folder)["slabs"][0]["best"]["epoch"]
    assert errors["u"] == pytest.approx(float(rows[1][epoch - 1]["error_u"]))


def test_an_interrupted_run_reports_as_far_as_it_came(run, monkeypatch):
    from pinn_ext.dde.phases import Phase

    count, original = [0], Phase.on_epoch_end

    def interrupting(self):
        count[0] += 1
        if count[0] == 14:  # of 9 steps a slab
            signal.raise_signal(signal.SIGINT)
        original(self)

    with monkeypatch.context() as patch:
        patch.setattr(Phase, "on_epoch_end", interrupting)
        done = run(*THREE)
    assert done.status == 130
    report, found = read_report(done.folder), pinn_ext.load(done.folder)
    assert report["status"] == "interrupted" and len(report["slabs"]) == 2
    assert found.system.final_time == pytest.approx(2 / 3)
    errors = Evaluator(found.system, "cpu", found.dtype).errors(found.network)
    assert errors == report["relative_l2"]
    late = run("predict", done.folder, "--times", "0.9", "--out", "f.npz")
    assert late.status == 2 and "`--times` must lie in [0, 0.666667]" in late.err
    assert run(f"training.resume={done.folder}").status == 0
    assert pinn_ext.load(done.folder).system.final_time == 1.0


@pytest.mark.slow
def test_a_reference_at_one_time_alone(run, done):
    """Errors are there in the slab that the file has a time of, and over all times."""
    x = pinn_ext.load(done.folder).grid(9)
    exact = pinn_ext.load(done.folder).system.exact(
        torch.from_numpy(x), torch.ones(len(x), dtype=torch.float64)
    )
    np.savez("last.npz", x=x, t=np.array([1.0]), u=exact[None, :, 0], v=exact[None, :, 1])
    own = run(*THREE, "problem.reference=last.npz")
    assert own.status == 0, own.err
    report = read_report(own.folder)
    assert [row["relative_l2"] is None for row in report["slabs"]] == [True, True, False]
    assert report["relative_l2"] == pytest.approx(report["slabs"][2]["relative_l2"], rel=1e-5)
    rows = rows_of(own.folder)
    assert rows[0]["error_u"] == "nan" and float(rows[-1]["error_u"]) > 0


REFUSED = [
    ("training.slabs=0", "`training.slabs` must be a whole number >= 1, got 0"),
    ("training.slabs=-2", "`training.slabs` must be a whole number >= 1, got -2"),
    ("training.slabs=2.5", "training.slabs"),
    ("training.slabs=two", "training.slabs"),
    ("training.slabs=null", "training.slabs"),
    (
        "training.slabs=100",
        "`dataset.step` must be below 0.01, the length of a slab with training.slabs=100, got 0.01",
    ),
]


@pytest.mark.parametrize(("override", "message"), REFUSED)
def test_what_cannot_be_is_refused_in_one_sentence(run, override, message):
    done = run(*SMALL, override)
    assert done.status == 2 and done.folder is None
    assert message in done.err and done.err.count("\n") == 1


@pytest.mark.slow
def test_a_sweep_compares_numbers_of_slabs(run, tmp_path):
    done = run("-m", *SMALL, "training.slabs=1,2")
    assert done.status == 0, done.err
    rows = json.loads((done.folder / "comparison.json").read_text())
    assert [row["status"] for row in rows] == ["ok", "ok"] and "slabs=2" in done.out
    assert "slab" not in read_rows(done.folder / "0")[0]
    assert read_rows(done.folder / "1")[0][0] == "slab"
