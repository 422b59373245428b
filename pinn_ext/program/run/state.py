"""What the stages of a run hand on, and what a checkpoint holds of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pinn_ext import random_state, schema
from pinn_ext.program import checkpoints
from pinn_ext.program.build import Built, Checked, build
from pinn_ext.program.machine import out_of_memory
from pinn_ext.program.machine.cost import Cost
from pinn_ext.program.machine.devices import describe
from pinn_ext.program.problem import files_of
from pinn_ext.program.ranks import environment as ranks
from pinn_ext.program.run_info import Info
from pinn_ext.program.slabs.chain import Slabs
from pinn_ext.program.slabs.part import Part
from pinn_ext.reports.weight_tables import RunTables


class RunState:
    """A run between two of its epochs; before `build` there is no part and there are no tables.

    Args:
        checked: the configuration.
        folder: of the run.
        info: how it was started.

    Attributes:
        cfg: the configuration, and `config` the same as plain values.
        system: over all times.
        files: what a checkpoint says of the files that the run is made of.
        slabs: that the run goes through.
        part: what is trained in the slab at work.
        tables: those beside the history.
        seconds_before: of training before the part was built, and `weighting_before` of weighting.
        cost: counts what the run costs.
    """

    part: Part
    tables: RunTables

    def __init__(self, checked: Checked, folder: Path, info: Info) -> None:
        self.cfg, self.folder, self.info, self.device = checked.cfg, folder, info, checked.device
        self.config = schema.as_dict(self.cfg)
        self.system = checked.loss.system
        self.slabs = Slabs(checked)
        self.seconds_before = self.weighting_before = 0.0
        self.cost = Cost(checked.device)
        self.files = files_of(self.system, checked.inputs)

    @property
    def built(self) -> Built:
        """What the present part of the run is made of."""
        return self.part.built

    @property
    def checkpoint(self) -> Path:
        """The file that the run can be gone on from."""
        return self.folder / checkpoints.FILE_NAME

    def seconds(self) -> float:
        """Return how long the training has taken, in all slabs and in former processes too."""
        return self.seconds_before + self.part.model.training_seconds()

    def weighting_seconds(self) -> float:
        """Return how much of it was spent on the loss weights."""
        return self.weighting_before + self.built.weights.seconds

    def build(self) -> None:
        """Build what is trained in the slab at work, which is the first that this process has."""
        self._build_part()
        self.tables = RunTables(self.folder, self.built.weights, self.slabs.number_if_divided)

    def build_next(self) -> None:
        """Build what is trained in the next slab, in the place of the part before it."""
        history = self.built.log.history
        self.seconds_before, self.weighting_before = self.seconds(), self.weighting_seconds()
        # A device may not have room for the graphs of two slabs.
        self.tables.leave()
        del self.part
        out_of_memory.release(self.device)
        self._build_part()
        self.built.log.history = history
        self.tables.follow(self.built.weights, self.slabs.number)

    def _build_part(self) -> None:
        built = build(self.slabs.checked(), self.folder)
        self.slabs.warm(built.network)
        self.part = Part(self.cfg, built, self.folder, self.slabs.networks_dict())

    def for_followers(self) -> dict[str, Any]:
        """Return what a process that trains along has to take up."""
        weights = self.built.weights.state_dict()  # with the rows that a checkpoint leaves out
        state = {**self.part.state_dict(), "adaptive_weights_state": weights}
        return {**state, "random_state": random_state.get_state()}

    def save(self, others: Mapping[Path, bytes | None] | None = None) -> None:
        """Write the checkpoint.

        Args:
            others: files that change with it, see `checkpoints.save`.

        Raises:
            RunError: if it cannot be written.
        """
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
            "seconds_training": self.seconds(),
            "seconds_weighting": self.weighting_seconds(),
        }
        checkpoints.save(self.checkpoint, content, others)
