"""One run: configuration to system, data, network, model, callbacks and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinn_ext import random_state, schema
from pinn_ext.checks import ArgumentError, check_number
from pinn_ext.files import RunError, refuse_taken
from pinn_ext.measurements import gradient_verdict
from pinn_ext.networks import FieldNetwork
from pinn_ext.program import checkpoints
from pinn_ext.program.build import Checked, build, check
from pinn_ext.program.checkpoints import parts
from pinn_ext.program.checkpoints.best_network import BestNetwork
from pinn_ext.program.checkpoints.parts import check_optimizer, damaged
from pinn_ext.program.interrupts import Interrupts
from pinn_ext.program.machine import out_of_memory
from pinn_ext.program.machine.devices import describe
from pinn_ext.program.phases import graph_model, phases_of, trained_throughout, warnings_of
from pinn_ext.program.problem import check_same_files, files_of
from pinn_ext.program.progress import Progress, say
from pinn_ext.program.run_info import Info
from pinn_ext.reports import console, report
from pinn_ext.reports.history import check_last_row
from pinn_ext.reports.weight_tables import RunTables, without_rows
from pinn_ext.schema import Config
from solvers.devices import is_out_of_memory

if TYPE_CHECKING:
    from pinn_ext.dde.phases import Phase

_NO_DIGEST = (
    "The checkpoint has no digest of history.csv, as those of version 0.1: its rows are taken as "
    "they are."
)


def run(
    cfg: Config | Checked,
    folder: Path,
    *,
    info: Info | None = None,
    source: Path | None = None,
    interrupts: Interrupts | None = None,
) -> dict[str, Any]:
    """Train what a configuration describes and leave the results in a folder.

    Args:
        cfg: the configuration, or what `check` made of it.
        folder: exists; everything is written into it.
        info: how the run was started.
        source: checkpoint to go on from; the tables beside it come along into another folder.
        interrupts: signals that were caught, if the caller catches any.

    Returns:
        The report, as written to `report.json`.

    Raises:
        ValueError: if the configuration is out of range.
        RunError: if the folder cannot be written, the checkpoint does not fit, or there is no
            memory for what comes before and after the training.
    """
    checked = cfg if isinstance(cfg, Checked) else check(cfg)
    with out_of_memory.said(checked.device), checkpoints.locked(folder):
        if source is None or source.parent.resolve() != folder.resolve():
            # Looked at under the lock: another process may have run here since the folder was made.
            refuse_taken(folder)
        # Read under the lock: a process that has just left the folder may have written once more.
        saved = None if source is None else parts.load(source)
        own = _Run(checked, folder, info or Info(), interrupts or Interrupts(), source)
        return own.execute(saved)


class _Run:
    """The state machine of a run: it goes through the phases, and reports however they end.

    It is the watcher of each phase: after each epoch it logs, saves, and looks for signals.
    """

    def __init__(
        self,
        checked: Checked,
        folder: Path,
        info: Info,
        interrupts: Interrupts,
        source: Path | None = None,
    ) -> None:
        self.cfg, self.folder, self.info, self.interrupts = checked.cfg, folder, info, interrupts
        self.device = checked.device
        self.source = source or folder / checkpoints.FILE_NAME
        self.config = schema.as_dict(self.cfg)
        self.files = files_of(checked.loss.system)
        self.built = build(checked, folder)
        self.against = checked.against
        self.model = graph_model(self.cfg, self.built)
        self.phases = phases_of(self.cfg, self.built, self.model)
        self.phase: Phase = self.phases.epochs
        self.tables = RunTables(folder, self.built.weights)
        self.best = BestNetwork(folder, trained_throughout(self.cfg, self.built.initial))
        self._lost = ""
        self.seconds_before = self.weighting_before = 0.0

    def execute(self, saved: Mapping[str, Any] | None) -> dict[str, Any]:
        """Train from the start or from a checkpoint; report however it ends."""
        self._start(saved)
        with Progress() as self._progress:
            strategy = schema.strategy_of(self.cfg.training.loss.adaptive)
            self._progress.write(console.banner(strategy, self.built.initial))
            for line in (*([] if saved is None else self._resumed(saved)), *self.built.notes):
                self._progress.write(line)
            message = self._train()
        return self._finish(message)

    def _start(self, saved: Mapping[str, Any] | None) -> None:
        if saved is None:
            report.write_config(self.folder, self.config)
            self._compile(self.phase)
            self.built.log.history.start()
            self.tables.start()
            self._save()
        else:  # nothing is written before all of the checkpoint is taken up
            tables = self._take_up(saved)
            # The report of before would be read as that of the new configuration.
            former: dict[Path, bytes | None] = {self.folder / report.FILE_NAME: None}
            self._save(report.config_files(self.folder, self.config) | tables | former)

    def _take_up(self, saved: Mapping[str, Any]) -> dict[Path, bytes | None]:
        """Go on from a checkpoint; return what the tables beside it are to hold from now on."""
        check_same_files(saved, self.built.loss.system)
        history, marks = self.built.log.history, saved.get("tables")
        mark = None if marks is None else marks["history"]
        beside = self.source.parent
        content = history.take_up(saved["rows"], mark, beside)
        files: dict[Path, bytes | None] = {history.path: content}
        check_last_row(history, saved["phase"], saved["epoch"])
        with damaged(self.source.parent / self.best.path.name):
            best, self._lost = self.best.take_up(saved, beside)
        files |= best
        with damaged(self.source, "adaptive_weights_state"):
            state, tables = self.tables.take_up(saved["adaptive_weights_state"], marks, beside)
        self.phase = next(phase for phase in self.phases if phase.name == saved["phase"])
        self._compile(self.phase)
        self._load({**saved, "adaptive_weights_state": state})
        self.seconds_before = saved["seconds_training"]
        self.weighting_before = saved["seconds_weighting"]
        with damaged(self.source, "random_state"):
            random_state.set_state(saved["random_state"])
        return files | tables

    def _load(self, saved: Mapping[str, Any]) -> None:
        """Put the state of a checkpoint into the model and the phases."""
        with damaged(self.source):
            check_optimizer(self.model.model.opt, saved["optimizer_state_dict"])
            self.model.load_state_dict(saved)
            for phase in self.phases:
                phase.load_state_dict(saved)
            self.phase.done = check_number("epoch", saved["epoch"], 0, self.phase.length)
            if self.phase.made() != self.phase.done:
                raise ArgumentError("epoch", f"be {self.phase.made()}, as made", self.phase.done)

    def _coming(self) -> list[Phase]:
        """Return the phases after the present one that there is anything to do in."""
        after = self.phases.index(self.phase) + 1
        return [phase for phase in self.phases[after:] if phase.length]

    def _resumed(self, saved: Mapping[str, Any]) -> list[str]:
        """Return what there is to say of a checkpoint that was taken up, a line each."""
        lines = [f"Resumed after {self.phase.text}."]
        if self.phase.over and not self._coming():
            lines = [f"The run is finished ({self.phase.text}): nothing to train."]
        before, now = saved.get("device"), describe(self.device)
        if before not in (None, now):  # version 0.1 does not say
            lines.append(
                f"The run goes on on {now}, it was on {before} before: last bits, and what a "
                "device's own generator draws, may differ."
            )
        return [*lines, *([] if "tables" in saved else [_NO_DIGEST]), *filter(None, [self._lost])]

    # ---- the phases ---------------------------------------------------------------------------

    def _train(self) -> str | None:
        """Go through the phases; return why one of them failed, or None."""
        for phase in [self.phase, *self._coming()]:
            message = self._train_phase(phase)
            if message is not None or self.stop_wanted():
                return message
        return None

    def _train_phase(self, phase: Phase) -> str | None:
        write = self._progress.write
        failures: tuple[type[Exception], ...] = (RunError, *phase.failures)
        try:
            if phase.unit:
                self._progress.count(phase.length, phase.done, phase.unit)
            if phase is not self.phase:
                self._compile(phase)
                self.phase = phase
                for line in phase.opening():
                    write(line)
            with warnings_of(phase, write):
                phase.train(self)
            stopped = self.built.weights.stopped
            closing = phase.closing()
            if closing and stopped is None and not self.stop_wanted():
                write(closing)
            self._print_events(self.tables.add())
            return stopped
        except Exception as error:
            if is_out_of_memory(error):
                file = self.folder / checkpoints.FILE_NAME
                return out_of_memory.sentence(error, self.device, phase, file)
            if isinstance(error, failures):
                return str(error)
            raise

    def _compile(self, phase: Phase) -> None:
        """Make the model ready for a phase, which may be measured in another float type."""
        phase.compile()
        validation = phase.validation()
        if validation is not self.built.log.validation:
            self.built.measure_on(validation)

    # ---- what a phase tells -------------------------------------------------------------------

    def after_epoch(self, number: int) -> None:
        """Log an epoch, or iterations; then the checkpoint may say that they are done."""
        phase, log, write = self.phase, self.built.log, self._progress.write
        measured = phase.measured()
        row = (phase.name, number, measured.losses, measured.weights, self._seconds())
        log.add(*row, measured.scores)
        events = self.tables.add()
        rows, network = log.history.rows, self.built.network
        self._save(self.best.consider(rows, network, self.config))
        log.print(
            write,
            phase.length,
            in_force=measured.in_force,
            in_blocks=phase.in_blocks,
            equalized=measured.equalized,
        )
        for line in self.built.weights.take_lines():
            write(line)
        self._print_events(events)
        if phase.unit:
            self._progress.advance(number)

    def stop_wanted(self) -> bool:
        """Return whether a signal has come."""
        return self.interrupts.signal is not None

    def _print_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Print what must not be missed of what has happened to the weights."""
        for event in events:
            line = console.event_line(event)
            if line is not None:
                self._progress.write(line)

    # ---- what it leaves -----------------------------------------------------------------------

    def _seconds(self) -> float:
        return self.seconds_before + self.model.training_seconds()

    def _weighting_seconds(self) -> float:
        return self.weighting_before + self.built.weights.seconds

    def _save(self, others: Mapping[Path, bytes | None] | None = None) -> None:
        state, history = self.model.state_dict(), self.built.log.history
        content = {
            **state,
            "adaptive_weights_state": without_rows(state["adaptive_weights_state"]),
            **{key: value for phase in self.phases for key, value in phase.state_dict().items()},
            "config": self.config,
            "choices": dict(self.info.choices),
            "overrides": list(self.info.overrides),
            "job": self.info.job,
            "device": describe(self.device),
            **({} if self.info.job_id is None else {"job_id": self.info.job_id}),
            "phase": self.phase.name,
            "epoch": self.phase.done,
            "rows": len(history.rows),
            "best": self.best.mark,
            "tables": {"history": history.mark(), **self.tables.marks()},
            **self.files,
            "random_state": random_state.get_state(),
            "seconds_training": self._seconds(),
            "seconds_weighting": self._weighting_seconds(),
        }
        checkpoints.save(self.folder / checkpoints.FILE_NAME, content, others)

    def _finish(self, message: str | None) -> dict[str, Any]:
        interrupted = self.stop_wanted() and message is None
        built = self.built
        if message is not None:
            out_of_memory.release(self.device)  # it may be why the training has failed
        if interrupted or message is not None:
            # What is reported is what can be resumed: the last complete epoch.
            saved = checkpoints.load(self.folder / checkpoints.FILE_NAME)
            built.network.load_state_dict(saved["model_state_dict"])
        status = "failed" if message else "interrupted" if interrupted else "ok"
        best = self.best.network(built.network)
        content = self._report(status, message, best)
        report.write(self.folder, content)
        rows, gradients = built.log.history.rows, built.weights.gradient_history
        kept = best if self.cfg.training.keep == "best" else built.network
        report.draw(self.folder, content["terms"], rows, gradients, kept, self.against)
        say(console.summary(content, self.folder))
        return content

    def _report(self, status: str, message: str | None, best: FieldNetwork) -> dict[str, Any]:
        built, weights, cfg = self.built, self.built.weights, self.cfg
        exact = built.data.exact_batch()
        return {
            **report.of_history(built.log.history.rows, built.initial, cfg.dtype),
            **report.of_network(built.loss, built.evaluator, exact),
            **report.of_errors(
                built.evaluator,
                built.evaluator.errors(built.network),
                built.evaluator.errors(best),
                self.best.mark,
                cfg.training.keep,
            ),
            "problem": cfg.problem.name,
            "geometry": cfg.problem.geometry,
            "dataset": cfg.dataset.name,
            "order": cfg.dataset.order,
            "strategy": schema.strategy_of(cfg.training.loss.adaptive),
            "pilots": weights.pilots,
            "choice": weights.choice,
            "seconds_fixed": report.seconds_of_fixed(
                weights.pilots, built.data.batches_per_epoch, cfg.training.epochs
            ),
            "penalty": weights.manager.penalty if weights.manager else 0.0,
            "gradients": gradient_verdict.as_dict(weights.gradient_history),
            "seed": cfg.seed,
            "seconds_training": self._seconds(),
            "seconds_weighting": self._weighting_seconds(),
            "status": status,
            "message": message,
            "gauss_newton_ended": self.phases.gauss_newton.message if status == "ok" else None,
            "experiment": cfg.experiment.name,
            "conditions": cfg.problem.conditions,
            "scaling": cfg.problem.scaling,
            "overrides": list(self.info.overrides),
            "job": self.info.job,
        }
