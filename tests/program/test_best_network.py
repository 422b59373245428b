"""The best network of a run, and the schedule of its learning rate."""

import csv
import math
import shutil
from pathlib import Path

import pytest
import torch

from pinn_ext.program import checkpoints
from tests.lengths import quick_are
from tests.program.conftest import SMALL, read_report
from tests.program.test_resume import parameters, same_end

# So large a rate that later epochs are worse than earlier ones.
WILD = [*SMALL, "training.epochs=6", "training.learning_rate=3.0"]


def scores(folder):
    """Return phase, epoch and score of each row of a run's history."""
    with open(Path(folder) / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name.startswith("validation_")]
    first = [float(rows[0][name]) for name in names]
    return [
        (
            row["phase"],
            int(row["epoch"]),
            math.fsum(float(row[n]) / f for n, f in zip(names, first, strict=True)),
        )
        for row in rows
    ]


def test_it_is_the_one_with_the_smallest_validation_losses(run):
    done = run(*WILD)
    assert done.status == 0, done.err
    report, saved = read_report(done.folder), checkpoints.load(done.folder / "best.pt")
    phase, epoch, score = min(scores(done.folder), key=lambda row: row[2])
    assert (phase, epoch) == (saved["phase"], saved["epoch"]) == ("epochs", report["best_epoch"])
    assert saved["score"] == pytest.approx(score, rel=1e-5) and epoch < 6
    with open(done.folder / "history.csv", newline="") as file:
        row = list(csv.DictReader(file))[epoch - 1]
    for field in "uv":
        assert report["relative_l2_best"][field] == pytest.approx(float(row[f"error_{field}"]))
        assert report["relative_l2"][field] == report["relative_l2_last"][field]
    assert f"The best network by validation losses, epoch {epoch}: u " in done.out


@pytest.mark.slow
def test_keep_best_changes_the_report_alone(run):
    last, best = run(*WILD), run(*WILD, "training.keep=best")
    one, other = read_report(last.folder), read_report(best.folder)
    assert other["relative_l2"] == one["relative_l2_best"] == other["relative_l2_best"]
    assert other["relative_l2_last"] == one["relative_l2"]
    assert other["relative_l2"] != other["relative_l2_last"]
    same_end(last.folder, best.folder)
    assert f"Relative L2 error of the best network, epoch {one['best_epoch']} " in best.out
    assert "The last network, after 6 epochs: u " in best.out
    again = run(f"training.resume={last.folder}", "training.keep=best")
    assert again.status == 0 and read_report(last.folder)["relative_l2"] == other["relative_l2"]


@pytest.mark.parametrize("step", quick_are([16], [5, 10, 16]))
def test_it_survives_a_kill(run, run_killed, step):
    whole = run(*WILD)
    run_killed(step, *WILD, "hydra.run.dir=broken")
    assert run("training.resume=broken").status == 0
    same_end("broken", whole.folder)
    one, other = (checkpoints.load(Path(f) / "best.pt") for f in ("broken", whole.folder))
    assert [one[key] for key in ("phase", "epoch", "score")] == [
        other[key] for key in ("phase", "epoch", "score")
    ]
    for name, value in one["model_state_dict"].items():
        assert torch.equal(value, other["model_state_dict"][name])


def test_it_goes_along_into_another_folder(run):
    done = run(*WILD)
    again = run(f"training.resume={done.folder}", "hydra.run.dir=other")
    assert again.status == 0, again.err
    best = [Path(folder, "best.pt").read_bytes() for folder in (done.folder, "other")]
    assert best[0] == best[1]
    assert read_report("other")["relative_l2_best"] == read_report(done.folder)["relative_l2_best"]


