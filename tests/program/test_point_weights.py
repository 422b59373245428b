"""Point weights on snapshot graphs: mini-batches of nodes that return in each epoch."""

import pytest
import torch

from pinn_ext import systems
from pinn_ext.dde.model.loss_terms import difference
from pinn_ext.program import checkpoints
from tests.program.conftest import SMALL
from tests.program.test_phases import build, small_config

CASES = [(name, conditions) for name in systems.names() for conditions in ("hard", "soft")]


@pytest.mark.parametrize(("name", "conditions"), CASES)
def test_each_row_has_its_point(name, conditions):
    session = build(small_config(name, conditions))
    data, net = session.data, session.shared.net
    inputs, _, _ = data.train_next_batch()
    inputs.requires_grad_()
    residuals = data.losses_train(None, net(inputs), difference, inputs, session.model)
    assert len(residuals) == len(data.loss.names) >= 4
    for term, residual in enumerate(residuals):
        points = data.row_points(term, inputs)
        assert len(points) == len(residual), data.loss.names[term]
        if data.loss.names[term].startswith("IC"):
            assert not points[:, -1].any()
    blocks = data.equation_blocks()
    assert blocks == [[0, 1], [2, 3]] and data.time_span() == (0.0, data.loss.system.final_time)


@pytest.mark.parametrize("strategy", ["brdr", "causal", "rba", "sa_pinn"])
def test_the_table_holds_every_node_of_every_graph_once(run, strategy):
    done = run(*SMALL, f"training=adaptive_{strategy}", "problem.conditions=soft")
    assert done.status == 0, done.err
    saved = checkpoints.load(done.folder / "checkpoint.pt")["adaptive_weights_state"]["points"]
    assert saved["strategy"] == strategy
    tables = {tuple(table["terms"]): table for table in saved["tables"]}
    if strategy == "causal":
        assert list(tables) == [(0, 1), (2, 3)]
        seen = [row for row in tables[0, 1]["state"]["losses"] if any(row)]
        assert len(seen) > 2  # times of other batches than the last one too
        return
    lambdas = tables[0, 1]["state"]["lambdas"]
    assert len(lambdas) == 6 * 8 == len(tables[0, 1]["keys"].unique())
    assert lambdas.shape[1] == 2
    assert len(tables) == (2 if strategy == "rba" else 6)
    if strategy in ("brdr", "sa_pinn"):  # three epochs: each node has been seen three times
        assert tables[0, 1]["state"]["updates"].unique().tolist() == [3]
        initial = tables[(4,)]  # the same nodes in each of three batches
        assert len(initial["state"]["lambdas"]) == 8
        assert initial["state"]["updates"].unique().tolist() == [9]
    else:
        assert (lambdas > 0).any(dim=0).all() and lambdas.max() <= 3e-3 * (1 + 1e-6)


def test_gauss_newton_says_that_its_points_are_others(run):
    done = run(
        *SMALL,
        "training=adaptive_rba",
        "training.loss.use_gn_solver=true",
        "training.gauss_newton.iterations=1",
        "training.gauss_newton.points=60",
    )
    assert done.status == 0, done.err
    assert "weights of points are left out, as its points are others" in done.out


def test_blocks_are_refused_before_any_work(run):
    done = run(*SMALL, "training=adaptive_rba", "training.loss.adaptive.second_phase=blocks")
    assert done.status != 0 and done.folder is None
    assert "`training.loss.adaptive.second_phase` must be 'freeze' for strategy 'rba'" in done.err


def test_known_points_keep_their_weights_in_the_batch_of_all_graphs(run):
    arguments = [*SMALL, "training=adaptive_sa_pinn"]
    first = run(*arguments)
    whole = run(*arguments, "training.lbfgs_iterations=5")
    tables = [
        checkpoints.load(done.folder / "checkpoint.pt")["adaptive_weights_state"]["points"][
            "tables"
        ]
        for done in (first, whole)
    ]
    for before, after in zip(*tables, strict=True):
        assert torch.equal(before["keys"], after["keys"])
        assert torch.equal(before["state"]["lambdas"], after["state"]["lambdas"])
