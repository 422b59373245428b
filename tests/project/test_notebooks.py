"""The notebooks of examples/ run from top to bottom, and show what they say."""

import json
import re

import pytest

from tests.scripts import ROOT

FOLDER = ROOT / "examples" / "notebooks"
NAMES = ("comparison_with_pandas", "deepxde_adaptive_then_second_order")


def test_notebooks_are_kept_without_outputs():
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(NAMES)
    for path in FOLDER.glob("*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        assert cells[0]["cell_type"] == "markdown" and cells[0]["source"][0].startswith("# ")
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.fixture
def executed(tmp_path, monkeypatch):
    """Return what executes a notebook, in an empty folder, and gives its cells' outputs."""
    nbformat = pytest.importorskip("nbformat", reason="pip install 'pinn-ext[notebooks]'")
    nbclient = pytest.importorskip("nbclient", reason="pip install 'pinn-ext[notebooks]'")
    pytest.importorskip("ipykernel", reason="pip install 'pinn-ext[notebooks]'")
    pytest.importorskip("pandas", reason="pip install 'pinn-ext[notebooks]'")
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=":")
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel chooses its own

    def call(name):
        notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
        options = {"resources": {"metadata": {"path": str(tmp_path)}}, "kernel_name": "python3"}
        nbclient.NotebookClient(notebook, timeout=1200, **options).execute()
        return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]

    return call


def text_of(outputs):
    """Return what cells have printed, their results as text among it."""
    parts = [out.get("text", out.get("data", {}).get("text/plain", "")) for out in outputs]
    return "\n".join(parts)


def kinds(outputs):
    return {kind for out in outputs for kind in out.get("data", {})}


@pytest.mark.slow
def test_a_script_is_made_adaptive_then_second_order(executed, tmp_path):
    _, plain, adaptive, figure, table, second = executed("deepxde_adaptive_then_second_order")
    fixed, adapted, last = (
        float(re.search(r"relative L2 error[^:]*: (\S+)", text_of(outputs))[1])
        for outputs in (plain, adaptive, second)
    )
    assert last < 1e-4 < min(fixed, adapted)
    assert "text/html" in kinds(adaptive) and "step 600, 30 periods" in str(adaptive)
    assert "image/png" in kinds(figure) and len(figure) == 1, figure  # shown once
    assert "text/html" in kinds(table) and "conflict" in text_of(table)
    assert not any("\r" in text_of(outputs) for outputs in (plain, adaptive, second))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_comparison_is_read_with_pandas(executed, tmp_path):
    sweep, runs, medians, histories, picture, cost = executed("comparison_with_pandas")
    said = text_of(sweep)
    assert "\r" not in said and "\x1b" not in said  # no bar that a notebook cannot draw
    assert said.count("Results: ") == 4
    assert "text/html" in kinds(runs) and text_of(runs).count("ok") == 4
    assert {"fixed", "ema"} <= set(text_of(medians).split())
    assert "19" in text_of(histories) and "image/png" in kinds(picture)
    assert "exit status 0, 4 runs, all of them ok" in text_of(cost)
    assert list(tmp_path.iterdir()) == []
