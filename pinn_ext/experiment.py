"""One run: configuration to system, data, network, model, callbacks and report."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinn_ext import checkpoints, log_lines, report, schema
from pinn_ext.checks import check_number
from pinn_ext.datasets import SnapshotGraphs
from pinn_ext.evaluation import Evaluator
from pinn_ext.history import FILE_NAME as HISTORY_FILE
from pinn_ext.history import History
from pinn_ext.interrupts import Interrupts
from pinn_ext.networks import FieldNetwork
from pinn_ext.physics import WEIGHT_KEYS, PhysicsLoss, physics_loss
from pinn_ext.progress import Progress
from pinn_ext.systems import FIELDS

_VALIDATION_SEED = 7919  # far from the seeds of training times, which users count from 0


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
    _device(cfg.device)


def run(
    cfg: Any,
    folder: Path,
    *,
    info: Info | None = None,
    saved: Mapping[str, Any] | None = None,
    interrupts: Interrupts | None = None,
) -> dict[str, Any]:
    """Train what a configuration describes and leave the results in a folder.

    Args:
        cfg: a `pinn_ext.schema.Config` or an OmegaConf node of that schema.
        folder: exists; everything is written into it.
        info: how the run was started.
        saved: content of the checkpoint to go on from.
        interrupts: signals that were caught, if the caller catches any.

    Returns:
        The report, as written to `report.json`.

    Raises:
        ValueError: if the configuration is out of range.
        RunError: if the folder cannot be written or the checkpoint does not fit.
    """
    check(cfg)
    with checkpoints.locked(folder):
        return _Run(cfg, folder, info or Info(), interrupts or Interrupts()).execute(saved)


class _Run:
    """The pipe of one run; each part is built from finished earlier parts."""

    def __init__(self, cfg: Any, folder: Path, info: Info, interrupts: Interrupts) -> None:
        with contextlib.redirect_stderr(io.StringIO()):  # DeepXDE advertises its backends
            from pinn_ext.dde.session import configure

        self.cfg, self.folder, self.info, self.interrupts = cfg, folder, info, interrupts
        self.device = _device(cfg.device)
        torch.set_default_device(self.device)
        configure(cfg.dtype, cfg.seed)
        with torch.device("cpu"):
            self.loss = physics_loss(cfg)
            self.network = self._build_network(self.loss)
            self.session = self._build_session()
            self.evaluator = Evaluator(
                self.loss.system, self.device, next(self.network.parameters()).dtype
            )
        self.names = self.loss.names
        self.history = History(
            folder / HISTORY_FILE,
            ["epoch", "phase", *self.names]
            + [f"weight_{name}" for name in self.names]
            + [f"validation_{name}" for name in self.names]
            + [f"error_{name}" for name in FIELDS]
            + ["seconds"],
        )
        self.phase = "epochs"
        self.epoch = 0
        self.seconds_before = self.weighting_before = 0.0

    def _build_network(self, loss: PhysicsLoss) -> FieldNetwork:
        cfg = self.cfg
        network = FieldNetwork(
            loss.system,
            list(cfg.network.hidden),
            activation=cfg.network.activation,
            conditions=cfg.problem.conditions,
            scaling=cfg.problem.scaling,
            scales=cfg.problem.scales,
            seed=cfg.seed,
        )
        return network.to(self.device)

    def _build_session(self) -> Any:
        from pinn_ext.dde.callback import AdaptiveWeights
        from pinn_ext.dde.graph_data import GraphData
        from pinn_ext.dde.session import Session

        cfg, loss = self.cfg, self.loss
        graphs, validation = (
            SnapshotGraphs(
                loss.system,
                count,
                step=cfg.dataset.step,
                nodes_per_side=cfg.dataset.nodes_per_side,
                seed=seed,
            )
            for count, seed in (
                (cfg.dataset.num_graphs, cfg.seed),
                (cfg.dataset.num_validation, cfg.seed + _VALIDATION_SEED),
            )
        )
        data = GraphData(
            loss,
            graphs,
            validation,
            batch_size=cfg.dataset.batch_size,
            seed=cfg.seed,
            device=self.device,
        )
        adaptive = cfg.training.loss.adaptive
        self.strategy = schema.strategy_of(adaptive)
        weights = AdaptiveWeights(
            self.strategy,
            names=loss.names,
            period=data.batches_per_epoch,
            verbose=0,
            **{
                key: getattr(adaptive, key)
                for key in schema.Adaptive.__dataclass_fields__
                if key not in ("enabled", "strategy")
            },
        )
        self.initial = {name: getattr(cfg.training.loss, WEIGHT_KEYS[name]) for name in loss.names}
        return Session(
            data,
            self.network,
            weights,
            list(self.initial.values()),
            after_epoch=self._after_epoch,
            after_step=lambda: self.interrupts.signal is not None,
        )

    # ---- training -----------------------------------------------------------------------------

    def execute(self, saved: Mapping[str, Any] | None) -> dict[str, Any]:
        """Train from the start or from a checkpoint; report however it ends."""
        training = self.cfg.training
        self._start(saved)
        message = None
        with Progress(training.epochs, self.epoch if self.phase == "epochs" else None) as progress:
            self._progress = progress
            progress.write(log_lines.banner(self.strategy, self.initial))
            if saved is not None:
                progress.write(self._resumed_line(saved))
            try:
                if self.phase == "epochs":
                    self.session.train_epochs(training.epochs)
                self._lbfgs_phase()
                message = self.session.weights.stopped
            except checkpoints.RunError as error:
                message = str(error)
        return self._finish(message)

    def _start(self, saved: Mapping[str, Any] | None) -> None:
        report.write_config(self.folder, schema.as_dict(self.cfg))
        if saved is None or saved["phase"] == "epochs":
            training = self.cfg.training
            self.session.compile(training.optimizer, training.learning_rate, training.weight_decay)
        else:
            self.session.compile_lbfgs()
        if saved is None:
            self.history.start()
            self._save()
            return
        self.session.load_state_dict(saved)
        self.phase, self.epoch = saved["phase"], saved["epoch"]
        self.seconds_before = saved["seconds_training"]
        self.weighting_before = saved["seconds_weighting"]
        self.history.resume(saved["rows"])
        _set_random_state(saved["random_state"])
        self._save()

    def _resumed_line(self, saved: Mapping[str, Any]) -> str:
        if self.phase == "lbfgs":
            done = f"L-BFGS iteration {self.epoch}"
            over = saved["lbfgs_over"] or self.epoch >= self.cfg.training.lbfgs_iterations
        else:
            done = f"epoch {self.epoch} of {self.cfg.training.epochs}"
            over = self.epoch >= self.cfg.training.epochs and not self.cfg.training.lbfgs_iterations
        if over:
            return f"The run is finished ({done}): nothing to train."
        return f"Resumed after {done}."

    def _lbfgs_phase(self) -> None:
        iterations = self.cfg.training.lbfgs_iterations
        stopped = self.session.weights.stopped or self.interrupts.signal
        if not iterations or stopped:
            return
        if self.phase == "epochs":
            self.phase, self.epoch = "lbfgs", 0
            self.session.compile_lbfgs()
            if self.cfg.training.weight_decay:
                self._progress.write("L-BFGS: weight decay is left out.")
            self._progress.write("L-BFGS: all graphs in one batch, loss weights frozen.")
        self.session.train_lbfgs(iterations)
        if self.session.lbfgs_done < iterations and not (
            self.session.weights.stopped or self.interrupts.signal
        ):
            self._progress.write(
                f"L-BFGS has converged after {self.session.lbfgs_done} iterations."
            )

    def _after_epoch(self, number: int) -> None:
        """Log an epoch, or a block of L-BFGS; then the checkpoint may say that it is done."""
        weights = self.session.weights
        self.epoch = number
        if self.phase == "epochs":
            entry = weights.history[-1]
            losses, new = entry["losses"], entry["weights"]
        else:
            losses, new = self.session.raw_losses(), weights.history[-1]["weights"]
        used = self._weights_in_force(new)
        errors = self.evaluator.errors(self.network)
        row = {"epoch": number, "phase": self.phase}
        row |= dict(zip(self.names, losses, strict=True))
        row |= {f"weight_{n}": w for n, w in zip(self.names, new, strict=True)}
        row |= {f"validation_{n}": v for n, v in self._validation().items()}
        row |= {f"error_{n}": error for n, error in errors.items()}
        row["seconds"] = round(self._seconds(), 3)
        self.history.append(row)
        self._save()
        self._print_epoch(number, losses, used, new, errors)

    def _weights_in_force(self, new: list[float]) -> list[float]:
        """Return the weights of the epoch that is over: those after the epoch before."""
        if self.phase != "epochs":
            return new
        if not self.history.rows:
            return list(self.initial.values())
        return [self.history.rows[-1][f"weight_{name}"] for name in self.names]

    def _print_epoch(
        self,
        number: int,
        losses: list[float],
        used: list[float],
        new: list[float],
        errors: dict[str, float],
    ) -> None:
        training, write = self.cfg.training, self._progress.write
        manager = self.session.weights.manager
        if number == 1 and self.phase == "epochs" and manager.equalizes and manager.updates:
            write(log_lines.equalized(number, self.names, losses, new))
        last = training.epochs if self.phase == "epochs" else training.lbfgs_iterations
        due = number in (1, last)
        in_blocks = self.phase == "lbfgs"
        if due or in_blocks or number % training.log_every == 0:
            total = sum(w * loss for w, loss in zip(used, losses, strict=True))
            named = dict(zip(self.names, losses, strict=True))
            phase = "L-BFGS" if in_blocks else "Epoch"
            write(log_lines.epoch_line(number, total, named, errors, phase=phase))
        if due or (not in_blocks and number % training.log_weights_every == 0):
            write(log_lines.weights_line(dict(zip(self.names, new, strict=True))))
        if not in_blocks:
            self._progress.advance(number)

    def _validation(self) -> dict[str, float]:
        batch = self.session.data.validation.detached()
        batch.inputs.requires_grad_()
        losses = self.loss(self.network, batch, self.network(batch.inputs))
        return {name: loss.item() for name, loss in zip(self.names, losses, strict=True)}

    # ---- leaving ------------------------------------------------------------------------------

    def _seconds(self) -> float:
        return self.seconds_before + self.session.training_seconds()

    def _save(self) -> None:
        content = {
            **self.session.state_dict(),
            "config": schema.as_dict(self.cfg),
            "choices": dict(self.info.choices),
            "phase": self.phase,
            "epoch": self.epoch,
            "lbfgs_over": self.session.lbfgs_over,
            "rows": len(self.history.rows),
            "random_state": _random_state(),
            "seconds_training": self._seconds(),
            "seconds_weighting": self.weighting_before + self.session.weights.seconds,
        }
        checkpoints.save(self.folder / checkpoints.FILE_NAME, content)

    def _finish(self, message: str | None) -> dict[str, Any]:
        interrupted = self.interrupts.signal is not None and message is None
        if interrupted or message is not None:
            # What is reported is what can be resumed: the last complete epoch.
            saved = checkpoints.load(self.folder / checkpoints.FILE_NAME)
            self.network.load_state_dict(saved["model_state_dict"])
        status = "failed" if message else "interrupted" if interrupted else "ok"
        content = self._report(status, message)
        report.write(self.folder, content)
        report.draw(self.folder, content, self.history, self.loss.system, self.network)
        print(report.summary(content, self.folder), flush=True)
        return content

    def _report(self, status: str, message: str | None) -> dict[str, Any]:
        cfg, rows = self.cfg, self.history.rows
        floor = self._floor()
        weights = {n: rows[-1][f"weight_{n}"] for n in self.names} if rows else dict(self.initial)
        return {
            "problem": cfg.problem.name,
            "strategy": self.strategy,
            "seed": cfg.seed,
            "epochs": max((r["epoch"] for r in rows if r["phase"] == "epochs"), default=0),
            "lbfgs_iterations": max((r["epoch"] for r in rows if r["phase"] == "lbfgs"), default=0),
            "terms": list(self.names),
            "raw_losses_first": {n: rows[0][n] for n in self.names} if rows else None,
            "raw_losses_last": {n: rows[-1][n] for n in self.names} if rows else None,
            "weights_last": weights,
            "relative_l2": self.evaluator.errors(self.network),
            "relative_l2_trivial": self.evaluator.trivial(cfg.problem.conditions),
            "rk4_floor": dict(zip(FIELDS, floor.tolist(), strict=True)),
            "best_epoch": report.best_epoch(rows, self.names),
            "seconds_training": self._seconds(),
            "seconds_weighting": self.weighting_before + self.session.weights.seconds,
            "status": status,
            "message": message,
            "experiment": cfg.experiment.name,
            "conditions": cfg.problem.conditions,
            "scaling": cfg.problem.scaling,
            "overrides": list(self.info.overrides),
            "job": self.info.job,
        }

    def _floor(self) -> Tensor:
        """Return the RK4 loss that the exact solution scores, in float64, free of rounding."""
        with torch.no_grad(), torch.device("cpu"):
            return self.loss.floor(self.session.data.exact_batch())


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or (device.type == "cuda" and not _has_cuda(device)):
        raise ValueError(f"`device` must be auto, cpu or a GPU of this machine, got {name!r}.")
    return device


def _has_cuda(device: torch.device) -> bool:
    return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()


def _random_state() -> dict[str, Any]:
    name, keys, position, has_gauss, gauss = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "numpy": [
            str(name),
            [int(key) for key in keys],
            int(position),
            int(has_gauss),
            float(gauss),
        ],
        "python": random.getstate(),
    }


def _set_random_state(state: Mapping[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    name, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), position, has_gauss, gauss))
    version, internal, gauss_next = state["python"]
    random.setstate((version, tuple(internal), gauss_next))
