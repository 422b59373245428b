"""A sweep of the program through Ray's launcher, on this machine."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_a_sweep_ends_with_the_comparison(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_ray_launcher")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    sizes = ["training.epochs=2", "dataset.num_graphs=4", "hydra.sweep.dir=sweep"]
    ray = ["hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=1"]
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "main.py"),
            "-m",
            *ray,
            "training=default,adaptive_ema",
            *sizes,
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with open(tmp_path / "sweep" / "comparison.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["strategy"] for row in rows} == {"fixed", "ema"}
    assert "Ray Launcher is launching 2 jobs" in done.stdout + done.stderr
    for job in ("0", "1"):
        assert (tmp_path / "sweep" / job / "checkpoint.pt").is_file()
