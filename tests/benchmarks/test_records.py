"""The records: measures by hand, references, what is built into networks, rows, and the page."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pinn_ext import references

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "records.py"
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "benchmarks" / "records")]

from _records import cases, page, rows  # noqa: E402
from _records.cases import CASES  # noqa: E402

NAMES = list(CASES)
STORED = {
    "schroedinger_periodic": "schroedinger/raissi",
    "burgers": "burgers/raissi",
    "allen_cahn": "allen_cahn/jaxpi",
    "kdv": "kdv/jaxpi",
}


SLOW = ["gray_scott"]  # its truth is carried through 26 times


@pytest.fixture(params=[pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in NAMES])
def script(request):
    module = importlib.import_module(request.param)
    module.case = CASES[request.param]
    return module


def tensor(values, **options):
    return torch.tensor(values, dtype=torch.float64, **options)


@pytest.mark.slow
def test_a_script_has_the_measures_of_its_goals_and_keeps_its_budget(script):
    points, true = script.truth()
    assert len(points) == len(true) and np.isfinite(true).all()
    found = script.errors(script.trivial(points), true)
    assert [goal.measure for goal in script.case.goals] == list(found)[: len(script.case.goals)]
    assert all(0.01 < error < 3 for error in found.values())
    assert set(script.errors(true, true).values()) == {0.0}
    assert 0 < script.SECONDS <= script.case.core_seconds


def test_errors_by_hand():
    true = np.array([[3.0, 0.0], [0.0, 4.0]])
    found = np.array([[3.0, 0.0], [3.0, 4.0]])
    errors = importlib.import_module("schroedinger").errors(found, true)
    assert errors == pytest.approx({"h": 3 / 5, "u": 1.0, "v": 0.0, "abs_h": 1 / 5})
    errors = importlib.import_module("schroedinger_periodic").errors(found, true)
    assert errors == pytest.approx({"abs_h": 1 / 5, "u": 1.0, "v": 0.0, "h": 3 / 5})
    for name in ("burgers", "allen_cahn", "kdv"):
        errors = importlib.import_module(name).errors(np.array([[3.0], [4.5]]), [[3.0], [4.0]])
        assert errors == pytest.approx({"u": 0.1})


@pytest.mark.parametrize("name", STORED)
def test_references_are_ten_times_better_than_the_aims(name):
    least = min(goal.aim for goal in CASES[name].goals)
    stated = references.load(STORED[name])
    for found in (stated.accuracy, stated.accuracy_between):
        assert max(found.values()) <= least / 10


def test_the_breather_solves_its_equation():
    module = importlib.import_module("schroedinger")
    x, t = np.meshgrid(np.linspace(-3, 3, 13), np.linspace(0.1, 1.5, 8))
    at, step = np.column_stack((x.ravel(), t.ravel())), 1e-3

    def h(dx, dt):
        found = module.exact(at + step * np.array([dx, dt]))
        return found[:, 0] + 1j * found[:, 1]

    def slope(*values):  # differences of sixth order
        far, middle, near = values
        return (near * 45 - middle * 9 + far) / (60 * step)

    h_t = slope(*(h(0, k) - h(0, -k) for k in (3, 2, 1)))
    h_xx = sum(c * (h(k, 0) + h(-k, 0)) for k, c in ((1, 270), (2, -27), (3, 2))) - 490 * h(0, 0)
    h_xx = h_xx / (180 * step**2)
    residual = 1j * h_t + h_xx / 2 + abs(h(0, 0)) ** 2 * h(0, 0)
    assert abs(residual).max() < 1e-6 * abs(h_xx).max()
    at[:, 1] = 0
    assert h(0, 0) == pytest.approx(2 / np.cosh(at[:, 0]))


def test_the_kink_of_allen_cahn_is_there_at_the_start_and_gone_at_once():
    module = importlib.import_module("allen_cahn")
    x = tensor([[0.2, 0.0], [0.97, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    assert abs(module.rounded_kink(x)).max() < 1e-14
    for t in (0.01, 0.3):
        x = tensor([[1 - 1e-9, t], [-1 + 1e-9, t]], requires_grad=True)
        u = module.initial(x) + module.rounded_kink(x)
        (slope,) = torch.autograd.grad(u.sum(), x)
        assert abs(slope[:, 0]).max() < 1e-5
    # near the kink it is the heat equation's solution, which decays as exp(-10 t)
    x = tensor([[0.99, 0.05], [0.985, 0.1]], requires_grad=True)
    d = 1 - x[:, :1]
    v = module.rounded_kink(x) + 2 * d * torch.cos(np.pi * d)
    w = v / torch.cos(np.pi * d) * torch.exp(10 * x[:, 1:])
    (first,) = torch.autograd.grad(w.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first[:, 0].sum(), x)
    assert torch.allclose(first[:, 1], 1e-4 * second[:, 0], rtol=1e-6)


def test_the_waves_of_the_periodic_problem_solve_the_linear_equation():
    module = importlib.import_module("schroedinger_periodic")
    x = tensor([[4.9, 0.3], [1.0, 0.7]], requires_grad=True)
    u, v = module.waves(x[:, :1], x[:, 1:]).T
    (u1,), (v1,) = (torch.autograd.grad(f.sum(), x, create_graph=True) for f in (u, v))
    (u2,), (v2,) = (torch.autograd.grad(f[:, 0].sum(), x, retain_graph=True) for f in (u1, v1))
    assert torch.allclose(u1[:, 1], -v2[:, 0] / 2) and torch.allclose(v1[:, 1], u2[:, 0] / 2)
    grid = torch.linspace(-5, 5, 1001, dtype=torch.float64)[:, None]
    off = module.initial(grid)[:, 0] - 2 / torch.cosh(grid[:, 0])
    assert off.norm() < 1e-5 * (2 / torch.cosh(grid)).norm()
    ends = tensor([[5.0, 0.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(module.initial(ends)[0, 0], ends)
    assert abs(slope[0, 0]) < 1e-12


def test_rows_have_no_unknown_facts():
    row = rows.row("kdv", "pinn_ext", {"u": 0.5}, {"points": 3})
    assert row["error_u"] == 0.5 and row["points"] == 3 and row["seed"] is None
    with pytest.raises(ValueError, match=r"facts must be among .*, got rows"):
        rows.row("kdv", "pinn_ext", {"u": 0.5}, {"rows": 3})


def test_a_watch_that_is_paused_does_not_count(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(rows.Stopwatch, "_now", staticmethod(lambda: (now[0], 2 * now[0])))
    watch = rows.Stopwatch()

    def take(seconds):
        now[0] += seconds
        return seconds

    take(1.0)
    assert watch.paused(take)(10.0) == 10.0
    take(0.5)
    assert watch.read() == (1.5, 3.0)


def test_verdicts():
    case = cases.Case("title", 1, (cases.Goal("u", 1e-3, 1e-4),))
    met = {"core_seconds": 100.0}
    assert page.verdict(9e-4, 1e-3, met, case) == "1.0e-3: met"
    assert page.verdict(9e-4, 1e-3, {"core_seconds": 130.0}, case) == "1.0e-3: met, but late"
    assert page.verdict(9e-4, 1e-4, met, case) == "1.0e-4: missed by 9 times"
    assert page.figure(0.25) == "2.5e-1" and page.figure(1.0) == "1.0"


def test_the_page_is_what_the_stored_rows_make():
    assert (ROOT / "docs" / "records.md").read_text("utf-8") == page.text()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_rows_of_a_short_run(run_script, tmp_path, name):
    out = tmp_path / "rows.json"
    done = run_script(SCRIPT, "--case", name, "--seconds", 1, "--out", out, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(out.read_text("utf-8"))
    ours, trivial = content["rows"][:2]
    assert (ours["method"], trivial["method"]) == ("pinn_ext", "trivial")
    assert content["machine"]["threads"] == 1
    # With more than 3000 parameters, those of slabs, a run may be over before its first step.
    assert ours["points"] > ours["iterations"] >= (ours["parameters"] < 3000)
    assert ours["parameters"] > 0
    assert ours["core_seconds"] > 0 and set(ours) == set(trivial)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--case", "heat"), f"`--case` must be one of {', '.join(NAMES)}, got heat."),
        (("--case", "kdv", "--seconds", "0"), "`--seconds` must be positive, got 0.0."),
        (("--case", "kdv", "--seed", "-1"), "`--seed` must be at least 0, got -1."),
    ],
)
def test_bad_arguments_end_in_one_line(run_script, tmp_path, arguments, line):
    done = run_script(SCRIPT, *arguments, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == line


def test_the_list(run_script, tmp_path):
    done = run_script(SCRIPT, "--list", folder=tmp_path)
    assert done.returncode == 0 and all(name in done.stdout for name in NAMES)
