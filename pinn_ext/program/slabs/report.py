"""What a run reports of each of its slabs."""

from __future__ import annotations

from typing import Any

from pinn_ext.networks import FieldNetwork
from pinn_ext.program.slabs.chain import Slabs
from pinn_ext.program.slabs.part import Part
from pinn_ext.reports import report
from pinn_ext.reports.history import PHASES, lengths


def row(slabs: Slabs, part: Part, network: FieldNetwork, seconds: float) -> dict[str, Any]:
    """Return what the report has of the slab at work.

    Args:
        slabs: that the run goes through.
        part: what was trained in the slab.
        network: that it leaves.
        seconds: of training in all slabs so far.

    Returns:
        Plain values: `slab`, `lower`, `upper`; how long each phase was; `relative_l2` by field in
        the slab, None where no solution is known; `best`, `choice`, `pilots` and
        `gauss_newton_ended` as in the report of a run; `seconds`.
    """
    lower, upper = slabs.times
    evaluator = slabs.evaluator(network, alone=True)
    rows = [one for one in part.built.log.history.rows if one["slab"] == slabs.number]
    made = lengths(rows)
    return {
        "slab": slabs.number,
        "lower": lower,
        "upper": upper,
        **{phase.total: made.get(name, 0) for name, phase in PHASES.items()},
        "relative_l2": evaluator.errors(network) if evaluator.label else None,
        "best": report.place_of(part.best.mark),
        "choice": part.built.weights.choice,
        "pilots": list(part.built.weights.pilots),
        "gauss_newton_ended": part.phases.gauss_newton.message,
        "seconds": seconds - sum(former["seconds"] for former in slabs.rows),
    }
