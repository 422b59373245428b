"""The training of a run, through its slabs and phases, and what is done after each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pinn_ext.files import RunError
from pinn_ext.program.interrupts import Interrupts
from pinn_ext.program.machine import out_of_memory
from pinn_ext.program.phases import warnings_of
from pinn_ext.program.run.state import RunState
from pinn_ext.program.slabs.report import row as slab_row
from pinn_ext.program.terminal.progress import Progress
from pinn_ext.reports import console
from solvers.devices import is_out_of_memory

if TYPE_CHECKING:
    from pinn_ext.dde.phases import Phase


class Training:
    """Goes through slabs and phases until they are over, one of them fails or a signal comes.

    It is the watcher of each phase: after each epoch it logs, saves, and looks for signals.

    Args:
        state: of the run, begun.
        progress: shows epochs and takes lines.
        interrupts: signals that were caught.
    """

    def __init__(self, state: RunState, progress: Progress, interrupts: Interrupts) -> None:
        self._state, self._progress, self._interrupts = state, progress, interrupts

    @property
    def stopped(self) -> bool:
        """Whether a signal has come."""
        return self._interrupts.signal is not None

    def run(self) -> str | None:
        """Train in all slabs; return why that has failed, or None."""
        while True:
            message = self._train_slab()
            if message is not None or self.stopped or self._state.slabs.is_last:
                return message
            try:
                self._next_slab()
            except RunError as error:
                return str(error)

    def _train_slab(self) -> str | None:
        """Go through the phases of the slab at work; return why one of them failed, or None."""
        part = self._state.part
        for phase in [part.phase, *part.coming()]:
            message = self._train_phase(phase)
            if message is not None or self.stopped:
                return message
        return None

    def _next_slab(self) -> None:
        """Begin the training of the next slab, where the present one ends."""
        state, kept = self._state, self._state.part.kept
        state.slabs.end(kept, slab_row(state.slabs, state.part, kept, state.seconds()))
        self._progress.write(console.slab_ended(state.slabs.rows[-1], state.slabs.count))
        state.build_next()
        state.part.compile(state.part.phase)
        state.save()

    def _train_phase(self, phase: Phase) -> str | None:
        """Train in one phase; return why that has failed, or None."""
        failures: tuple[type[Exception], ...] = (RunError, *phase.failures)
        try:
            self._enter(phase)
            with warnings_of(phase, self._progress.write):
                phase.train(self)
            return self._leave(phase)
        except Exception as error:
            if is_out_of_memory(error):
                state = self._state
                return out_of_memory.sentence(error, state.device, phase, state.checkpoint)
            if isinstance(error, failures):
                return str(error)
            raise

    def _enter(self, phase: Phase) -> None:
        if phase.unit:
            self._progress.count(phase.length, phase.done, phase.unit)
        part = self._state.part
        if phase is not part.phase:  # that of a checkpoint has been compiled and announced
            part.compile(phase)
            part.phase = phase
            for line in phase.opening():
                self._progress.write(line)

    def _leave(self, phase: Phase) -> str | None:
        """Say how a phase has ended; return why its weights have stopped it, or None."""
        stopped = self._state.built.weights.stopped
        closing = phase.closing()
        if closing and stopped is None and not self.stopped:
            self._progress.write(closing)
        self._print_events(self._state.tables.add())
        return stopped

    # ---- what a phase tells -------------------------------------------------------------------

    def after_epoch(self, number: int) -> None:
        """Log an epoch, or iterations; then the checkpoint may say that they are done."""
        state, write = self._state, self._progress.write
        part, log = state.part, state.built.log
        phase, measured = part.phase, part.phase.measured()
        row = (phase.name, number, measured.losses, measured.weights, state.seconds())
        log.add(*row, measured.scores)
        events = state.tables.add()
        state.save(part.best.consider(log.rows, state.built.network, state.config))
        log.print(
            write,
            phase.length,
            in_force=measured.in_force,
            in_blocks=phase.in_blocks,
            equalized=measured.equalized,
        )
        for line in state.built.weights.take_lines():
            write(line)
        self._print_events(events)
        if phase.unit:
            self._progress.advance(number)

    def stop_wanted(self) -> bool:
        """Return whether a signal has come, to any process of a job."""
        self._interrupts.agree()
        return self.stopped

    def _print_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Print what must not be missed of what has happened to the weights."""
        for event in events:
            line = console.event_line(event)
            if line is not None:
                self._progress.write(line)
