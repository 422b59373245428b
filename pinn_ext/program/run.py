"""One run: configuration to system, data, network, model, callbacks and report."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pinn_ext import random_state, schema
from pinn_ext.checks import check_number
from pinn_ext.datasets.node_graphs import space_graph
from pinn_ext.losses.physics_loss import physics_loss
from pinn_ext.losses.solution_error import Evaluator
from pinn_ext.program import build, checkpoints
from pinn_ext.program.interrupts import Interrupts
from pinn_ext.program.progress import Progress, say
from pinn_ext.reports import console, report
from pinn_ext.reports.weight_tables import RunTables
from pinn_ext.systems import System

KEYS = (
    *("model_state_dict", "optimizer_state_dict", "adaptive_weights_state", "next_step", "step"),
    *("iteration", "config", "choices", "overrides", "job", "phase", "epoch", "lbfgs_over"),
    *("gauss_newton", "rows", "random_state", "seconds_training", "seconds_weighting"),
)
"""What a checkpoint of a run holds."""


@dataclass
class Info:
    """What a report says of how a run was started.

    Attributes:
        overrides: what the user wrote on the command line.
        choices: which file each configuration group was read from.
        job: number of the job in a sweep, None outside.
    """

    overrides: list[str] = field(default_factory=list)
    choices: dict[str, str] = field(default_factory=dict)
    job: int | None = None


def check(cfg: Any) -> None:
    """Refuse a configuration that cannot be run, before a folder is made.

    Args:
        cfg: a `pinn_ext.schema.Config` or an OmegaConf node of that schema.

    Raises:
        ValueError: naming the key, what is allowed and what came.
    """
    schema.validate(cfg)
    system = physics_loss(cfg).system
    end = system.final_time
    check_number("dataset.step", cfg.dataset.step, 0, end, open_low=True, open_high=True)
    _check_nodes(cfg.dataset, system)
    build.device_of(cfg.device)


def _check_nodes(dataset: Any, system: System) -> None:
    nodes = dataset.nodes_per_side or system.default_nodes
    try:
        space_graph(system, dataset.name, nodes, dataset.order)
    except ValueError as error:
        raise ValueError(
            re.sub(r"^`(name|order|nodes_per_side)`", r"`dataset.\1`", str(error))
        ) from None


def run(
    cfg: Any,
    folder: Path,
    *,
    info: Info | None = None,
    source: Path | None = None,
    interrupts: Interrupts | None = None,
) -> dict[str, Any]:
    """Train what a configuration describes and leave the results in a folder.

    Args:
        cfg: a `pinn_ext.schema.Config` or an OmegaConf node of that schema.
        folder: exists; everything is written into it.
        info: how the run was started.
        source: checkpoint to go on from.
        interrupts: signals that were caught, if the caller catches any.

    Returns:
        The report, as written to `report.json`.

    Raises:
        ValueError: if the configuration is out of range.
        RunError: if the folder cannot be written or the checkpoint does not fit.
    """
    check(cfg)
    with checkpoints.locked(folder):
        # Read under the lock: a process that has just left the folder may have written anew.
        saved = None if source is None else checkpoints.load(source, KEYS)
        return _Run(cfg, folder, info or Info(), interrupts or Interrupts()).execute(saved)


class _Run:
    """The pipe of one run; each part is built from finished earlier parts."""

    def __init__(self, cfg: Any, folder: Path, info: Info, interrupts: Interrupts) -> None:
        self.cfg, self.folder, self.info, self.interrupts = cfg, folder, info, interrupts
        self.parts = build.build(cfg, folder)
        self.session = self.parts.session(
            after_epoch=self._after_epoch, after_step=lambda: interrupts.signal is not None
        )
        self.tables = RunTables(folder, self.parts.weights)
        self.phase, self.epoch = "epochs", 0
        self.seconds_before = self.weighting_before = 0.0

    def execute(self, saved: Mapping[str, Any] | None) -> dict[str, Any]:
        """Train from the start or from a checkpoint; report however it ends."""
        training = self.cfg.training
        self._start(saved)
        message = None
        with Progress(training.epochs, self.epoch if self.phase == "epochs" else None) as progress:
            self._progress = progress
            strategy = schema.strategy_of(self.cfg.training.loss.adaptive)
            progress.write(console.banner(strategy, self.parts.initial))
            if saved is not None:
                progress.write(self._resumed_line(saved))
            try:
                with warnings.catch_warnings():  # what stops a run is said in its report
                    warnings.filterwarnings("ignore", ".*training stopped", RuntimeWarning)
                    warnings.filterwarnings("ignore", ".*weights unchanged", RuntimeWarning)
                    if self.phase == "epochs":
                        self.session.train_epochs(training.epochs)
                    if self.phase != "gauss_newton":
                        self._lbfgs_phase()
                message = self.parts.weights.stopped
                self._note_events()
            except checkpoints.RunError as error:
                message = str(error)
        if message is None and self.interrupts.signal is None:
            message = self._gauss_newton_phase()
        return self._finish(message)

    def _start(self, saved: Mapping[str, Any] | None) -> None:
        report.write_config(self.folder, schema.as_dict(self.cfg))
        if saved is None or saved["phase"] == "epochs":
            training = self.cfg.training
            self.session.compile(training.optimizer, training.learning_rate, training.weight_decay)
        elif saved["phase"] == "lbfgs":
            self.session.compile_lbfgs()
        else:
            self._compile_gauss_newton()
        if saved is None:
            self.parts.log.history.start()
            self.tables.start()
            self._save()
            return
        self.session.load_state_dict(saved)
        self.phase, self.epoch = saved["phase"], saved["epoch"]
        self.seconds_before = saved["seconds_training"]
        self.weighting_before = saved["seconds_weighting"]
        self.parts.log.history.resume(saved["rows"])
        self.tables.start()
        random_state.set_state(saved["random_state"])
        self._save()

    def _resumed_line(self, saved: Mapping[str, Any]) -> str:
        training = self.cfg.training
        more = training.loss.use_gn_solver
        if self.phase == "gauss_newton":
            done = f"Gauss-Newton iteration {self.epoch}"
            second = self.session.gauss_newton
            over = second.converged or self.epoch >= training.gauss_newton.iterations
        elif self.phase == "lbfgs":
            done = f"L-BFGS iteration {self.epoch}"
            over = (saved["lbfgs_over"] or self.epoch >= training.lbfgs_iterations) and not more
        else:
            done = f"epoch {self.epoch} of {training.epochs}"
            over = self.epoch >= training.epochs and not (training.lbfgs_iterations or more)
        if over:
            return f"The run is finished ({done}): nothing to train."
        return f"Resumed after {done}."

    def _lbfgs_phase(self) -> None:
        iterations = self.cfg.training.lbfgs_iterations
        stopped = self.parts.weights.stopped or self.interrupts.signal
        if not iterations or stopped:
            return
        if self.phase == "epochs":
            self.phase, self.epoch = "lbfgs", 0
            self.session.compile_lbfgs()
            if self.cfg.training.weight_decay:
                self._progress.write("L-BFGS: weight decay is left out.")
            moves = self.cfg.training.loss.adaptive.second_phase == "blocks"
            how = "move between its blocks" if moves else "frozen"
            self._progress.write(f"L-BFGS: all graphs in one batch, loss weights {how}.")
        self.session.train_lbfgs(iterations)
        if self.session.lbfgs_done < iterations and not (
            self.parts.weights.stopped or self.interrupts.signal
        ):
            self._progress.write(
                f"L-BFGS has converged after {self.session.lbfgs_done} iterations."
            )

    def _gauss_newton_phase(self) -> str | None:
        """Train by Gauss-Newton if that is asked for; return why it failed, or None."""
        settings = self.cfg.training.gauss_newton
        if not self.cfg.training.loss.use_gn_solver:
            return None
        with Progress(settings.iterations, self.epoch, "iteration") as progress:
            self._progress = progress
            try:
                if self.phase != "gauss_newton":
                    self._compile_gauss_newton()
                    self.phase, self.epoch = "gauss_newton", 0
                    progress.write(self._gauss_newton_line())
                with warnings.catch_warnings():  # as lines of the run, without a place in the code
                    warnings.showwarning = lambda message, *_: progress.write(f"Warning: {message}")
                    self.session.train_gauss_newton(settings.iterations)
            except (checkpoints.RunError, MemoryError, ValueError) as error:
                return str(error)
        return None

    def _compile_gauss_newton(self) -> None:
        self.session.compile_gauss_newton(
            self.parts.points(self.cfg), **build.gauss_newton_settings(self.cfg)
        )
        exact, system = self.session.exact_validation(), self.parts.loss.system
        self.parts.evaluator = Evaluator(system, exact.inputs.device, torch.float64)
        self.parts.log.measure_with(exact, self.parts.evaluator)

    def _gauss_newton_line(self) -> str:
        points, loss = self.session.points, self.parts.loss
        left_out = [name for name in loss.names if name not in points.loss.names]
        text = f"Gauss-Newton: float64, {len(points.batch.inputs)} points of its own"
        if self.cfg.training.weight_decay:
            text += ", no weight decay"
        if left_out:
            text += (
                f"; {' and '.join(left_out)} are left out, as the graph's truncation error would "
                "stay in the solution (training.gauss_newton.use_rk4=true keeps them)"
            )
        if self.parts.weights.weighs_points:
            text += "; weights of points are left out, as its points are others"
        return text + "."

    def _after_epoch(self, number: int) -> None:
        """Log an epoch, or iterations; then the checkpoint may say that they are done."""
        self.epoch = number
        in_force = None
        if self.phase == "gauss_newton":
            weights = list(self.session.weights_in_force().values())
            losses = self.session.raw_losses()
        else:
            entry = self.parts.weights.history[-1]
            weights = entry["weights"]
            in_force = entry.get("weights_before") if self.phase == "epochs" else None
            losses = entry["losses"] if self.phase == "epochs" else self.session.raw_losses()
        self.parts.log.add(self.phase, number, losses, weights, self._seconds())
        self._save()
        self.parts.log.print(self._progress.write, self.parts.weights.manager, in_force)
        for line in self.parts.weights.take_lines():
            self._progress.write(line)
        self._note_events()
        if self.phase != "lbfgs":
            self._progress.advance(number)

    def _note_events(self) -> None:
        """Write what has happened to the weights, and print what must not be missed."""
        for event in self.tables.add():
            line = console.event_line(event)
            if line is not None:
                self._progress.write(line)

    def _seconds(self) -> float:
        return self.seconds_before + self.session.training_seconds()

    def _weighting_seconds(self) -> float:
        return self.weighting_before + self.parts.weights.seconds

    def _save(self) -> None:
        content = {
            **self.session.state_dict(),
            "config": schema.as_dict(self.cfg),
            "choices": dict(self.info.choices),
            "overrides": list(self.info.overrides),
            "job": self.info.job,
            "phase": self.phase,
            "epoch": self.epoch,
            "lbfgs_over": self.session.lbfgs_over,
            "rows": len(self.parts.log.history.rows),
            "random_state": random_state.get_state(),
            "seconds_training": self._seconds(),
            "seconds_weighting": self._weighting_seconds(),
        }
        checkpoints.save(self.folder / checkpoints.FILE_NAME, content)

    def _finish(self, message: str | None) -> dict[str, Any]:
        interrupted = self.interrupts.signal is not None and message is None
        if interrupted or message is not None:
            # What is reported is what can be resumed: the last complete epoch.
            saved = checkpoints.load(self.folder / checkpoints.FILE_NAME)
            self.parts.network.load_state_dict(saved["model_state_dict"])
        status = "failed" if message else "interrupted" if interrupted else "ok"
        content = self._report(status, message)
        report.write(self.folder, content)
        report.draw(self.folder, content, self.parts)
        say(report.summary(content, self.folder))
        return content

    def _gauss_newton_end(self, status: str) -> str | None:
        second = self.session.gauss_newton
        return second.message if second is not None and status == "ok" else None

    def _report(self, status: str, message: str | None) -> dict[str, Any]:
        part = self.parts
        return {
            **report.of_history(part.log.history.rows, part.initial),
            **report.of_network(part),
            "problem": self.cfg.problem.name,
            "geometry": self.cfg.problem.geometry,
            "dataset": self.cfg.dataset.name,
            "order": self.cfg.dataset.order,
            "strategy": schema.strategy_of(self.cfg.training.loss.adaptive),
            "pilots": part.weights.pilots,
            "choice": part.weights.choice,
            "seconds_fixed": report.seconds_of_fixed(
                part.weights.pilots, part.data.batches_per_epoch, self.cfg.training.epochs
            ),
            "penalty": part.weights.manager.penalty if part.weights.manager else 0.0,
            "seed": self.cfg.seed,
            "seconds_training": self._seconds(),
            "seconds_weighting": self._weighting_seconds(),
            "status": status,
            "message": message,
            "gauss_newton_ended": self._gauss_newton_end(status),
            "experiment": self.cfg.experiment.name,
            "conditions": self.cfg.problem.conditions,
            "scaling": self.cfg.problem.scaling,
            "overrides": list(self.info.overrides),
            "job": self.info.job,
        }
