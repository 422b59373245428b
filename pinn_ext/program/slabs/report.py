"""What a run reports: of its networks over all times, and of each slab."""

from __future__ import annotations

from typing import Any

from pinn_ext import schema
from pinn_ext.measurements import gradient_verdict
from pinn_ext.networks import FieldNetwork
from pinn_ext.program.run_info import Info
from pinn_ext.program.slabs.chain import Slabs
from pinn_ext.program.slabs.part import Part
from pinn_ext.reports import held_out, report
from pinn_ext.reports.history import PHASES, lengths
from pinn_ext.schema import Config


def content(
    cfg: Config,
    info: Info,
    slabs: Slabs,
    part: Part,
    best: FieldNetwork,
    seconds: float,
    **more: Any,
) -> dict[str, Any]:
    """Return the report of a run.

    Args:
        cfg: the configuration.
        info: how the run was started.
        slabs: that the run goes through.
        part: what was trained last.
        best: its best network; its last one is in `part`.
        seconds: of training.
        **more: what else is to stand there: how the run has ended.

    Returns:
        Plain values, as `report.json` has them; errors are those from the first time to the end of
        the slab that was trained last.
    """
    built, weights = part.built, part.built.weights
    network = built.network
    evaluator = slabs.evaluator(network) if slabs.divided else built.evaluator
    kept = best if cfg.training.keep == "best" else network
    of_slabs = [*slabs.rows, row(slabs, part, kept, seconds)] if slabs.divided else []
    pilots = [{"slab": own["slab"], **pilot} for own in of_slabs for pilot in own["pilots"]]
    fixed = None
    if not slabs.divided:
        fixed = report.seconds_of_fixed(
            weights.pilots, built.data.batches_per_epoch, cfg.training.epochs
        )
    known = report.of_network(built.loss, evaluator, built.data.exact_batch())
    errors = report.of_errors(
        evaluator,
        evaluator.errors(slabs.over_all_times(network)),
        evaluator.errors(slabs.over_all_times(best)),
        part.best.mark,
        cfg.training.keep,
    )
    mark = errors["best"] if cfg.training.keep == "best" else None
    history, terms = built.log.history.rows, list(built.initial)
    lost = report.lost_to_trivial(errors["relative_l2"], known["relative_l2_trivial"])
    return {
        **report.of_history(history, built.initial, cfg.dtype),
        "held_out_score": held_out.of_run(history, terms, cfg.problem.scaling, mark, of_slabs),
        **known,
        **errors,
        "no_better_than_trivial": lost,
        **({"slabs": of_slabs} if slabs.divided else {}),
        "problem": cfg.problem.name,
        "geometry": cfg.problem.geometry,
        "dataset": cfg.dataset.name,
        "order": cfg.dataset.order,
        "strategy": schema.strategy_of(cfg.training.loss.adaptive),
        "pilots": pilots if slabs.divided else weights.pilots,
        "choice": weights.choice,
        "seconds_fixed": fixed,
        "penalty": weights.manager.penalty if weights.manager else 0.0,
        "gradients": gradient_verdict.as_dict(weights.gradient_history),
        "seed": cfg.seed,
        "seconds_training": seconds,
        "experiment": cfg.experiment.name,
        "conditions": cfg.problem.conditions,
        "scaling": cfg.problem.scaling,
        "overrides": list(info.overrides),
        "job": info.job,
        **more,
    }


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
