"""How a run ends: its report and its pictures, whether it was trained to the end or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pinn_ext import schema
from pinn_ext.measurements import gradient_verdict
from pinn_ext.networks import FieldNetwork
from pinn_ext.program import checkpoints
from pinn_ext.program.machine import out_of_memory
from pinn_ext.program.ranks import environment as ranks
from pinn_ext.program.run.state import RunState
from pinn_ext.program.slabs.chain import SLAB
from pinn_ext.program.slabs.report import row as slab_row
from pinn_ext.reports import console, held_out, report
from pinn_ext.schema import Config


def finish(
    state: RunState, message: str | None, *, stopped: bool, write: Callable[[str], None]
) -> dict[str, Any]:
    """Report a run, draw its pictures and say what has come of it.

    Args:
        state: of the run.
        message: why the training has failed, None if it has not.
        stopped: whether a signal has stopped it.
        write: takes lines.

    Returns:
        The report, as written to `report.json`.

    Raises:
        RunError: if a file cannot be written.
    """
    status = "failed" if message else "interrupted" if stopped else "ok"
    if message is not None:  # memory may be why the training has failed
        out_of_memory.release(state.device)
    if status != "ok":
        _go_back(state)
    best = state.part.best.network(state.built.network)
    content = {
        **_results(state, best),
        "seconds_weighting": state.weighting_seconds(),
        "status": status,
        "message": message,
        **state.cost.so_far(),
        **ranks.facts(),
        "gauss_newton_ended": state.part.phases.gauss_newton.message if status == "ok" else None,
    }
    report.write(state.folder, content)
    if state.info.pictures:
        _draw(state, content["terms"])
    write(console.summary(content, state.folder))
    return content


def _go_back(state: RunState) -> None:
    """Take up the last complete epoch: what is reported is what can be resumed."""
    saved, slabs = checkpoints.load(state.checkpoint), state.slabs
    if slabs.divided and saved[SLAB] != slabs.number:  # the next one could not be saved
        slabs.take_up(saved, state.checkpoint)
    state.built.network.load_state_dict(saved["model_state_dict"])


def _results(state: RunState, best: FieldNetwork) -> dict[str, Any]:
    """Return what a report says beside how the run has ended.

    Args:
        state: of the run.
        best: its best network.

    Returns:
        Plain values; errors are those from the first time to the end of the slab that was trained
        last.
    """
    cfg, slabs, part, built = state.cfg, state.slabs, state.part, state.built
    weights, network = built.weights, built.network
    evaluator = slabs.evaluator(network) if slabs.divided else built.evaluator
    known = report.of_network(built.loss, evaluator, built.data.exact_batch())
    errors = report.of_errors(
        evaluator,
        evaluator.errors(slabs.over_all_times(network)),
        evaluator.errors(slabs.over_all_times(best)),
        part.best.mark,
        cfg.training.keep,
    )
    lost = report.lost_to_trivial(errors["relative_l2"], known["relative_l2_trivial"])
    history, pilots = built.log.history.rows, _pilots(state)
    mark = errors["best"] if cfg.training.keep == "best" else None
    of_slabs = pilots.get("slabs", [])
    return {
        **report.of_history(history, built.initial, cfg.dtype),
        "held_out_score": held_out.of_run(
            history, list(built.initial), cfg.problem.scaling, mark, of_slabs
        ),
        **known,
        **errors,
        "no_better_than_trivial": lost,
        **_settings(cfg),
        **pilots,
        "choice": weights.choice,
        "penalty": weights.manager.penalty if weights.manager else 0.0,
        "gradients": gradient_verdict.as_dict(weights.gradient_history),
        "seconds_training": state.seconds(),
        "overrides": list(state.info.overrides),
        "job": state.info.job,
    }


def _settings(cfg: Config) -> dict[str, Any]:
    """Return what a report says of the configuration."""
    return {
        "problem": cfg.problem.name,
        "geometry": cfg.problem.geometry,
        "dataset": cfg.dataset.name,
        "order": cfg.dataset.order,
        "strategy": schema.strategy_of(cfg.training.loss.adaptive),
        "seed": cfg.seed,
        "experiment": cfg.experiment.name,
        "conditions": cfg.problem.conditions,
        "scaling": cfg.problem.scaling,
    }


def _pilots(state: RunState) -> dict[str, Any]:
    """Return what a report says of trial runs of strategies, and of the slabs that each is of."""
    slabs, part, pilots = state.slabs, state.part, state.built.weights.pilots
    if slabs.divided:
        rows = [*slabs.rows, slab_row(slabs, part, part.kept, state.seconds())]
        of_slabs = [{"slab": row["slab"], **pilot} for row in rows for pilot in row["pilots"]]
        return {"slabs": rows, "pilots": of_slabs, "seconds_fixed": None}
    period, epochs = state.built.data.batches_per_epoch, state.cfg.training.epochs
    return {"pilots": pilots, "seconds_fixed": report.seconds_of_fixed(pilots, period, epochs)}


def _draw(state: RunState, terms: list[str]) -> None:
    kept = state.slabs.over_all_times(state.part.kept)
    fields = state.built.fields_of(kept, state.slabs.against())
    gradients = state.tables.all_gradients()
    report.draw(state.folder, terms, state.built.log.history.rows, gradients, fields)
