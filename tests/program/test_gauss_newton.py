"""The program's Gauss-Newton phase: recipe, report, its own points, resuming, what goes wrong."""

import os
import signal

import pytest
import torch

from pinn_ext import schema
from pinn_ext.dde.model.residual_rows import ModelRows
from pinn_ext.dde.phases import GaussNewton, Phase
from pinn_ext.program import checkpoints
from tests.lengths import quick_are
from tests.program.conftest import SMALL, read_report, read_rows
from tests.program.test_phases import build, small_config
from tests.program.test_resume import same_end

PHASE = ["training.loss.use_gn_solver=true", "training.gauss_newton.iterations=8"]


def column(folder, name):
    rows = read_rows(folder)
    return [row[rows[0].index(name)] for row in rows[1:]]


@pytest.mark.slow
def test_the_recipe_reaches_what_adam_does_not(run, rendered):
    """Float64, no epochs, no Runge-Kutta terms; errors far below those of the other recipes."""
    done = run("training=gauss_newton", "problem=coupled_burgers", "network.hidden=[8,8]")
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert max(report["relative_l2"].values()) < 1e-5
    assert report["epochs"] == 0 and report["gauss_newton_iterations"] > 10
    assert report["terms"] == ["PI_loss1", "PI_loss2"] and report["best_epoch"] is None
    assert "Gauss-Newton: float64, " in done.out and "points of its own" in done.out
    assert f"Gauss-Newton ended: {report['gauss_newton_ended']}." in done.out
    for name in ("losses.png", "weights.png", "fields.png"):
        assert (done.folder / name).stat().st_size > 5000
    losses = [float(a) for a in column(done.folder, "PI_loss1")]
    assert losses[-1] < 1e-6 * losses[0]


@pytest.mark.parametrize("conditions", ["hard", "soft"])
@pytest.mark.parametrize(
    "name", ["brusselator", "coupled_burgers", "gray_scott", "linear_reaction_diffusion"]
)
def test_after_epochs_in_float32(run, name, conditions):
    arguments = [f"problem={name}", f"problem.conditions={conditions}", *PHASE]
    done = run("training=adaptive_ema", *SMALL[1:], *arguments)
    assert done.status == 0, done.err
    assert column(done.folder, "phase") == ["epochs"] * 3 + ["gauss_newton"] * 8
    errors = [float(a) for a in column(done.folder, "error_u")]
    assert errors[-1] < 0.7 * errors[2]
    assert column(done.folder, "weight_RK4_loss1")[-1] == "0.0"
    assert "RK4_loss1 and RK4_loss2 are left out" in done.out
    saved = checkpoints.load(done.folder / "checkpoint.pt")
    assert {v.dtype for v in saved["model_state_dict"].values()} == {torch.float64}
    weights = [column(done.folder, f"weight_{n}") for n in ("PI_loss1", "PI_loss2")]
    assert all(len(set(own[2:])) == 1 for own in weights)  # frozen


def test_after_lbfgs(run):
    done = run(*SMALL, *PHASE, "training.lbfgs_iterations=5", "dtype=float64")
    assert done.status == 0, done.err
    phases = column(done.folder, "phase")
    assert phases == ["epochs"] * 3 + ["lbfgs"] + ["gauss_newton"] * 8
    assert "after 3 epochs and 5 L-BFGS iterations and 8 Gauss-Newton iterations" in done.out


