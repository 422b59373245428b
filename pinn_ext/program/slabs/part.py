"""One network on its way through the phases of a run: that of a slab, or of all times."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinn_ext.checks import ArgumentError, check_number
from pinn_ext.networks import FieldNetwork
from pinn_ext.networks.saved_parameters import check_parameters
from pinn_ext.program.build import Built
from pinn_ext.program.checkpoints.best_network import BestNetwork
from pinn_ext.program.checkpoints.parts import check_optimizer, damaged
from pinn_ext.program.phases import graph_model, phases_of, trained_throughout
from pinn_ext.reports.weight_tables import without_rows
from pinn_ext.schema import Config

if TYPE_CHECKING:
    from pinn_ext.dde.phases import Phase


class Part:
    """What is trained at a time, with the phase that it is in.

    Args:
        cfg: the configuration.
        built: what it is made of.
        folder: of the run.
        others: what the file of the best network holds beside it.

    Attributes:
        built: as given.
        model: the network as a DeepXDE model on the graphs.
        phases: all of them, in their order.
        phase: the one at work.
        best: keeps the best network.
    """

    def __init__(
        self, cfg: Config, built: Built, folder: Path, others: Mapping[str, Any] | None = None
    ) -> None:
        self.built = built
        self.model = graph_model(cfg, built)
        self.phases = phases_of(cfg, built, self.model)
        self.phase: Phase = self.phases.epochs
        throughout = trained_throughout(cfg, built.initial)
        self.best = BestNetwork(folder, throughout, others)
        self._keeps_best = cfg.training.keep == "best"

    @property
    def kept(self) -> FieldNetwork:
        """The network that a finished training leaves: the last, or the best one."""
        network = self.built.network
        return self.best.network(network) if self._keeps_best else network

    def coming(self) -> list[Phase]:
        """Return the phases after the present one that there is anything to do in."""
        after = self.phases.index(self.phase) + 1
        return [phase for phase in self.phases[after:] if phase.length]

    def compile(self, phase: Phase) -> None:
        """Make the model ready for a phase, which may be measured in another float type."""
        phase.compile()
        validation = phase.validation()
        if validation is not self.built.log.validation:
            self.built.measure_on(validation)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds of the training, the rows of tables left out."""
        state = self.model.state_dict()
        return {
            **state,
            "adaptive_weights_state": without_rows(state["adaptive_weights_state"]),
            **{key: value for phase in self.phases for key, value in phase.state_dict().items()},
            "phase": self.phase.name,
            "epoch": self.phase.done,
            "best": self.best.mark,
        }

    def go_on_in(self, saved: Mapping[str, Any], file: Path) -> None:
        """Put the state of a checkpoint into the model and the phases.

        Args:
            saved: its content, with the rows of tables.
            file: that it was read from.

        Raises:
            ArgumentError: if it does not fit, which comes out as a RunError that names the file.
        """
        self.phase = next(phase for phase in self.phases if phase.name == saved["phase"])
        self.compile(self.phase)
        with damaged(file):
            check_parameters(self.built.network, saved["model_state_dict"])
            check_optimizer(self.model.model.opt, saved["optimizer_state_dict"])
            self.model.load_state_dict(saved)
            for phase in self.phases:
                phase.load_state_dict(saved)
            self.phase.done = check_number("epoch", saved["epoch"], 0, self.phase.length)
            if self.phase.made() != self.phase.done:
                raise ArgumentError("epoch", f"be {self.phase.made()}, as made", self.phase.done)
