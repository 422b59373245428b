"""The benchmarks of Gauss-Newton run on small sizes; their figures make sense."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
# What the benchmarks ask for: with it they need not start themselves again.
ONE_THREAD = {
    "DDE_BACKEND": "pytorch",
    "GOMP_SPINCOUNT": "10000",
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}


@pytest.fixture
def rows_of(run_script, tmp_path):
    def call(script, *arguments):
        out = tmp_path / "out.json"
        arguments = (*arguments, "--threads", "1", "--out", out)
        done = run_script(FOLDER / script, *arguments, folder=tmp_path, **ONE_THREAD)
        assert done.returncode == 0, done.stdout + done.stderr
        content = json.loads(out.read_text("utf-8"))
        assert content["machine"]["threads"] == 1
        rows = content["rows"]
        assert all(row.keys() == rows[0].keys() for row in rows), "rows of one table"
        assert all(not isinstance(value, (dict, list)) for row in rows for value in row.values())
        return rows

    return call


def test_methods_on_the_same_model(rows_of):
    options = ("--seconds", "1", "--seeds", "1", "--cases", "coupled_burgers")
    rows = rows_of("gauss_newton.py", *options, "--methods", "gauss_newton,adam,adam_lbfgs")
    assert [row["method"] for row in rows] == 2 * ["gauss_newton", "adam", "adam_lbfgs"]
    assert [row["seed"] for row in rows] == 3 * [0] + 3 * ["median"]
    assert len({row["trivial"] for row in rows}) == 1, "one start for all"
    for row, median in zip(rows[:3], rows[3:], strict=True):
        assert 0 < row["worst"] == max(row["error_u"], row["error_v"]) == median["worst"]
        assert row["seconds"] >= 1 and row["iterations"] >= 1 and row["loss"] > 0
    first, *others = (row["worst"] for row in rows[3:])
    assert rows[3]["ratio"] == min(others) / first


@pytest.mark.slow
def test_every_case_and_method(rows_of):
    rows = rows_of("gauss_newton.py", "--seconds", "2", "--seeds", "1")
    medians = [row for row in rows if row["seed"] == "median"]
    assert len(medians) == 5 * 4
    assert all(row["worst"] < 3 for row in medians)


@pytest.mark.slow
def test_the_same_residual_in_scipy(rows_of):
    rows = rows_of(
        "gauss_newton_scipy.py",
        *("--seconds", "1", "--seeds", "1", "--parameters", "100", "--cases", "brusselator_hard"),
        *("--methods", "ours,scipy_lm"),
    )
    assert [row["method"] for row in rows[:2]] == ["ours", "scipy_lm"]
    assert [row["note"] for row in rows] == 4 * [None]
    assert len({(row["parameters"], row["rows"], row["start"]) for row in rows}) == 1
    for row in rows:
        assert row["lowest"] <= row["target"] <= row["start"]
        assert row["seconds_to_target"] <= row["seconds"]
        assert row["njev"] >= 1
        if row["ratio"] is not None:
            assert row["ratio_least"] <= row["ratio"] <= row["ratio_most"]
    assert (rows[0]["target"], rows[0]["ratio_njev"]) == (rows[0]["lowest"], 1.0)


def check_iterations(rows):
    for row in rows:
        assert row["note"] is None and row["iterations"] == 2
        parts = ("jacobian", "residuals", "matrix", "solves", "lsmr")
        mean = sum(row[f"{part}_seconds"] for part in parts)
        assert row["seconds_per_iteration"] > 0 and mean > 0


@pytest.mark.slow
def test_iterations_through_either_matrix(rows_of):
    rows = rows_of(
        "gauss_newton_scaling.py",
        *("--sizes", "100", "--few-rows", "300", "--iterations", "2", "--seconds", "5"),
    )
    assert [row["solver"] for row in rows] == ["primal", "dual"]
    check_iterations(rows)
    assert rows[0]["rows"] > rows[0]["parameters"] and rows[1]["rows"] < rows[1]["parameters"]


@pytest.mark.slow
def test_iterations_without_a_matrix(rows_of):
    rows = rows_of(
        "gauss_newton_scaling.py",
        *("--sizes", "300", "--few-rows", "", "--iterations", "2", "--seconds", "5"),
        *("--memory-limit-gb", "0.003"),
    )
    assert [row["solver"] for row in rows] == ["matrix_free"]
    check_iterations(rows)
    assert rows[0]["ratio_to_jtj"] is None and rows[0]["lsmr_seconds"] > 0


@pytest.mark.slow
def test_many_rows_by_every_solver(rows_of):
    rows = rows_of("sketch.py", *("--sizes", "100", "--rows", "1500", "--seconds", "1"))
    assert [row["solver"] for row in rows] == ["primal", "accumulated", "sketched"]
    for row in rows:
        assert row["note"] is None and row["iterations"] >= 2 and row["trials"] >= 1
        assert 0 < row["seconds_per_iteration"] <= row["seconds"]
        assert 0 < row["error"] < 2 and row["loss"] > 0
    assert len({(row["parameters"], row["rows"]) for row in rows}) == 1


@pytest.mark.parametrize(
    ("script", "flag", "value", "legal"),
    [
        ("gauss_newton.py", "--methods", "newton", "gauss_newton, adam"),
        ("gauss_newton.py", "--seeds", "0", "at least 1"),
        ("gauss_newton_scipy.py", "--cases", "heat", "brusselator_hard"),
        ("gauss_newton_scipy.py", "--seconds", "-1", "positive"),
        ("gauss_newton_scaling.py", "--sizes", "3", "at least 20"),
        ("sketch.py", "--solvers", "qr", "primal, accumulated, sketched"),
        ("sketch.py", "--rows", "3", "at least 100"),
    ],
)
def test_bad_arguments_end_in_one_line(run_script, tmp_path, script, flag, value, legal):
    done = run_script(FOLDER / script, flag, value, folder=tmp_path, DDE_BACKEND="pytorch")
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"`{flag}` must be ") and legal in line and value in line
    assert "Traceback" not in done.stderr
