"""Runs of the program (`pinn_ext.program.run`): what they print and leave, which lines work."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pinn_ext.program import checkpoints
from solvers.operators import GraphOperators
from tests.program.conftest import SMALL, read_report, read_rows

TERMS = ["PI_loss1", "PI_loss2", "RK4_loss1", "RK4_loss2"]
NUMBER = r"\d\.\d{3}e[+-]\d\d"
SPECIFIED = """\
epochs: 4
learning_rate: 0.005
weight_decay: 1.0e-5
optimizer: "adam"

loss:
  w1_PI: 1.0
  w2_PI: 1.0
  use_rk4: true
  w1_rk4: 1.0
  w2_rk4: 1.0
  use_gn_solver: false
  adaptive:
    enabled: true
    strategy: "equal_init"
    ema_alpha: 0.9
    update_frequency: 1
"""


def test_the_lines_of_an_adaptive_run(run):
    done = run(*SMALL, "training=adaptive_equal_init", "training.epochs=11")
    assert done.status == 0 and done.err == ""
    lines = done.out.splitlines()
    assert lines[0] == "Adaptive loss weighting enabled"
    assert lines[1] == "Strategy: equal_init"
    assert lines[2] == (
        "Initial weights: {'PI_loss1': 1.0, 'PI_loss2': 1.0, 'RK4_loss1': 1.0, 'RK4_loss2': 1.0}"
    )
    assert lines[3] == lines[9] == "=" * 50
    assert lines[4] == "Equalized weights at epoch 1:"
    weighted = []
    for name, line in zip(TERMS, lines[5:9], strict=True):
        assert re.fullmatch(rf"  {name}: loss={NUMBER}, weight={NUMBER}, weighted={NUMBER}", line)
        weighted.append(float(line.rsplit("=", 1)[1]))
    assert weighted == pytest.approx([weighted[0]] * 4, rel=2e-3)
    epochs = [line for line in lines if line.startswith("Epoch ")]
    assert [line[6:9] for line in epochs] == ["001", "005", "010", "011"]
    pattern = (
        rf"Epoch 001 \| Train {NUMBER} \| PI1 {NUMBER} \| PI2 {NUMBER} \| RK4_1 {NUMBER} "
        rf"\| RK4_2 {NUMBER} \| u \d\.\d\de[+-]\d\d \| v \d\.\d\de[+-]\d\d"
    )
    assert re.fullmatch(pattern, epochs[0])
    weights = [i for i, line in enumerate(lines) if line.startswith("        Weights: PI1=")]
    assert [lines[i - 1][6:9] for i in weights] == ["001", "010", "011"]


def test_train_is_the_sum_with_the_weights_in_force_during_the_epoch(run):
    done = run(*SMALL, "training=adaptive_ema", "training.log_every=1")
    header, *rows = read_rows(done.folder)
    terms = TERMS
    weights = [1.0] * 4
    for line, row in zip(re.findall(r"Train (\S+)", done.out), rows, strict=True):
        named = dict(zip(header, row, strict=True))
        losses = [float(named[term]) for term in terms]
        total = sum(w * loss for w, loss in zip(weights, losses, strict=True))
        assert float(line) == pytest.approx(total, rel=1e-3)
        weights = [float(named[f"weight_{term}"]) for term in terms]


def test_a_run_leaves_its_files(run, rendered):
    done = run(*SMALL, "experiment.name=trial", "seed=3")
    assert done.folder.name.startswith("trial-")
    names = {path.name for path in done.folder.iterdir()}
    assert names == {
        "best.pt",
        "checkpoint.pt",
        "config.yaml",
        "fields.png",
        "history.csv",
        "log.txt",
        "losses.png",
        "report.json",
        "run.lock",
        "versions.json",
        "weights.png",
    }
    assert all(path.stat().st_size > 5000 for path in done.folder.glob("*.png"))
    report = read_report(done.folder)
    assert report["problem"] == "coupled_burgers" and report["strategy"] == "fixed"
    assert report["seed"] == 3 and report["epochs"] == 3 and report["status"] == "ok"
    assert report["terms"] == ["PI_loss1", "PI_loss2", "RK4_loss1", "RK4_loss2"]
    for key in ("raw_losses_first", "raw_losses_last", "weights_last"):
        assert list(report[key]) == report["terms"]
    for key in ("relative_l2", "relative_l2_trivial", "rk4_floor"):
        assert set(report[key]) == {"u", "v"}
        assert all(math.isfinite(value) and value >= 0 for value in report[key].values())
    assert report["seconds_weighting"] < report["seconds_training"]
    assert report["best_epoch"] in (1, 2, 3)
    assert "seed: 3" in (done.folder / "config.yaml").read_text()
    versions = json.loads((done.folder / "versions.json").read_text())
    assert versions["torch"] == torch.__version__ and versions["device"] == "cpu"
    assert versions["threads"] == torch.get_num_threads() and versions["platform"]
    assert (done.folder / "log.txt").read_text() == done.out
    assert report["seconds_run"] > report["seconds_training"] and report["seconds_cpu"] > 0
    assert report["peak_memory_mib"] > 50 and report["peak_device_memory_mib"] is None
    assert f"{report['peak_memory_mib']:.0f} MiB of memory.\n" in done.out
    header = read_rows(done.folder)[0]
    assert header[:3] == ["epoch", "phase", "PI_loss1"] and "validation_RK4_loss2" in header
    saved = checkpoints.load(done.folder / "checkpoint.pt")
    assert {"model_state_dict", "optimizer_state_dict", "adaptive_weights_state"} <= set(saved)


@pytest.mark.parametrize(
    "arguments",
    [
        ["training=default"],
        ["training=adaptive_equal_init"],
        ["training=adaptive_equal_init_ema"],
        ["training=adaptive_ema", "training.loss.adaptive.ema_alpha=0.95"],
        [
            "training=adaptive_equal_init",
            "training.loss.adaptive.strategy=equal_init_ema",
            "training.loss.adaptive.ema_alpha=0.95",
        ],
        ["training=adaptive_ema", "training.loss.adaptive.update_frequency=5"],
        ["training.loss.use_rk4=false"],
        ["training.loss.rk4_per_unit_time=false", "training.loss.rk4_detach=true"],
        ["problem.conditions=soft"],
        ["problem.boundary=dirichlet"],
        ["problem.boundary=dirichlet", "problem.conditions=soft", "problem.scaling=inputs"],
        ["problem=linear_reaction_diffusion", "problem.scaling=none"],
        ["problem=brusselator", "dataset.nodes_per_side=4", "problem.scales=[0.3,20]"],
        ["dtype=float64", "dataset.step=0.2"],
        ["training.optimizer=sgd", "training.learning_rate=1e-4"],
        ["training.optimizer=adamw", "training.weight_decay=1e-4"],
        ["training.optimizer=rmsprop"],
        ["dataset.batch_size=100"],
        ["training.loss.w1_PI=0"],
    ],
)
def test_command_lines_that_work(run, arguments):
    done = run(*SMALL, "training.epochs=2", *arguments)
    assert done.status == 0, done.err
    assert read_report(done.folder)["status"] == "ok"
    assert len(read_rows(done.folder)) == 3


def test_soft_conditions_add_their_terms(run):
    done = run(*SMALL, "problem.conditions=soft", "training.epochs=1")
    assert read_report(done.folder)["terms"] == [
        f"{kind}_loss{i}" for kind in ("PI", "RK4", "IC", "BC") for i in (1, 2)
    ]


def test_terms_that_differ_in_size_are_named(run):
    """A size of u that is ten thousand times too small makes its terms 1e8 times those of v."""
    done = run(*SMALL, "training.epochs=2", "problem.scales=[1e-4,1]")
    apart = read_report(done.folder)["terms_apart"]
    lines = [line for line in done.out.splitlines() if line.startswith("Raw loss terms differ")]
    assert len(lines) == 1 and lines[0].endswith("set problem.scales (docs/SCALING_GUIDE.md).")
    for pair in apart.values():
        assert pair["ratio"] > 1e6 and pair["largest"][-1] == "1" and pair["smallest"][-1] == "2"
        assert f"{pair['largest']} ({pair['largest_loss']:.1e}) is " in lines[0]
    alike = run(*SMALL, "training.epochs=2", "problem.scales=[1,1]")
    assert read_report(alike.folder)["terms_apart"] == {"start": None, "end": None}
    assert "Raw loss terms differ" not in alike.out


@pytest.mark.parametrize("place", ["own", "config-dir"])
def test_the_specifications_own_recipe(run, tmp_path, monkeypatch, place):
    """A user's YAML works as a recipe; keys that it lacks come from the schema."""
    folder = tmp_path / "mine" / "training"
    folder.mkdir(parents=True)
    (folder / "my_adaptive.yaml").write_text(SPECIFIED)
    if place == "own":
        from pinn_ext.program import composition

        copy = tmp_path / "configs"
        import shutil

        shutil.copytree(composition.config_dir(), copy)
        (copy / "training" / "my_adaptive.yaml").write_text(SPECIFIED)
        monkeypatch.setattr(composition, "config_dir", lambda: copy)
        where = []
    else:
        where = ["--config-dir", tmp_path / "mine"]
    small = [a for a in SMALL if not a.startswith("training")]
    done = run(*where, *small, "training=my_adaptive")
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert report["strategy"] == "equal_init" and report["epochs"] == 4
    config = (done.folder / "config.yaml").read_text()
    assert "normalization: total" in config and "max_ratio: 100.0" in config
    assert "weight_decay: 1.0e-05" in config


