"""A sweep of the program through Ray's launcher, on this machine."""

import csv

import pytest


def test_a_sweep_ends_with_the_comparison(sweep, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_ray_launcher")
    sizes = ["training.epochs=2", "dataset.num_graphs=4", "hydra.sweep.dir=sweep"]
    ray = ["hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=1"]
    done = sweep(*ray, "training=default,adaptive_ema", *sizes, timeout=900)
    with open(tmp_path / "sweep" / "comparison.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["strategy"] for row in rows} == {"fixed", "ema"}
    assert "Ray Launcher is launching 2 jobs" in done.stdout + done.stderr
    for job in ("0", "1"):
        assert (tmp_path / "sweep" / job / "checkpoint.pt").is_file()
