"""The gallery has every example once, with its code and the picture that its script has drawn."""

import re
from pathlib import Path

import draw_first_page
import draw_gallery
import numpy as np
import pytest
import torch

DOCS = Path(draw_gallery.__file__).parent
PAGE = (DOCS / "gallery.md").read_text("utf-8")
EXAMPLES = sorted(path.stem for path in (DOCS.parent / "examples").glob("*.py"))


def test_each_example_can_be_drawn_and_is_there_once_with_its_code():
    assert sorted(draw_gallery.DRAWN) == EXAMPLES
    assert sorted(re.findall(r"\{literalinclude\} \.\./examples/(\w+)\.py", PAGE)) == EXAMPLES


def test_pictures_are_shown_once_and_small():
    files = {path.stem: path.stat().st_size for path in draw_gallery.FOLDER.iterdir()}
    shown = re.findall(r"\{image\} pictures/gallery/(\w+)\.png", PAGE)
    assert sorted(shown) == sorted(files) and set(files) <= set(EXAMPLES)
    assert all(3_000 < size < 200_000 for size in files.values()), files
    assert sum(files.values()) < 1_200_000
    assert 5_000 < draw_first_page.PICTURE.stat().st_size < 200_000


def test_the_first_page_trains_the_example_by_its_one_line():
    source = draw_first_page.EXAMPLE.read_text("utf-8")
    assert source.count(draw_first_page.LINE) == source.count(draw_first_page.SEED) == 1
    assert draw_first_page.LINE in (DOCS / "index.md").read_text("utf-8")


def test_maps_show_a_field_and_its_distance_from_the_exact_one():
    t, x = np.meshgrid(np.linspace(0, 1, 5), np.linspace(0, 1, 5))
    exact = x * t
    figure = draw_gallery.maps(exact + 0.5, exact, (0, 1, 0, 1), ("t", "x"))
    field, distance = (panel.images[0].get_array() for panel in figure.axes[:2])
    assert np.allclose(field, exact + 0.5) and np.allclose(distance, 0.5)
    draw_gallery.plt.close(figure)


@pytest.mark.parametrize("name", ["over_time", "on_square"])
def test_an_axis_is_where_its_label_says(name):
    """A field that grows along x alone."""

    class Solution:
        def predict(self, points):
            return points[:, :1]

    if name == "over_time":  # x upwards
        scope = {"solution": Solution(), "exact": lambda points: 0 * points[:, :1] + 2}
        figure = draw_gallery.over_time(scope, 0, 1)
        rising = 0
    else:  # x to the right
        scope = {"net": lambda points: points[:, :1], "exact": lambda points: torch.zeros(121**2)}
        figure = draw_gallery.on_square(scope)
        rising = 1
    field = np.asarray(figure.axes[0].images[0].get_array())
    assert (np.diff(field, axis=rising) > 0).all() and np.ptp(field, axis=1 - rising).max() == 0
    draw_gallery.plt.close(figure)