def test_the_folder_asked_for_is_used(run, tmp_path):
    done = run(*SMALL, "training.epochs=1", "hydra.run.dir=here/now")
    assert done.status == 0 and (tmp_path / "here/now/report.json").exists()
    again = run(*SMALL, "training.epochs=1", "hydra.run.dir=here/now")
    assert again.status == 2 and "must not hold a run yet" in again.err


def test_folders_are_unique_within_a_second(tmp_path, monkeypatch):
    from pinn_ext.program.composition import new_folder

    monkeypatch.chdir(tmp_path)
    assert len({new_folder("outputs", "run", None) for _ in range(50)}) == 50


def test_same_seed_same_bits_other_seed_other_bits(run):
    rows = [read_rows(run(*SMALL, f"seed={seed}").folder) for seed in (1, 1, 2)]
    assert rows[0] == rows[1] != rows[2]


def test_lbfgs_phase_makes_exactly_the_iterations_asked_for(run):
    for wanted in (1, 21, 45):
        done = run(
            *SMALL,
            "training.epochs=2",
            f"training.lbfgs_iterations={wanted}",
            "training.weight_decay=1e-5",
            "dtype=float64",
        )
        assert done.status == 0, done.err
        assert read_report(done.folder)["lbfgs_iterations"] == wanted
        assert done.out.count("weight decay is left out") == 1
        rows = [row for row in read_rows(done.folder) if row[1] == "lbfgs"]
        blocks = {1: ["1"], 21: ["19", "21"], 45: ["20", "40", "45"]}[wanted]
        assert [row[0] for row in rows] == blocks


