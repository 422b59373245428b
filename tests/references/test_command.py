"""`python -m pinn_ext.references`, and the table of the documents."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pinn_ext.references as references
from pinn_ext.references import __main__ as command
from pinn_ext.references import recipes, store, table
from pinn_ext.references.recipes import Independent, Recipe

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "references.md"
NAME = "predator_prey/waves"


@pytest.fixture
def quick(monkeypatch):
    """The recipe of one reference, coarse enough for a second."""
    problem = recipes.find(NAME).problem
    recipe = Recipe(problem, 192, 128, 0.1, 256, 12, Independent(128, 5.0))
    monkeypatch.setitem(recipes._RECIPES, NAME, recipe)


def test_the_page_has_the_table_of_the_files():
    fresh = "`python -m pinn_ext.references --list` prints what belongs into docs/references.md"
    assert table.markdown() in PAGE.read_text("utf-8"), fresh


def test_the_table_names_each_reference_once(capsys):
    assert command.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("`")[1] for line in lines[2:]] == references.names()


def test_a_stored_reference_is_rebuilt_and_written(capsys, tmp_path):
    assert command.main(["burgers/raissi", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "from the stored one u " in out and "within what is stated" in out
    again, stored = references.load("burgers/raissi", tmp_path), references.load("burgers/raissi")
    assert again.u == pytest.approx(stored.u, abs=1e-12)


def test_a_difference_larger_than_stated_is_an_error(quick, monkeypatch, capsys):
    def changed(name):
        stored = references.load(name)
        return references.Reference(
            *(name, stored.axes, stored.times, stored.u * (1 + 1e-4), stored.v, stored.about)
        )

    monkeypatch.setattr(command, "load", changed)
    assert command.main([NAME]) == 1
    assert "more than stated in u" in capsys.readouterr().out


def test_the_independent_method_is_run_where_asked(quick, capsys):
    command.main([NAME, "--independent"])
    assert "differences of order 10 on 128 nodes, DOP853 differ by u " in capsys.readouterr().out


def test_nothing_stored_is_said(quick, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(command, "load", lambda name: references.load(name, tmp_path))
    assert command.main([NAME]) == 1
    assert "nothing to compare with: There is no file" in capsys.readouterr().err
    assert command.main([NAME, "--out", str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / "predator_prey_waves.npz").is_file()


def test_another_grid_is_said(quick, monkeypatch, capsys):
    recipe = recipes.find(NAME)
    other = Recipe(recipe.problem, 192, 128, 0.1, 128, 12, recipe.independent)
    monkeypatch.setitem(recipes._RECIPES, NAME, other)
    assert command.main([NAME]) == 1
    assert "another grid" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_one_sentence(quick, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert command.main([NAME, "--out", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.startswith("  not written: ")


def test_an_unknown_name_ends_in_one_sentence():
    done = subprocess.run(
        [sys.executable, "-m", "pinn_ext.references", "gray_scot/jaxpi"],
        *(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "did you mean 'gray_scott/jaxpi'?" in done.stderr


def test_no_name_is_asked_for(capsys):
    assert command.main([]) == 2
    assert "allen_cahn/jaxpi" in capsys.readouterr().err


def test_missing_files_are_left_out_of_the_table(tmp_path):
    stored = references.load("kdv/jaxpi")
    del stored.about["independent"]
    store.save(stored, tmp_path)
    lines = table.markdown(tmp_path).splitlines()
    assert len(lines) == 3 and "| not run |" in lines[2]


def test_all_are_chosen(monkeypatch):
    chosen = []
    monkeypatch.setattr(command, "_rebuild", lambda name, _: chosen.append(name) or 0)
    assert command.main(["--all"]) == 0 and chosen == references.names()
    assert np.all([name in recipes._RECIPES for name in chosen])
