"""One run: configuration to system, data, network, model, callbacks and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinn_ext import random_state, schema
from pinn_ext.files import LOG, RunError, refuse_taken
from pinn_ext.program import checkpoints
from pinn_ext.program.build import Built, Checked, build, check
from pinn_ext.program.checkpoints import parts
from pinn_ext.program.checkpoints.parts import damaged
from pinn_ext.program.interrupts import Interrupts
from pinn_ext.program.machine import out_of_memory
from pinn_ext.program.machine.cost import Cost
from pinn_ext.program.machine.devices import describe
from pinn_ext.program.phases import warnings_of
from pinn_ext.program.problem import check_same_files, files_of
from pinn_ext.program.ranks import environment as ranks
from pinn_ext.program.ranks import group
from pinn_ext.program.run_info import Info
from pinn_ext.program.slabs import report as slab_report
from pinn_ext.program.slabs.chain import SLAB, Slabs
from pinn_ext.program.slabs.part import Part
from pinn_ext.program.terminal.progress import Progress
from pinn_ext.reports import console, report
from pinn_ext.reports.history import check_last_row
from pinn_ext.reports.weight_tables import RunTables
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
    """The state machine of a run: it goes through slabs and phases, and reports however they end.

    It is the watcher of each phase: after each epoch it logs, saves, and looks for signals.
    """

    part: Part
    tables: RunTables

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
        self.system = checked.loss.system
        self.files = files_of(self.system)
        self.slabs = Slabs(checked)
        self._lost, self.cost = "", Cost(checked.device)
        self.seconds_before = self.weighting_before = 0.0

    def execute(self, saved: Mapping[str, Any] | None) -> dict[str, Any]:
        """Train from the start or from a checkpoint; report however it ends."""
        if saved is not None:
            check_same_files(saved, self.system)
            self.slabs.take_up(saved, self.source)
        self._build()
        self.tables = RunTables(self.folder, self.built.weights, self.slabs.number_if_divided)
        self._start(saved)
        group.hand_out(self._state)
        with Progress(self.folder / LOG) as self._progress:
            strategy = schema.strategy_of(self.cfg.training.loss.adaptive)
            self._progress.write(console.banner(strategy, self.built.initial))
            for line in (*([] if saved is None else self._resumed(saved)), *self.built.notes):
                self._progress.write(line)
            message = self._train()
        return self._finish(message)

    def _build(self) -> None:
        """Build what is to be trained in the present slab, over all times if there is one."""
        built = build(self.slabs.checked(), self.folder)
        self.slabs.warm(built.network)
        self.part = Part(self.cfg, built, self.folder, self.slabs.networks_dict())

    @property
    def built(self) -> Built:
        """What the present part of the run is made of."""
        return self.part.built

    def _start(self, saved: Mapping[str, Any] | None) -> None:
        if saved is None:
            report.write_config(self.folder, self.config, describe(self.device))
            self.part.compile(self.part.phase)
            self.built.log.history.start()
            self.tables.start()
            self._save()
        else:  # nothing is written before all of the checkpoint is taken up
            tables = self._take_up(saved)
            # The report of before would be read as that of the new configuration.
            former: dict[Path, bytes | None] = {self.folder / report.FILE_NAME: None}
            self._save(
                report.config_files(self.folder, self.config, describe(self.device))
                | tables
                | former
            )

    def _take_up(self, saved: Mapping[str, Any]) -> dict[Path, bytes | None]:
        """Go on from a checkpoint; return what the tables beside it are to hold from now on."""
        log, marks, best = self.built.log, saved.get("tables"), self.part.best
        history, mark = log.history, None if marks is None else marks["history"]
        beside = self.source.parent
        content = history.take_up(saved["rows"], mark, beside)
        files: dict[Path, bytes | None] = {history.path: content}
        check_last_row(history, saved["phase"], saved["epoch"], log.slab)
        with damaged(self.source.parent / best.path.name):
            own, self._lost = best.take_up(saved, beside)
        files |= own
        with damaged(self.source, "adaptive_weights_state"):
            state, tables = self.tables.take_up(saved["adaptive_weights_state"], marks, beside)
        self.part.go_on_in({**saved, "adaptive_weights_state": state}, self.source)
        self.seconds_before = saved["seconds_training"]
        self.weighting_before = saved["seconds_weighting"]
        with damaged(self.source, "random_state"):
            random_state.set_state(saved["random_state"])
        return files | tables

    def _resumed(self, saved: Mapping[str, Any]) -> list[str]:
        """Return what there is to say of a checkpoint that was taken up, a line each."""
        phase = self.part.phase
        where = f"in {self.slabs.name} " if self.slabs.divided else ""
        lines = [f"Resumed {where}after {phase.text}."]
        if phase.over and not self.part.coming() and self.slabs.is_last:
            lines = [f"The run is finished ({phase.text}): nothing to train."]
        before, now = saved.get("device"), describe(self.device)
        if before not in (None, now):  # version 0.1 does not say
            lines.append(
                f"The run goes on on {now}, it was on {before} before: last bits, and what a "
                "device's own generator draws, may differ."
            )
        lines += ranks.other_number(saved.get("processes", 1))
        return [*lines, *([] if "tables" in saved else [_NO_DIGEST]), *filter(None, [self._lost])]

    # ---- slabs and phases ---------------------------------------------------------------------

    def _train(self) -> str | None:
        """Go through the phases of all slabs; return why one of them failed, or None."""
        while True:
            for phase in [self.part.phase, *self.part.coming()]:
                message = self._train_phase(phase)
                if message is not None or self._stopped:
                    return message
            if self.slabs.is_last:
                return None
            try:
                self._next_slab()
            except RunError as error:
                return str(error)

    def _next_slab(self) -> None:
        """Begin the training of the next slab, where the present one ends."""
        kept, log = self.part.kept, self.built.log
        self.slabs.end(kept, slab_report.row(self.slabs, self.part, kept, self._seconds()))
        self._progress.write(console.slab_ended(self.slabs.rows[-1], self.slabs.count))
        self.seconds_before, self.weighting_before = self._seconds(), self._weighting_seconds()
        del self.part  # a device may not have room for the graphs of two slabs
        out_of_memory.release(self.device)
        self._build()
        self.built.log.history = log.history
        self.tables.follow(self.built.weights, self.slabs.number)
        self.part.compile(self.part.phase)
        self._save()

    def _train_phase(self, phase: Phase) -> str | None:
        write, part = self._progress.write, self.part
        failures: tuple[type[Exception], ...] = (RunError, *phase.failures)
        try:
            if phase.unit:
                self._progress.count(phase.length, phase.done, phase.unit)
            if phase is not part.phase:
                part.compile(phase)
                part.phase = phase
                for line in phase.opening():
                    write(line)
            with warnings_of(phase, write):
                phase.train(self)
            stopped = self.built.weights.stopped
            closing = phase.closing()
            if closing and stopped is None and not self._stopped:
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

    # ---- what a phase tells -------------------------------------------------------------------

    def after_epoch(self, number: int) -> None:
        """Log an epoch, or iterations; then the checkpoint may say that they are done."""
        part, log, write = self.part, self.built.log, self._progress.write
        phase, measured = part.phase, part.phase.measured()
        row = (phase.name, number, measured.losses, measured.weights, self._seconds())
        log.add(*row, measured.scores)
        events = self.tables.add()
        self._save(part.best.consider(log.rows, self.built.network, self.config))
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
        """Return whether a signal has come, to any process of a job."""
        self.interrupts.agree()
        return self._stopped

    @property
    def _stopped(self) -> bool:
        return self.interrupts.signal is not None

    def _print_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Print what must not be missed of what has happened to the weights."""
        for event in events:
            line = console.event_line(event)
            if line is not None:
                self._progress.write(line)

    # ---- what it leaves -----------------------------------------------------------------------

    def _seconds(self) -> float:
        return self.seconds_before + self.part.model.training_seconds()

    def _weighting_seconds(self) -> float:
        return self.weighting_before + self.built.weights.seconds

    def _state(self) -> dict[str, Any]:
        """Return what a process that trains along has to take up."""
        weights = self.built.weights.state_dict()  # with the rows that a checkpoint leaves out
        state = {**self.part.state_dict(), "adaptive_weights_state": weights}
        return {**state, "random_state": random_state.get_state()}

    def _save(self, others: Mapping[Path, bytes | None] | None = None) -> None:
        history = self.built.log.history
        content = {
            **self.part.state_dict(),
            **self.slabs.state_dict(),
            "config": self.config,
            "choices": dict(self.info.choices),
            "overrides": list(self.info.overrides),
            "job": self.info.job,
            "device": describe(self.device),
            **ranks.facts(),
            **({} if self.info.job_id is None else {"job_id": self.info.job_id}),
            "rows": len(history.rows),
            "tables": {"history": history.mark(), **self.tables.marks()},
            **self.files,
            "random_state": random_state.get_state(),
            "seconds_training": self._seconds(),
            "seconds_weighting": self._weighting_seconds(),
        }
        checkpoints.save(self.folder / checkpoints.FILE_NAME, content, others)

    def _finish(self, message: str | None) -> dict[str, Any]:
        built, slabs, interrupted = self.built, self.slabs, self._stopped and message is None
        if message is not None:  # memory may be why the training has failed
            out_of_memory.release(self.device)
        if interrupted or message is not None:
            # What is reported is what can be resumed: the last complete epoch.
            saved = checkpoints.load(self.folder / checkpoints.FILE_NAME)
            if slabs.divided and saved[SLAB] != slabs.number:  # the next one could not be saved
                slabs.take_up(saved, self.folder / checkpoints.FILE_NAME)
            built.network.load_state_dict(saved["model_state_dict"])
        status = "failed" if message else "interrupted" if interrupted else "ok"
        best = self.part.best.network(built.network)
        content = slab_report.content(
            self.cfg,
            self.info,
            slabs,
            self.part,
            best,
            self._seconds(),
            seconds_weighting=self._weighting_seconds(),
            status=status,
            message=message,
            **self.cost.so_far(),
            **ranks.facts(),
            gauss_newton_ended=self.part.phases.gauss_newton.message if status == "ok" else None,
        )
        report.write(self.folder, content)
        if self.info.pictures:
            kept = slabs.over_all_times(best if self.cfg.training.keep == "best" else built.network)
            rows, fields = built.log.history.rows, built.fields_of(kept, slabs.against())
            report.draw(self.folder, content["terms"], rows, self.tables.all_gradients(), fields)
        self._progress.write(console.summary(content, self.folder))
        return content
