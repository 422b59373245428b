"""Lines that a run prints of its weights, its errors and its cost."""

import math

import pytest

from pinn_ext.reports import console, report


def test_lines_of_events():
    event = {"step": 8, "epoch": 2, "term": "", "what": "rolled_back", "why": "it broke"}
    assert console.event_line(event) == "        Weights, epoch 002: rolled back: it broke"
    assert console.event_line({**event, "what": "limit"}) is None
    noted = {**event, "term": "RK4_loss1", "what": "note", "why": "joins in"}
    assert console.event_line(noted) == "        Weights, epoch 002: RK4_1 joins in"
    assert "walls joins in" in console.event_line({**noted, "term": "walls"})


@pytest.mark.parametrize(
    ("errors", "lost"),
    [
        ({"u": 1e-3, "v": 1e-3}, None),
        ({"u": 2e-1, "v": 1e-3}, "u"),
        ({"u": 1e-1, "v": math.nan}, "u and v"),  # as good as it is not better
    ],
)
def test_a_run_that_loses_to_the_trivial_answer_says_so(errors, lost):
    content = {
        "dataset": "grid",
        "best": None,
        "reference": "exact solution",
        "relative_l2": errors,
        "relative_l2_last": errors,
        "relative_l2_best": errors,
        "relative_l2_trivial": (trivial := {"u": 1e-1, "v": 2e-1}),
        "no_better_than_trivial": report.lost_to_trivial(errors, trivial),
    }
    assert content["no_better_than_trivial"] == (lost.split(" and ") if lost else [])
    said = console._errors(content, "after 3 epochs")
    sentence = f"In {lost} the network is no better than the trivial answer."
    assert said[4:] == ([sentence] if lost else [])


def test_cost_is_said_as_a_cluster_asks_for_it():
    cost = {"seconds_run": 12.34, "peak_memory_mib": 812.4, "peak_device_memory_mib": None}
    assert console._cost(cost) == "The run took 12.3 s in all, and 812 MiB of memory."
    on_device = console._cost({**cost, "peak_device_memory_mib": 99.6})
    assert on_device.endswith("812 MiB of memory and 100 MiB on the device.")


def test_nothing_is_lost_or_won_where_no_solution_is_known():
    unknown = {"u": None, "v": None}
    assert report.lost_to_trivial(unknown, unknown) is None
