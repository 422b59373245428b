"""How often the host waits in a step between two updates of the weights.

The trainings are those of `benchmarks/waits.py`, which prints the whole table.
"""

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
MOST = {
    "DeepXDE, no callback": 1,  # its points, in each step
    "DeepXDE, ema": 1,
    "DeepXDE, sa_pinn": 1,
    "program, hard": 2,
    "program, soft": 2,
    "program, soft, sa_pinn": 20,  # draws factors for the nodes of new graphs
    "Gauss-Newton, one trial": 6,
    "LossAggregator": 0,
}


@pytest.fixture
def waits(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("waits")


def test_every_row_has_a_bound(waits):
    assert list(waits.trainings("pretend")) == list(MOST)


@pytest.mark.parametrize("name", MOST)
@pytest.mark.filterwarnings("ignore:There are .* residual rows:RuntimeWarning")
def test_the_waits_of_a_step(waits, name):
    row, places = waits.row_of(name, waits.trainings("pretend")[name], "pretend")
    assert row["sum"] <= MOST[name], "\n".join(map(str, places))
    assert row["operators"] > 10
