"""Figures over seeds: a training that failed is the worst of them, it does not drop out."""

import importlib
import math
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def common(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("_common")


@pytest.mark.parametrize("failed", [None, math.nan])
def test_what_failed_is_the_largest(common, failed):
    found = common.spread([0.2, failed, 0.1])
    assert found == {"median": 0.2, "smallest": 0.1, "largest": math.inf}
    assert common.spread([failed, failed, 0.1], "abc") == {"a": math.inf, "b": 0.1, "c": math.inf}
    assert (
        common.worse({"u": failed, "v": 0.1}) == common.worse({"u": 0.1, "v": failed}) == math.inf
    )
    rows = [{"seed": seed, "error": error} for seed, error in enumerate((0.2, failed, 0.1))]
    assert common.median_row(rows, ["error"]) == {"seed": "median", "error": 0.2}


def test_finite_figures_are_left_alone(common):
    assert common.worse({"u": 0.1, "v": 0.3}) == 0.3
    assert common.spread([0.4]) == {"median": 0.4, "smallest": 0.4, "largest": 0.4}
