"""`events.csv`, `gradients.csv` and what a run says of its weights."""

import csv
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from pinn_ext import strategies
from pinn_ext.dde.phases import Phase
from pinn_ext.reports import epoch_log
from pinn_ext.strategies import Proposal, Strategy
from tests.program.conftest import SMALL, read_report, read_rows

WHERE = "training.loss.adaptive"


EVENTFUL = [
    *SMALL,
    "training=adaptive_ema",
    "training.epochs=6",
    f"{WHERE}.max_change=1.02",
    f"{WHERE}.freeze_after=4",
    f"{WHERE}.diagnostics=true",
]


def table(folder, name):
    with open(Path(folder) / name, newline="") as file:
        return list(csv.DictReader(file))


def test_events_and_gradients_of_a_run(run, rendered):
    done = run(*EVENTFUL)
    assert done.status == 0, done.err
    events = table(done.folder, "events.csv")
    assert list(events[0]) == ["step", "epoch", "term", "what", "why"]
    first = [event for event in events if event["epoch"] == "1"]
    assert {(event["step"], event["what"], event["why"]) for event in first} == {
        ("3", "limit", "held by max_change")
    }
    frozen = [event for event in events if event["what"] == "frozen"]
    assert [(event["step"], event["epoch"], event["term"]) for event in frozen] == [("15", "5", "")]
    assert done.out.count("Weights, epoch 005: weights stay after 4 epochs\n") == 1
    assert "max_change" not in done.out
    rows = table(done.folder, "gradients.csv")
    assert [row["step"] for row in rows] == ["3", "6", "9", "12", "15", "18"]
    names = read_report(done.folder)["terms"]
    assert [key for key in rows[0] if key.startswith("norm_")] == [f"norm_{n}" for n in names]
    assert len(rows[0]) == 1 + 4 + 6 + 3
    for row in rows:
        assert all(float(row[f"norm_{name}"]) > 0 for name in names)
        assert all(-1 <= float(v) <= 1 for key, v in row.items() if key.startswith("cos_"))
    assert (done.folder / "gradients.png").read_bytes()[:4] == b"\x89PNG"
    history, found = table(done.folder, "history.csv"), read_report(done.folder)["gradients"]
    for key in ("alignment", "conflict", "size_ratio"):
        assert [row[key] for row in history] == [row[key] for row in rows]
    angles = [[float(v) for key, v in row.items() if key.startswith("cos_")] for row in rows]
    assert [float(row["alignment"]) for row in rows] == pytest.approx([sum(a) / 6 for a in angles])
    assert [float(row["conflict"]) for row in rows] == list(map(min, angles))
    assert found["periods"] == 3 and set(found["pair"]) <= set(names)
    assert found["alignment"] == statistics.median(float(r["alignment"]) for r in rows[3:])
    assert found["size_ratio"] == statistics.median(float(r["size_ratio"]) for r in rows[3:])
    assert done.out.count(found["sentence"] + "\n") == 1


def test_the_scores_are_of_the_weights_in_force(run):
    """The first epoch has the initial weights, whatever the strategy makes of them after it."""
    heavy = ["training.loss.w1_PI=1000", "training.loss.w2_PI=1000"]
    done = run(*SMALL, "training=adaptive_ema", f"{WHERE}.diagnostics=true", *heavy)
    row = table(done.folder, "gradients.csv")[0]
    sizes = [
        float(row[f"norm_{name}"]) * (1000 if name.startswith("PI") else 1)
        for name in read_report(done.folder)["terms"]
    ]
    assert float(row["size_ratio"]) == pytest.approx(max(sizes) / min(sizes), rel=1e-12)


def test_scores_where_nothing_is_measured_are_nan_or_left_out(run):
    plain = run(*SMALL)
    assert "alignment" not in table(plain.folder, "history.csv")[0]
    assert read_report(plain.folder)["gradients"] is None
    more = ("training.loss.use_gn_solver=true", "training.gauss_newton.iterations=1")
    own = [*SMALL, *more, "training.gauss_newton.points=60", f"{WHERE}.diagnostics=true"]
    rows = table(run(*own).folder, "history.csv")
    measured = {row["phase"]: row["alignment"] != "nan" for row in rows}
    assert measured == {"epochs": True, "gauss_newton": False}


def test_a_run_without_events_has_no_tables(run):
    done = run(*SMALL)
    left = {path.name for path in done.folder.iterdir()}
    assert not left & {"events.csv", "gradients.csv", "gradients.png"}
    assert read_report(done.folder)["penalty"] == 0.0


