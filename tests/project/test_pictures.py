"""Pictures of the systems in the documentation: shown, small, and drawn by their script."""

import re
from pathlib import Path

import draw_systems
import pytest

from pinn_ext import systems
from tests.lengths import quick_are
from tests.systems.every_case import CASES

PAGE = (Path(draw_systems.__file__).parent / "systems.md").read_text("utf-8")
SHOWN = re.findall(r"^```\{figure\} pictures/systems/(\w+)\.png$", PAGE, re.MULTILINE)


def test_each_picture_is_shown_once_and_each_that_is_shown_is_there():
    files = sorted(file.stem for file in draw_systems.FOLDER.iterdir())
    assert sorted(SHOWN) == files


def test_they_are_small():
    sizes = {file.name: file.stat().st_size for file in draw_systems.FOLDER.iterdir()}
    assert sum(sizes.values()) < 1_500_000, sizes


def test_each_problem_has_one_picture():
    """A kind of boundary that poses the same problem has that of the other."""
    problems = draw_systems.problems(systems.names())
    drawn = {(system.name, system.case) for system in problems.values()}
    assert drawn == {(name, case) for name, case, _ in CASES}
    both = {stem for stem in problems if stem.startswith("coupled_burgers")}
    assert both == {"coupled_burgers_periodic", "coupled_burgers_dirichlet"}


@pytest.mark.parametrize(
    "stem", quick_are(["schroedinger_soliton"], ["schroedinger_soliton", "burgers_2d_periodic"])
)
def test_the_script_draws_the_same_twice(tmp_path, stem):
    system = draw_systems.problems(systems.names())[stem]
    for name in ("one", "other"):
        draw_systems.draw(system, tmp_path / name)
    drawn = (tmp_path / "one").read_bytes()
    assert drawn == (tmp_path / "other").read_bytes() and drawn[:4] == b"\x89PNG"
    assert 5_000 < len(drawn) < 200_000
