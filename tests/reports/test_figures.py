"""What all pictures have in common: ticks that can be read, legends beside the curves."""

import pytest

from pinn_ext.reports.figures import count_along, legend_beside, line, new_figure, tick_log


def drawn(*, x=(1.0, 2.0, 3.0), y=(1.0, 2.0, 3.0)):
    figure = new_figure(layout="constrained")
    axes = figure.subplots()
    axes.semilogy(x, y, label="u", **line(0))
    return figure, axes


def shown_ticks(axis):
    low, high = axis.get_view_interval()
    return [
        (at, label.get_text())
        for at, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
        if low <= at <= high
    ]


@pytest.mark.parametrize(
    ("values", "least", "most"),
    [((0.34, 0.53), 3, 8), ((0.02, 0.4), 4, 8), ((2e-3, 0.2), 5, 10)],
)
def test_a_log_axis_of_few_decades_has_some_plain_ticks(values, least, most):
    figure, axes = drawn(x=(1, 2), y=values)
    tick_log(axes.yaxis)
    figure.canvas.draw()
    ticks = shown_ticks(axes.yaxis)
    assert least <= len(ticks) <= most
    assert all(float(text) == pytest.approx(at, rel=0.05) for at, text in ticks)
    assert len({text for _, text in ticks}) == len(ticks)
    assert not axes.yaxis.get_minorticklocs().size


def test_a_log_axis_of_many_decades_is_left_to_powers_of_ten():
    _, axes = drawn(y=(1e-6, 1e-2, 1.0))
    before = axes.yaxis.get_major_locator()
    tick_log(axes.yaxis)
    assert axes.yaxis.get_major_locator() is before


def test_epochs_are_counted_in_whole_numbers():
    figure, axes = drawn(x=(1, 2, 3))
    count_along(axes.xaxis)
    figure.canvas.draw()
    assert all(at == int(at) for at in axes.xaxis.get_ticklocs())


def test_a_legend_covers_no_curve():
    figure, axes = drawn()
    legend_beside(axes)
    figure.canvas.draw()
    legend = axes.get_legend().get_window_extent()
    assert legend.x0 >= axes.get_window_extent().x1
    assert legend.x1 <= figure.bbox.x1
