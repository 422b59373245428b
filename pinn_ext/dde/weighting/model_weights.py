"""The weights of one DeepXDE model: where they start, how they move, who hands them on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pinn_ext.adaptive_weights import AdaptiveLossWeights, WeightSettings
from pinn_ext.adaptive_weights.updater import Updater
from pinn_ext.checks import check_names
from pinn_ext.dde.messages import weights_text
from pinn_ext.dde.model import optimizers
from pinn_ext.dde.model.field_scales import (
    check_field_scales,
    condition_names,
    field_scales,
    shared,
)
from pinn_ext.dde.model.loss_terms import derive_names, weights_list
from pinn_ext.dde.model.notes import LastTraining, follows_first_order, note, notes_of
from pinn_ext.measurements import processes


class ModelWeights:
    """Keeps `model.loss_weights` equal to what `AdaptiveLossWeights` says.

    Args:
        settings: of the weights; their strategy weighs terms.
        names: distinct names of the loss terms, None derives them from the model's data.
        scales: size of the field of each term, None takes it from the model's data; only for
            strategies that ask for it.
        say: called with each line for the user.

    Attributes:
        settings: as given.
        first: the weights that the training started from.
        taken_up: whether they come from the training of another callback.
        left_behind: whether they start from ones although an earlier training had others.
    """

    def __init__(
        self,
        settings: WeightSettings,
        names: list[str] | None,
        scales: Sequence[float] | None,
        say: Callable[[str], None],
    ) -> None:
        self.settings, self._names, self._scales, self._say = settings, names, scales, say
        self.first: list[float] = []
        self.taken_up = self.left_behind = False
        self._updater: Updater | None = None
        self._assigned: Tensor | None = None

    @property
    def manager(self) -> AdaptiveLossWeights | None:
        """The `AdaptiveLossWeights` at work, None before the first losses."""
        return None if self._updater is None else self._updater.manager

    def start_on(self, model: Any, terms: Sequence[Tensor]) -> bool:
        """Take up a model whose first losses of a training are known.

        Weights of an earlier training go on; those that a user has set since are started from.
        Where `compile` gave none they start from ones, but for a second-order training that
        follows a first-order one: it goes on with those that `compile` dropped.

        Args:
            model: a compiled DeepXDE model.
            terms: its loss terms, numbers.

        Returns:
            Whether the weights start from the beginning.

        Raises:
            ValueError: if names, weights or losses do not fit each other.
        """
        num_terms = len(terms)
        names = self._names or derive_names(model.data, num_terms)
        processes.check_same(names=list(names), num_terms=num_terms, **self.settings.as_dict())
        if len(names) != num_terms:
            raise ValueError(
                f"`names` must hold one name for each of {num_terms} loss terms, got {names}."
            )
        if self._scales is not None:
            check_field_scales(self._scales, names)
        shapes = {name: list(term.shape) for name, term in zip(names, terms, strict=True)}
        if any(shapes.values()):
            raise ValueError(f"Each loss term must be one number (shape []), got {shapes}.")
        starts = not self._goes_on(model, names)
        if starts:
            self._start(model, names)
        updates = 0 if self._updater is None else self._updater.epoch
        processes.check_same(loss_weights=self.values(), updates=updates)
        return starts

    def start_from(self, model: Any, weights: Sequence[float]) -> None:
        """Take up a model and give it weights `[k]`; as `start_on`, without its losses.

        Args:
            model: a compiled DeepXDE model.
            weights: one number a term.

        Raises:
            ValueError: if they do not fit the settings.
        """
        model.loss_weights = list(weights)
        self.start_on(model, [torch.zeros((), device="cpu")] * len(weights))

    def _goes_on(self, model: Any, names: Sequence[str]) -> bool:
        """Return whether the weights are those of an earlier training; put them back if need be."""
        given = model.loss_weights
        if self.manager is None or self.manager.loss_names != names:
            return False
        if given is None and _to_take_up(model) == self.values():
            self.assign_to(model)
            self._say(f"weights that compile() dropped are back: {self.text()}")
            return True
        return given is not None and given is self._assigned

    def _start(self, model: Any, names: list[str]) -> None:
        """Start from the weights that the model has, or was left with by another callback."""
        given, num_terms = model.loss_weights, len(names)
        before = notes_of(model).loss_weights if given is None else None
        handed = _to_take_up(model) if given is None else None
        if handed is not None and len(handed) != num_terms:
            handed = None
        self.first = handed or weights_list(given, num_terms, names)
        self._updater = self._new_updater(names, self.first, model)
        self.assign_to(model)
        self.taken_up = handed is not None
        self.left_behind = handed is None and before not in (None, self.first)

    def acts_next(self) -> bool:
        """Return whether the strategy will look at the period under way."""
        return self._updater is not None and self._updater.acts_next()

    def update(self, model: Any, losses: Sequence[float], **statistics: Any) -> float:
        """Show the strategy a period and give the model the weights that follow.

        Args:
            model: a compiled DeepXDE model.
            losses: mean raw loss of each term `[k]`, of this process.
            **statistics: what else `AdaptiveLossWeights.update` takes.

        Returns:
            By which factor the weighted sum of these losses has changed.
        """
        if self._updater is None:
            return 1.0
        if self._updater.update(losses, **statistics):
            self.assign_to(model)
        return self._updater.jump

    def confirm(self) -> None:
        """Take the weights in force as good: a period under them went well."""
        if self.manager is not None:
            self.manager.confirm()

    def roll_back(self, model: Any, why: str) -> float:
        """Give the model the weights before the last update, if no period under it went well.

        Args:
            model: a compiled DeepXDE model.
            why: for the log of events.

        Returns:
            By which factor the weighted sum of the losses has changed.
        """
        jump = None if self._updater is None else self._updater.roll_back(why)
        if jump is None:
            return 1.0
        self.assign_to(model)
        return jump

    def take_events(self, step: int) -> list[dict[str, Any]]:
        """Return what has happened since the last call, one plain row an event."""
        if self.manager is None:
            return []
        rows = [{"step": step, **event._asdict()} for event in self.manager.events]
        self.manager.events.clear()
        return rows

    @property
    def names(self) -> list[str]:
        """Names of the loss terms, in DeepXDE's order."""
        return self.manager.loss_names if self.manager else []

    def values(self) -> list[float]:
        """Return the weights in force, in the order of the terms."""
        return [] if self._updater is None else self._updater.weights()

    def text(self) -> str:
        """Return the weights in force on one line."""
        return weights_text(self.manager.get_weights()) if self.manager else ""

    @torch.inference_mode(False)  # a tensor of inference could take no part in a backward pass
    def assign_to(self, model: Any) -> None:
        """Give a model its weights as a fresh tensor on the network's device."""
        if self._updater is None:
            return
        weights, parameter = self._updater.weights(), next(model.net.parameters())
        self._assigned = torch.tensor(weights, dtype=parameter.dtype, device=parameter.device)
        model.loss_weights = self._assigned
        note(model, loss_weights=weights)

    def _new_updater(self, names: Sequence[str], weights: Sequence[float], model: Any) -> Updater:
        scales = None
        if "field_scales" in self.settings.method.needs:
            given = field_scales(model, names) if self._scales is None else self._scales
            sizes = shared(check_field_scales(given, names))
            scales = dict(zip(names, sizes, strict=True))
        manager = AdaptiveLossWeights.from_settings(
            names,
            dict(zip(names, weights, strict=True)),
            self.settings,
            field_scales=scales,
            conditions=condition_names(model.data, names),
        )
        return Updater(manager, processes.mean_of_numbers)

    # ---- saving -------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain numbers and lists."""
        own = self._updater
        return {
            "manager": None if own is None else own.manager.state_dict(),
            "epoch": 0 if own is None else own.epoch,
            "jump": 1.0 if own is None else own.jump,
            "first_weights": list(self.first),
        }

    def load_state_dict(self, state: dict[str, Any], model: Any) -> None:
        """Continue from what `state_dict` returned and give the model its weights.

        Args:
            state: the saved state.
            model: the compiled model that will be trained next.

        Raises:
            ValueError: if the state is incomplete, or belongs to another strategy or other names.
        """
        check_names("The saved state", self.state_dict(), state)
        saved = state["manager"]
        if saved is not None:
            names = saved["loss_names"]
            wanted = {"strategy": self.settings.strategy, "loss_names": self._names or names}
            for key, own in wanted.items():
                if saved[key] != own:
                    raise ValueError(
                        f"The saved state must have {key} {own!r}, got {saved[key]!r}."
                    )
            updater = self._new_updater(names, saved["initial_weights"], model)
            updater.manager.load_state_dict(saved)
            updater.epoch, updater.jump = state["epoch"], state["jump"]
            self._updater = updater
            self.assign_to(model)
            # What is loaded is the last training: the phase that comes next may follow from it.
            note(model, last_training=LastTraining(not optimizers.has_one_objective(model)))
        self.first = list(state["first_weights"])


def _to_take_up(model: Any) -> list[float] | None:
    """Return the weights that a training takes up where `compile` gave none, None for ones."""
    goes_on = optimizers.has_one_objective(model) and follows_first_order(model)
    return notes_of(model).loss_weights if goes_on else None