def test_a_loss_that_is_not_finite_fails_the_run_and_keeps_the_checkpoint(run, monkeypatch):
    from pinn_ext.systems.coupled_burgers import CoupledBurgers

    rhs, calls = CoupledBurgers.rhs, []

    def poisoned(self, u, v, d):
        calls.append(1)
        du, dv = rhs(self, u, v, d)
        broken = len(calls) > 150 and not isinstance(d, GraphOperators)  # that of the RK4 terms
        return (du, dv * float("nan")) if broken else (du, dv)

    monkeypatch.setattr(CoupledBurgers, "rhs", poisoned)
    done = run(*SMALL, "training.epochs=50")
    assert done.status == 1 and "PI_loss2 is not finite at step" in done.err
    assert done.err.count("\n") == 1
    report = read_report(done.folder)
    assert report["status"] == "failed" and "PI_loss2" in report["message"]
    saved = checkpoints.load(done.folder / "checkpoint.pt")
    assert all(torch.isfinite(p).all() for p in saved["model_state_dict"].values())
    assert saved["epoch"] == report["epochs"] == len(read_rows(done.folder)) - 1


def test_a_full_disk_keeps_the_former_checkpoint(run, monkeypatch):
    import os

    replace, count = os.replace, []

    def full(source, target):
        if str(target).endswith("checkpoint.pt"):
            count.append(target)
            if len(count) > 3:
                raise OSError(28, "No space left on device")
        return replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    done = run(*SMALL, "training.epochs=20")
    assert done.status == 1 and "No space left on device" in done.err
    assert checkpoints.load(Path(count[0]))["epoch"] == 2


def test_a_reader_that_goes_away_does_not_end_the_run(tmp_path):
    root = Path(__file__).resolve().parents[2]
    call = [sys.executable, str(root / "main.py"), *SMALL, "training.epochs=8"]
    done = subprocess.run(
        f"{' '.join(map(repr, call))} hydra.run.dir=run | head -1",
        shell=True,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert read_report(tmp_path / "run")["status"] == "ok"


@pytest.mark.parametrize(
    "loss",
    [
        'os.dup2(os.open("/dev/full", os.O_WRONLY), 1)',
        "os.close(1); sys.stdout = None",  # as Python itself has it where 1 is closed
    ],
)
def test_output_that_nobody_can_have_does_not_end_the_run(run_script, tmp_path, loss):
    script = tmp_path / "mute.py"
    script.write_text(
        f"import os, sys\n{loss}\nfrom pinn_ext.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    done = run_script(script, *SMALL, "hydra.run.dir=run", folder=tmp_path)
    assert "Traceback" not in done.stderr, done.stderr
    assert read_report(tmp_path / "run")["status"] == "ok"


def test_main_py_is_the_program():
    import runpy
    import sys

    root = Path(__file__).resolve().parents[2]
    before = sys.argv
    sys.argv = ["main.py", "training.epochs=0"]
    try:
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(root / "main.py"), run_name="__main__")
    finally:
        sys.argv = before
    assert stop.value.code == 2


def test_cfg_job_prints_the_configuration(run):
    done = run("--cfg", "job", "training=adaptive_ema")
    assert done.status == 0 and "strategy: ema" in done.out and done.folder is None
