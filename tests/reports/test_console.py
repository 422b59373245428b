"""Lines that a run prints of its weights."""

from pinn_ext.reports import console


def test_lines_of_events():
    event = {"step": 8, "epoch": 2, "term": "", "what": "rolled_back", "why": "it broke"}
    assert console.event_line(event) == "        Weights, epoch 002: rolled back: it broke"
    assert console.event_line({**event, "what": "limit"}) is None
    noted = {**event, "term": "RK4_loss1", "what": "note", "why": "joins in"}
    assert console.event_line(noted) == "        Weights, epoch 002: RK4_1 joins in"
    assert "walls joins in" in console.event_line({**noted, "term": "walls"})
