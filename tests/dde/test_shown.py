"""What the callback shows after a training: a figure, a table for pandas, one in a notebook."""

import sys

import matplotlib
import pytest

from pinn_ext import AdaptiveWeights


@pytest.fixture(scope="module")
def trained():
    """Return a callback after three periods of three terms, with gradients measured."""
    from tests.dde.conftest import Problem

    adaptive = AdaptiveWeights("ema", period=2, verbose=0, diagnostics=True)
    Problem.train(Problem.heat(), adaptive, iterations=6)
    return adaptive


def test_the_figure_has_losses_weights_and_conflicts(trained, tmp_path):
    before = matplotlib.get_backend()
    figure = trained.plot()
    losses, weights, cosines = figure.axes
    names = trained.manager.loss_names
    assert [line.get_label() for line in losses.lines] == list(names)
    assert losses.lines[0].get_xdata().tolist() == [2, 4, 6]
    assert losses.lines[1].get_ydata().tolist() == [r["losses"][1] for r in trained.history]
    assert weights.lines[2].get_ydata().tolist() == [r["weights"][2] for r in trained.history]
    assert cosines.get_title() == "Angles between gradients" and len(cosines.lines) >= 3
    figure.savefig(tmp_path / "shown.png")
    assert (tmp_path / "shown.png").stat().st_size > 5000
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()
    assert matplotlib.get_backend() == before


def test_without_measurements_there_are_two_panels(trained, monkeypatch):
    monkeypatch.setattr(trained, "gradient_history", [])
    assert [axis.get_title() for axis in trained.plot().axes] == ["Losses", "Loss weights"]


def test_a_notebook_shows_first_and_last_losses_and_weights(trained):
    shown = trained._repr_html_()
    assert "AdaptiveWeights(&#x27;ema&#x27;)" in shown and "step 6, 3 periods" in shown
    assert shown.count("<tr>") == 1 + 3
    assert f"{trained.history[-1]['losses'][0]:.4g}" in shown
    assert f"{trained.history[-1]['weights'][2]:.4g}" in shown


def test_nothing_to_show_before_the_first_period(problem):
    adaptive = AdaptiveWeights("ema", period=7, verbose=0)
    assert "no period of 7 steps has ended yet" in adaptive._repr_html_()
    with pytest.raises(ValueError, match=r"have a row to draw, got none.*7 steps"):
        adaptive.plot()
    problem.train(problem.heat(), adaptive, iterations=6)
    with pytest.raises(ValueError, match="must have a row to make a table of, got none"):
        adaptive.to_dataframe()


def test_pandas_has_a_row_a_period(trained):
    pytest.importorskip("pandas")
    table = trained.to_dataframe()
    first = trained.manager.loss_names[0]
    assert table["step"].tolist() == [2, 4, 6]
    assert table[f"loss_{first}"].tolist() == [r["losses"][0] for r in trained.history]
    assert table[f"weight_{first}"].tolist() == [r["weights"][0] for r in trained.history]
    assert {"penalty", "alignment", "conflict", "size_ratio"} <= set(table.columns)
    assert not {"losses", "weights"} & set(table.columns)


def test_pandas_has_point_weights(problem):
    pytest.importorskip("pandas")
    adaptive = AdaptiveWeights("rba", period=2, verbose=0)
    problem.train(problem.heat(), adaptive, iterations=4)
    ends = adaptive.history[-1]["point_weights"]
    row = adaptive.to_dataframe().iloc[-1]
    for name, (least, mean, most) in ends.items():
        column = f"point_weight_{name}"
        assert (row[f"{column}_min"], row[f"{column}_mean"], row[f"{column}_max"]) == (
            least,
            mean,
            most,
        )
    assert "point_weights" not in row


def test_without_pandas_a_sentence_says_what_to_install(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    sentence = "`to_dataframe` must have pandas, which is not installed: pip install pandas."
    with pytest.raises(ImportError, match=sentence):
        trained.to_dataframe()


def test_a_notebook_shows_the_figure_without_pyplot(trained):
    assert trained.plot()._repr_png_().startswith(b"\x89PNG")


def test_rows_of_other_terms_are_left_out(problem):
    """A model may be given a condition more, or fewer."""
    adaptive = AdaptiveWeights("ema", period=2, verbose=0)
    model = problem.train(problem.heat(), adaptive, iterations=4)
    terms = len(adaptive.history[-1]["losses"])
    model.data.bcs.pop()
    model.data.num_bcs.pop()
    model.data.train_x_bc = None
    model.data.train_next_batch()
    model.compile("adam", lr=1e-3, verbose=0)
    problem.train(model, adaptive, iterations=6)
    assert [len(row["losses"]) for row in adaptive.history] == [terms] * 2 + [terms - 1] * 3
    losses = adaptive.plot().axes[0]
    assert len(losses.lines) == terms - 1
    assert losses.lines[0].get_xdata().tolist() == [6, 8, 10]
    assert "3 periods" in adaptive._repr_html_()
