"""Every registered strategy trains the main job, and moves what it declares to move."""

import pytest
import torch

from pinn_ext import strategies
from pinn_ext.program import checkpoints
from tests.program.conftest import read_report

FEW = (
    "training.epochs=2",
    "dataset.num_graphs=10",
    "dataset.num_validation=2",
    "dataset.nodes_per_side=9",
    "network.hidden=[8]",
)


@pytest.mark.parametrize("name", [name for name in strategies.names() if name != "auto"])
def test_two_epochs_on_ten_graphs(run, name):
    more = ["problem.scaling=none"] if name == "field_scale" else []
    if getattr(strategies.create(name), "needs_conditions", False):
        more = ["problem.conditions=soft"]
    done = run(
        "training=adaptive_equal_init", f"training.loss.adaptive.strategy={name}", *FEW, *more
    )
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert report["status"] == "ok" and report["epochs"] == 2 and report["strategy"] == name
    moves = strategies.create(name).moves
    last = list(report["weights_last"].values())
    assert (last != pytest.approx([1.0] * len(last), rel=1e-6)) == (moves == "terms"), last
    saved = checkpoints.load(done.folder / "checkpoint.pt")["adaptive_weights_state"]
    assert (saved["points"] is not None) == (moves == "points")
    if moves == "points":
        for table in saved["points"]["tables"]:
            numbers = [torch.as_tensor(value) for value in table["state"].values()]
            assert any(values.numel() > 1 and values.any() for values in numbers), table


def test_ten_epochs_of_pilots(run):
    options = "training.loss.adaptive.options"
    pilots = f"+{options}.diagnosis=false"  # which hard conditions would go without
    done = run("training=adaptive_auto", "training.epochs=10", pilots, *FEW[1:])
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert report["status"] == "ok" and report["strategy"] == "auto"
    assert sum(row["round"] > 0 for row in report["pilots"]) >= 2 and report["choice"]
    assert report["choice"].split(",")[0] in done.out
