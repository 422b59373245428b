"""A search by Optuna's sweeper for Hydra: its jobs return what it minimises."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SIZES = (
    "training.epochs=2",
    "dataset.num_graphs=4",
    "dataset.batch_size=2",
    "dataset.nodes_per_side=8",
    "dataset.num_validation=2",
    "network.hidden=[8]",
)


def test_it_minimises_the_held_out_score_and_ends_with_the_comparison(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    search = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=1"]
    search += ["hydra.sweeper.sampler.seed=0", "hydra.sweep.dir=search"]
    options = ["training=adaptive_ema", "training.loss.adaptive.ema_alpha=interval(0.5,0.99)"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "-m", *search, *SIZES, *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    folder = tmp_path / "search"
    with open(folder / "comparison.csv", encoding="utf-8", newline="") as file:
        scores = {row["job"]: float(row["held_out_score"]) for row in csv.DictReader(file)}
    assert set(scores) == {"0", "1", "2"}
    reports = [json.loads((folder / job / "report.json").read_text()) for job in sorted(scores)]
    assert [report["held_out_score"] for report in reports] == [scores[j] for j in sorted(scores)]
    best = min(scores, key=scores.get)
    found = (folder / "optimization_results.yaml").read_text()
    assert f"best_value: {scores[best]!r}" in found
    assert f"which the sweeper goes by, is {scores[best]:.3g}: job {best} (" in done.stdout
