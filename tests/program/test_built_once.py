"""One run of the program checks and builds each thing once."""

from collections import Counter

import pytest

from pinn_ext import strategies, systems
from pinn_ext.adaptive_weights import AdaptiveLossWeights
from pinn_ext.datasets import node_graphs
from pinn_ext.schema import validation
from tests.program.conftest import SMALL

LATER = (
    *("training.lbfgs_iterations=3", "training.loss.use_gn_solver=true"),
    "training.gauss_newton.iterations=2",
)


@pytest.fixture
def counted(monkeypatch):
    """Count the calls of what checks and builds."""
    calls = Counter()

    def count(home, name, what):
        original = getattr(home, name)

        def counting(*arguments, **options):
            calls[what] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(home, name, counting)

    count(validation, "_validate_loss", "schema")
    count(systems, "create", "system")
    count(node_graphs, "_graph", "node graph")
    count(strategies, "create", "strategy")
    count(AdaptiveLossWeights, "_set_up", "manager")
    return calls


@pytest.mark.parametrize("strategy", ["fixed", "ema", "lr_annealing", "rba"])
def test_each_thing_once(run, counted, strategy):
    training = "default" if strategy == "fixed" else f"adaptive_{strategy}"
    done = run(*SMALL, f"training={training}", "training.epochs=2", *LATER)
    assert done.status == 0, done.err
    created = 2 if strategy == "rba" else 1  # its terms have the weights of `fixed`
    assert dict(counted) == {
        "schema": 1, "system": 1, "node graph": 1, "strategy": created, "manager": 1,
    }  # fmt: skip


def test_a_resumed_run_too(run, counted):
    assert run(*SMALL, "training=adaptive_ema", "hydra.run.dir=here").status == 0
    counted.clear()
    assert run("training.resume=here", "training.epochs=4").status == 0
    assert set(counted.values()) == {1} and len(counted) == 5
