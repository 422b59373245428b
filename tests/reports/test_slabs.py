"""Rows of a run in slabs of time: where they stand in a picture, and in tables."""

from pinn_ext.reports import event_files, plots
from pinn_ext.reports.history import lengths, stretches


def in_slabs():
    """Return rows of two slabs, each with three epochs and a block of L-BFGS."""
    made = [("epochs", 1), ("epochs", 2), ("epochs", 3), ("lbfgs", 20)]
    return [{"slab": slab, "phase": phase, "epoch": n} for slab in (1, 2) for phase, n in made]


def test_each_slab_goes_on_after_the_one_before():
    rows = in_slabs()
    assert plots.positions(rows) == [1, 2, 3, 23, 24, 25, 26, 46]
    assert plots.positions(rows[:4]) == plots.positions([
        {key: value for key, value in row.items() if key != "slab"} for row in rows[:4]
    ])  # fmt: skip
    assert stretches(rows) == [("epochs", 3), ("lbfgs", 20)] * 2
    assert lengths(rows) == {"epochs": 3, "lbfgs": 20}


def test_tables_of_slabs_are_read_as_they_were_written():
    events = [
        {"slab": s, "step": 4, "epoch": 2, "term": "PI_loss1", "what": "note", "why": "why, so"}
        for s in (1, 2)
    ]
    text = event_files.event_table(events)
    assert text.startswith("slab,step,epoch,") and event_files.event_rows(text) == events
    rows = [
        {"slab": s, "step": 2, "names": ["a", "b"], "norms": [1.0, 2.0],
         "cosines": [[1.0, 0.5], [0.5, 1.0]], "alignment": 0.5, "conflict": 0.0, "size_ratio": 2.0}
        for s in (1, 2)
    ]  # fmt: skip
    text = event_files.gradient_table(rows)
    assert text.startswith("slab,step,norm_a,") and event_files.gradient_rows(text) == rows
