"""The program on scattered nodes and triangulations, on every domain in the plane."""

import shutil

import pytest
import torch

from pinn_ext.program import checkpoints
from pinn_ext.systems import domains
from tests.program.conftest import read_report, read_rows

TINY = (
    "problem.conditions=soft",
    "dataset.num_graphs=4",
    "dataset.batch_size=3",
    "dataset.nodes_per_side=9",
    "dataset.num_validation=2",
    "network.hidden=[8]",
    "training=adaptive_ema",
    "training.epochs=2",
)


scattered = pytest.mark.parametrize("kind", ["cloud", "triangulation"])


every = pytest.mark.parametrize("shape", domains.names())


@scattered
@every
def test_a_run_from_end_to_end(run, kind, shape):
    done = run(*TINY, f"dataset={kind}", f"problem.geometry={shape}")
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert (report["geometry"], report["dataset"], report["order"]) == (shape, kind, 2)
    assert report["status"] == "ok" and report["epochs"] == 2
    floors = [report["rk4_floor"][field] for field in "uv"]
    assert all(0 < floor < 1e-2 for floor in floors)
    assert f"RK4 loss of the exact solution on these graphs: u {floors[0]:.1e}" in done.out
    last, first = report["raw_losses_last"], report["raw_losses_first"]
    assert len(last) == 8 and sum(last.values()) < sum(first.values())
    assert (done.folder / "fields.png").exists()


@scattered
@pytest.mark.parametrize("order", [2, 4])
def test_order_four_has_the_lower_floor(run, kind, order):
    done = run(*TINY, f"dataset={kind}", "problem.geometry=disk", f"dataset.order={order}")
    floor = read_report(done.folder)["rk4_floor"]
    assert all((floor[field] < 1e-6) == (order == 4) for field in "uv"), floor


@pytest.mark.parametrize("kind", ["cloud", "triangulation", "grid"])
def test_hard_conditions_on_the_square(run, kind):
    own = [a for a in TINY if a != "problem.conditions=soft"]
    done = run(*own, f"dataset={kind}", "problem.geometry=square", "dataset.order=4")
    assert done.status == 0, done.err
    assert len(read_report(done.folder)["terms"]) == 4


@pytest.mark.parametrize("conditions", ["hard", "soft"])
def test_a_cloud_on_an_interval(run, conditions):
    done = run(
        *TINY,
        f"problem.conditions={conditions}",
        "problem=coupled_burgers",
        "problem.boundary=dirichlet",
        "dataset=cloud",
        "dataset.nodes_per_side=24",
    )
    assert done.status == 0, done.err
    assert max(read_report(done.folder)["rk4_floor"].values()) < 1e-2


@scattered
def test_resumed_equals_undisturbed(run, kind):
    """Batches of three graphs and of one, whose operators are built anew after the resume."""
    arguments = [*TINY, f"dataset={kind}", "problem.geometry=annulus", "dataset.order=4"]
    whole = run(*arguments, "training.epochs=4")
    first = run(*arguments)
    resumed = run(f"training.resume={first.folder}", "training.epochs=4")
    assert resumed.status == 0, resumed.err
    assert read_rows(first.folder) == read_rows(whole.folder)
    states = [
        checkpoints.load(done.folder / "checkpoint.pt")["model_state_dict"]
        for done in (first, whole)
    ]
    assert all(torch.equal(states[0][key], value) for key, value in states[1].items())
    shutil.rmtree(first.folder)