def test_on_a_cloud_in_an_annulus(run):
    done = run(
        "dataset=cloud", "problem.geometry=annulus", "problem.conditions=soft", *PHASE,
        "training.epochs=0", "network.hidden=[8,8]", "dataset.num_graphs=3",
        "dataset.num_validation=2", "dataset.nodes_per_side=9",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert max(read_report(done.folder)["relative_l2"].values()) < 0.3


def test_points_of_its_own(run):
    first = run("training=gauss_newton", *SMALL[:-1], *PHASE, "training.gauss_newton.points=50")
    assert "Gauss-Newton: float64, 50 points of its own" in first.out
    other = run("training=gauss_newton", *SMALL[:-1], *PHASE, "training.gauss_newton.points=51")
    assert read_rows(first.folder) != read_rows(other.folder)


def test_resampling_makes_up_for_few_points(run):
    """As many rows as parameters: the loss vanishes and the error stays, unless points change."""
    few = ["training=gauss_newton", "problem=coupled_burgers", "network.hidden=[12]"]
    few += ["training.gauss_newton.points=15", "training.gauss_newton.iterations=40"]
    fixed = run(*few)
    assert "Warning: There are 30 residual rows for 74 parameters" in fixed.out
    drawn = run(*few, "training.gauss_newton.resample_every=1")
    assert "Warning" not in drawn.out
    errors = [max(read_report(r.folder)["relative_l2"].values()) for r in (fixed, drawn)]
    assert errors[1] < 0.5 * errors[0]
    assert float(column(fixed.folder, "PI_loss1")[-1]) < 1e-10


def test_runge_kutta_rows_share_nodes_within_a_graph():
    """The session's rows and their Jacobian, against one backward pass a row."""
    cfg = small_config()
    cfg.dataset.num_graphs, cfg.dataset.batch_size = 4, 3
    cfg.training.gauss_newton.points = 9
    session = build(cfg, "float64")
    loss, graphs = session.data.loss, session.data.spread_batch(torch.float64)

    from pinn_ext.datasets.collocation import collocation_points
    from pinn_ext.dde.data.point_data import PointData

    def draw(draws):
        return collocation_points(loss.system, 9, "hard", draws, "cpu", torch.float64)

    settings = {
        "tolerance": 0.0, "damping": "bold", "geodesic": False, "weights": "keep",
        "resample_every": 0, "memory_limit_gb": None,
    }  # fmt: skip
    session.epochs(1e-3).compile()
    GaussNewton(session.shared, 1, lambda: PointData(loss, draw, graphs), settings).compile()
    model = session.model
    model.train_state.set_data_train(*model.data.train_next_batch())
    rows = ModelRows(model)
    assert rows.fallback is None
    _, jacobian = rows.linearize(rows.get())
    start = 0
    for scale, vector in zip(rows.scales, rows.vectors(), strict=True):
        for entry in vector:
            wanted = torch.autograd.grad(
                scale * entry, rows.tensors, retain_graph=True, materialize_grads=True,
                allow_unused=True,
            )  # fmt: skip
            flat = torch.cat([part.reshape(-1) for part in wanted])
            assert torch.allclose(jacobian[start], flat, atol=1e-11 * float(jacobian.abs().max()))
            start += 1
    assert start == rows.num_rows == 2 * 9 + 2 * 3 * 6


@pytest.mark.parametrize("step", quick_are([3, 17], [3, 10, 14, 17]))
def test_resumed_equals_undisturbed(run, run_killed, step):
    """Killed in the epochs, at their end, and within the phase while weights and points move."""
    arguments = [
        *SMALL, *PHASE, "training.gauss_newton.weights=balance",
        "training.gauss_newton.resample_every=3",
    ]  # fmt: skip
    whole = run(*arguments)
    assert whole.status == 0, whole.err
    run_killed(step, *arguments, "hydra.run.dir=broken")
    resumed = run("training.resume=broken")
    assert resumed.status == 0, resumed.err
    assert "Resumed after" in resumed.out
    same_end(whole.folder, "broken")


@pytest.mark.slow
def test_more_iterations_equal_a_longer_run(run):
    longer = run(*SMALL, *PHASE[:1], "training.gauss_newton.iterations=11")
    short = run(*SMALL, *PHASE, "hydra.run.dir=short")
    assert short.status == 0, short.err
    again = run("training.resume=short")
    assert "The run is finished (Gauss-Newton iteration 8): nothing to train." in again.out
    more = run("training.resume=short", "training.gauss_newton.iterations=11")
    assert "Resumed after Gauss-Newton iteration 8." in more.out
    assert read_report("short")["gauss_newton_iterations"] == 11
    same_end(longer.folder, "short")
    fewer = run("training.resume=short", "training.gauss_newton.iterations=5")
    assert fewer.status == 2
    assert "`training.gauss_newton.iterations` must be at least 11" in fewer.err
    epochs = run("training.resume=short", "training.epochs=9")
    assert epochs.status == 2
    assert "`training.epochs` must stay 3, as the Gauss-Newton phase has begun" in epochs.err


def test_a_signal_ends_the_phase_after_its_iteration(run, monkeypatch):
    original = Phase.on_epoch_end

    def interrupting(self):
        original(self)
        if self.name == "gauss_newton" and self.done == 4:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Phase, "on_epoch_end", interrupting)
    stopped = run(*SMALL, *PHASE, "hydra.run.dir=stopped")
    monkeypatch.setattr(Phase, "on_epoch_end", original)
    assert stopped.status == 130
    report = read_report("stopped")
    assert report["status"] == "interrupted" and report["gauss_newton_iterations"] in (4, 5)
    resumed = run("training.resume=stopped")
    assert resumed.status == 0, resumed.err
    same_end(run(*SMALL, *PHASE).folder, "stopped")


def test_a_memory_limit_for_nothing_says_what_is_needed(run):
    failed = run(*SMALL, *PHASE, "training.gauss_newton.memory_limit_gb=1e-7")
    assert failed.status == 1
    assert "GiB" in failed.out + failed.err
    assert read_report(failed.folder)["status"] == "failed"
    assert column(failed.folder, "phase") == ["epochs"] * 3


def test_the_schema_knows_the_solvers_names():
    from pinn_ext.dde.gauss_newton.loop import WEIGHTS
    from solvers.gauss_newton import DAMPINGS

    assert set(schema.DAMPINGS) == set(DAMPINGS) - {"line_search"}
    assert set(schema.GN_WEIGHTS) < set(WEIGHTS)
