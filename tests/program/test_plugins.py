"""Systems and strategies of installed packages in runs, sweeps and comparisons."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pinn_ext.cli import main
from tests.distributions import Distributions
from tests.program.conftest import SMALL, read_report, read_rows

ROOT = Path(__file__).resolve().parents[2]
OURS = ("problem=offered", "training=adaptive_offered")


@pytest.fixture(autouse=True)
def installed(tmp_path, monkeypatch):
    found = Distributions(tmp_path / "site", monkeypatch)
    found.system("offered", "plugin_system")
    found.strategy("offered", "plugin_strategy")
    return found


def small(*overrides):
    return [*SMALL[1:], *overrides]  # without its problem


def test_a_run_and_its_continuation(run):
    whole = run(*small(*OURS, "training.epochs=4", "training.loss.adaptive.options.first=4"))
    assert whole.status == 0, whole.err
    report = read_report(whole.folder)
    assert (report["problem"], report["strategy"]) == ("offered", "offered")
    text = (whole.folder / "config.yaml").read_text()
    assert "name: offered" in text and "rate: 0.5" in text and "first: 4" in text
    part = run(*small(*OURS, "training.epochs=2", "training.loss.adaptive.options.first=4"))
    resumed = run(f"training.resume={part.folder}", "training.epochs=4", *OURS)
    assert resumed.status == 0, resumed.err
    assert read_rows(part.folder) == read_rows(whole.folder)


def test_a_parameter_of_the_class(run):
    done = run(*small(*OURS, "training.epochs=1", "problem.parameters.rate=2"))
    assert done.status == 0, done.err
    refused = run(*small(*OURS, "problem.parameters.speed=2"))
    assert refused.status == 2 and refused.folder is None
    assert "`parameter of offered` must be one of rate, got 'speed'" in refused.err


def test_a_sweep_and_its_comparison(run):
    sweep = run("-m", *small("problem=offered,coupled_burgers", OURS[1], "training.epochs=1"))
    assert sweep.status == 0, sweep.err
    rows = json.loads((sweep.folder / "comparison.json").read_text())
    assert {row["strategy"] for row in rows} == {"offered"}
    assert main(["compare", str(sweep.folder)]) == 0


@pytest.mark.slow
def test_workers_know_what_is_installed(installed, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    call = [sys.executable, str(ROOT / "main.py"), "-m", *small(*OURS), "seed=0,1"]
    call += ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=all"]
    path = os.pathsep.join([str(ROOT), str(installed.folder)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [read_report(tmp_path / "all" / job)["strategy"] for job in "01"] == ["offered"] * 2