@pytest.mark.slow
def test_a_lost_one_is_said_and_that_of_another_run_refused(run):
    done, other = run(*WILD), run(*WILD, "seed=1")
    before = (done.folder / "checkpoint.pt").read_bytes()
    shutil.copy(other.folder / "best.pt", done.folder)
    refused = run(f"training.resume={done.folder}", "training.epochs=7")
    assert refused.status == 1
    assert "best.pt is not the one that the checkpoint was made beside" in refused.err
    (done.folder / "best.pt").write_bytes(b"torn")
    assert run(f"training.resume={done.folder}", "training.epochs=7").status == 1
    assert (done.folder / "checkpoint.pt").read_bytes() == before
    (done.folder / "best.pt").unlink()
    resumed = run(f"training.resume={done.folder}", "training.epochs=7")
    assert resumed.status == 0, resumed.err
    assert (
        "There is no best network of the epochs so far: it is sought from here on." in resumed.out
    )
    assert read_report(done.folder)["best_epoch"] == 7


def test_a_second_phase_can_be_the_best(run):
    done = run(*SMALL, "training.lbfgs_iterations=20", "dtype=float64")
    phase, epoch, _ = min(scores(done.folder), key=lambda row: row[2])
    report = read_report(done.folder)
    assert phase == "lbfgs" and report["best"] == {"phase": phase, "epoch": epoch}
    assert report["best_epoch"] is None


@pytest.mark.parametrize(
    "more",
    [
        ["training.loss.use_gn_solver=true", "training.gauss_newton.iterations=20"],
        ["training.loss.w1_rk4=0", "training.loss.w2_rk4=0", "training.lbfgs_iterations=150"],
    ],
)
def test_terms_that_are_not_trained_do_not_decide(run, more):
    """RK4 losses rest at the graph's truncation error, whatever the equation's do."""
    done = run(*SMALL, "network.hidden=[12,12]", "dtype=float64", "training.epochs=5", *more)
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert report["best"]["phase"] != "epochs"
    for field in "uv":
        assert report["relative_l2_best"][field] < 3 * report["relative_l2_last"][field]


def test_a_checkpoint_that_says_nothing_of_it(run):
    done = run(*WILD)
    saved = checkpoints.load(done.folder / "checkpoint.pt")
    del saved["best"]
    checkpoints.save(done.folder / "checkpoint.pt", saved)
    again = run(f"training.resume={done.folder}", "training.epochs=7")
    assert again.status == 0, again.err
    assert "There is no best network of the epochs so far" in again.out
    assert read_report(done.folder)["best_epoch"] == 7


COSINE = [*SMALL, "training.epochs=6", "training.schedule=cosine", "training=adaptive_ema"]


def rates(folder):
    saved = checkpoints.load(Path(folder) / "checkpoint.pt")
    return saved["optimizer_state_dict"]["param_groups"][0], saved["schedule_state_dict"]


@pytest.mark.slow
def test_the_rate_falls_along_a_cosine(run, run_killed):
    done = run(*COSINE)
    assert done.status == 0, done.err
    group, schedule = rates(done.folder)
    assert group["lr"] == pytest.approx(0, abs=1e-9) and schedule["last_epoch"] == 6 * 3
    run_killed(3 * 3, *COSINE, "hydra.run.dir=broken")
    group, schedule = rates("broken")
    made = schedule["last_epoch"]
    assert made in (6, 9)
    assert group["lr"] == pytest.approx(0.005 * (1 + math.cos(math.pi * made / 18)) / 2)
    assert run("training.resume=broken").status == 0
    same_end("broken", done.folder)
    assert rates("broken") == rates(done.folder)
    plain = run(*COSINE[:-2], "training=adaptive_ema")
    assert not torch.equal(parameters(plain.folder), parameters(done.folder))


def test_its_length_is_settled(run):
    done = run(*COSINE)
    more = run(f"training.resume={done.folder}", "training.epochs=7")
    assert more.status == 2
    assert (
        "`training.epochs` must stay 6, over which the cosine schedule lets the learning rate fall"
        in more.err
    )


@pytest.mark.parametrize(("key", "legal"), [("schedule", "cosine, none"), ("keep", "best, last")])
def test_other_names_are_refused(run, key, legal):
    done = run(*SMALL, f"training.{key}=first")
    assert done.status == 2 and f"`training.{key}` must be one of {legal}" in done.err