@pytest.mark.parametrize("step", [5, 14])
def test_tables_are_exact_after_a_resume(run, run_killed, step):
    whole = run(*EVENTFUL)
    run_killed(step, *EVENTFUL, "hydra.run.dir=broken")
    with open("broken/events.csv", "a") as file:  # what a later epoch had written
        file.write("99,33,PI_loss1,limit,he")
    resumed = run("training.resume=broken")
    assert resumed.status == 0, resumed.err
    for name in ("events.csv", "gradients.csv"):
        assert Path("broken", name).read_text() == (whole.folder / name).read_text()
    assert read_rows("broken") == read_rows(whole.folder)


def test_weights_move_between_the_blocks_of_lbfgs(run):
    arguments = [*SMALL, "training=adaptive_ema", "training.lbfgs_iterations=40", "dtype=float64"]
    frozen, moved = run(*arguments), run(*arguments, f"{WHERE}.second_phase=blocks")
    assert "in one batch, loss weights frozen." in frozen.out
    assert "in one batch, loss weights move between its blocks." in moved.out
    columns = []
    for done in (frozen, moved):
        rows = table(done.folder, "history.csv")
        columns.append([row["weight_PI_loss1"] for row in rows if row["phase"] == "lbfgs"])
        assert read_report(done.folder)["lbfgs_iterations"] == 40
    assert len(set(columns[0])) == 1 and len(set(columns[1])) == len(columns[1]) == 2


def test_second_phase_in_blocks_resumes_exactly(run, run_killed):
    arguments = [*SMALL, "training=adaptive_ema", "training.lbfgs_iterations=63", "dtype=float64"]
    arguments.append(f"{WHERE}.second_phase=blocks")
    whole = run(*arguments)
    run_killed(9 + 3, *arguments, "hydra.run.dir=broken")
    assert run("training.resume=broken").status == 0
    assert read_rows("broken") == read_rows(whole.folder)


@pytest.fixture
def scripted(monkeypatch):
    @dataclass(frozen=True)
    class Scripted(Strategy):
        name: ClassVar[str] = "scripted"

        def init(self, initial_weights):
            return {"calls": 0}

        def update(self, statistics, state):
            calls = state["calls"] + 1
            targets = [float(calls)] + [1.0] * (len(statistics.losses) - 1)
            if calls == 3:
                targets[0] = math.nan
            note = "the second stage begins" if calls == 2 else None
            return Proposal(targets, False, penalty=-1.5, note=note), {"calls": calls}

    monkeypatch.setitem(strategies._REGISTRY, "scripted", Scripted)


def test_notes_refusals_and_the_penalty_are_said(run, scripted):
    done = run(*SMALL, "training=adaptive_ema", f"{WHERE}.strategy=scripted")
    assert done.status == 0, done.err
    assert done.out.count("Weights, epoch 002: the second stage begins\n") == 1
    assert "Weights, epoch 003: scripted answers no finite weights ([nan, " in done.out
    assert "weights unchanged" not in done.err  # once, as a line of the run
    assert "Penalty of scripted beside the weighted losses: -1.500e+00" in done.out
    assert read_report(done.folder)["penalty"] == -1.5
    assert [event["what"] for event in table(done.folder, "events.csv")] == ["note", "unusable"]


def test_a_run_that_breaks_says_that_its_weights_went_back(run, monkeypatch):
    original, count = Phase.on_epoch_end, [0]

    def poisoning(self):
        original(self)
        count[0] += 1
        if count[0] == 4:  # one step after the first update
            for parameter in self.shared.network.parameters():
                parameter.data.fill_(math.nan)

    monkeypatch.setattr(Phase, "on_epoch_end", poisoning)
    done = run(*SMALL, "training=adaptive_ema")
    report = read_report(done.folder)
    assert done.status == 1 and report["status"] == "failed"
    event = table(done.folder, "events.csv")[-1]
    assert event["what"] == "rolled_back" and event["why"] == report["message"]
    assert f"Weights, epoch 001: rolled back: {report['message']}\n" in done.out


def test_a_history_from_before_the_scores_goes_on_with_them(run, monkeypatch):
    """A checkpoint with its tables as a version without them has left it."""
    arguments = [*SMALL, f"{WHERE}.diagnostics=true"]
    with monkeypatch.context() as before:
        before.setattr(epoch_log, "SCORES", ())
        first = run(*arguments, "hydra.run.dir=old")
    assert first.status == 0 and "alignment" not in table("old", "history.csv")[0]
    assert run("training.resume=old", "training.epochs=5").status == 0
    rows = table("old", "history.csv")
    assert [row["alignment"] == "nan" for row in rows] == [True] * 3 + [False] * 2
    assert all(float(row["seconds"]) >= 0 for row in rows)
    again = run("training.resume=old", "training.epochs=6")
    assert again.status == 0 and table("old", "history.csv")[:5] == rows
