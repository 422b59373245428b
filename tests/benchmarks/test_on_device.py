"""The benchmarks on the make-believe device: what they make lies there, rows have its name.

Each in a process of its own, which is skipped where there is no compiler for the device.
"""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
ON_PRETEND = Path(__file__).resolve().parent / "on_pretend.py"
ONE_THREAD = {
    "DDE_BACKEND": "pytorch",
    "GOMP_SPINCOUNT": "10000",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}
TINY = {
    "rk4.py": (
        *("--nodes", "400", "--graphs", "grid", "--repeats", "1", "--triad", "100000"),
        *("--only", "ours_eager,message_passing,scipy_csr"),
    ),
    "training_step.py": (
        *("--points", "24", "--hidden", "6,5", "--repeats", "1", "--steps", "1"),
        *("--cases", "brusselator_hard,coupled_burgers_soft", "--dtypes", "float64"),
    ),
    "gauss_newton.py": (
        *("--seconds", "1", "--seeds", "1", "--cases", "coupled_burgers", "--threads", "1"),
        *("--methods", "gauss_newton,adam_lbfgs"),
    ),
    "overhead.py": (
        "--iterations",
        "2",
        "--terms",
        "3",
        "--points",
        "100",
        "--strategies",
        "sa_pinn",
    ),
}


@pytest.fixture
def content_of(run_script, tmp_path):
    def call(script):
        out = tmp_path / "out.json"
        arguments = (FOLDER / script, *TINY[script], "--device", "pretend", "--out", out)
        done = run_script(ON_PRETEND, *arguments, folder=tmp_path, **ONE_THREAD)
        last = (done.stderr.splitlines() or [""])[-1]
        if last.startswith("no make-believe device"):
            pytest.skip(last)
        assert done.returncode == 0, done.stdout + done.stderr
        content = json.loads(out.read_text("utf-8"))
        machine = content["machine"]
        assert machine["device"] == "pretend" and machine["card"].startswith("Pretend ")
        assert machine["card_memory_gb"] > 0
        return content

    return call


@pytest.mark.slow
def test_steppers(content_of):
    content = content_of("rk4.py")
    ours, peer, scipys = content["rows"]
    assert content["machine"]["copy_gb_per_s"]["1"] > 0
    assert ours["ratio_to_roofline"] > 0 and ours["gradient_difference"] == 0
    assert max(peer["difference"], peer["gradient_difference"]) < 1e-14
    assert (scipys["note"], scipys["ms_per_step"]) == ("computes on the CPU only", None)


@pytest.mark.slow
def test_training_steps(content_of):
    rows = content_of("training_step.py")["rows"]
    assert {row["name"] for row in rows} == {"stock", "stock_bare", "reverse", "jets"}
    assert all(row["difference"] < 1e-12 for row in rows if row["name"] != "stock_bare")


@pytest.mark.slow
def test_methods(content_of):
    rows = content_of("gauss_newton.py")["rows"]
    assert [row["method"] for row in rows] == 2 * ["gauss_newton", "adam_lbfgs"]
    assert len({row["trivial"] for row in rows}) == 1


@pytest.mark.slow
def test_strategies(content_of):
    rows = content_of("overhead.py")["rows"]
    assert [row["strategy"] for row in rows] == ["sa_pinn"]
    assert all(row["fraction_of_training"] > -1 and row["step_ms"] > 0 for row in rows)
