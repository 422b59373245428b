"""A search by Optuna's sweeper for Hydra: its jobs return what it minimises."""

import csv
import json

import pytest

SIZES = (
    "training.epochs=2",
    "dataset.num_graphs=4",
    "dataset.batch_size=2",
    "dataset.nodes_per_side=8",
    "dataset.num_validation=2",
    "network.hidden=[8]",
)


def test_it_minimises_the_held_out_score_and_ends_with_the_comparison(sweep, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    search = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=1"]
    search += ["hydra.sweeper.sampler.seed=0", "hydra.sweep.dir=search"]
    options = ["training=adaptive_ema", "training.loss.adaptive.ema_alpha=interval(0.5,0.99)"]
    done = sweep(*search, *SIZES, *options, timeout=1800)
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
