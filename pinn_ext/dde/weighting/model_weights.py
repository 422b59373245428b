"""The weights of one DeepXDE model: where they start, how they move, who hands them on."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pinn_ext import strategies
from pinn_ext.adaptive_weights import AdaptiveLossWeights
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
from pinn_ext.measurements import processes

# The last weights of each model, for a new callback after the model was compiled again.
_LAST: weakref.WeakKeyDictionary[Any, list[float]] = weakref.WeakKeyDictionary()


class ModelWeights:
    """Keeps `model.loss_weights` equal to what `AdaptiveLossWeights` says.

    Args:
        settings: keyword arguments of `AdaptiveLossWeights`.
        names: of the loss terms, None derives them from the model's data.
        say: called with each line for the user.

    Attributes:
        manager: the `AdaptiveLossWeights` at work, None before the first losses.
        first: the weights that the training started from.
        taken_up: whether they come from the training of another callback.

    Raises:
        ValueError: if a setting or a name is out of range.
    """

    def __init__(
        self, settings: dict[str, Any], names: Sequence[str] | None, say: Callable[[str], None]
    ) -> None:
        # Refuse bad arguments here, not after the first pass over the network.
        groups = settings["groups"] or {}
        grouped = [term for members in groups.values() for term in members]
        trial = (list(dict.fromkeys(grouped)) or ["term"]) if names is None else names
        start = dict.fromkeys(trial, settings["min_weight"])
        scales = dict.fromkeys(trial, 1.0)
        AdaptiveLossWeights(trial, start, **{**settings, "field_scales": scales})
        self._settings = settings
        self._names = None if names is None else list(names)
        self._say = say
        self.manager: AdaptiveLossWeights | None = None
        self.first: list[float] = []
        self.taken_up = False
        self._epoch = 0
        self._jump = 1.0
        self._assigned: Tensor | None = None

    def meet(self, model: Any, terms: Sequence[Tensor]) -> bool:
        """Take up a model whose first losses of a training are known.

        Weights of an earlier training go on; those that `compile` dropped are put back; those
        that a user has set since are started from.

        Args:
            model: a compiled DeepXDE model.
            terms: its loss terms, numbers.

        Returns:
            Whether the weights start anew.

        Raises:
            ValueError: if names, weights or losses do not fit each other.
        """
        num_terms = len(terms)
        names = self._names or derive_names(model.data, num_terms)
        settings = {key: self._settings[key] for key in self._settings if key != "field_scales"}
        processes.check_same(names=list(names), num_terms=num_terms, **settings)
        if len(names) != num_terms:
            raise ValueError(
                f"`names` must hold one name for each of {num_terms} loss terms, got {names}."
            )
        shapes = {name: list(term.shape) for name, term in zip(names, terms, strict=True)}
        if any(shapes.values()):
            raise ValueError(f"Each loss term must be one number (shape []), got {shapes}.")
        anew = not self._goes_on(model, names)
        if anew:
            self._start(model, names)
        processes.check_same(loss_weights=self.values(), updates=self._epoch)
        return anew

    def _goes_on(self, model: Any, names: Sequence[str]) -> bool:
        """Return whether the weights are those of an earlier training; put them back if need be."""
        given = model.loss_weights
        if self.manager is None or self.manager.loss_names != names:
            return False
        if given is None:
            self._assign(model, self.manager)
            self._say(f"weights that compile() dropped are back: {self.text()}")
        return given is None or given is self._assigned

    def _start(self, model: Any, names: list[str]) -> None:
        """Start from the weights that the model has, or was left with by another callback."""
        given, num_terms = model.loss_weights, len(names)
        handed = _LAST.get(model) if given is None else None
        if handed is not None and len(handed) != num_terms:
            handed = None
        self.first = handed or weights_list(given, num_terms, names)
        self._epoch = 0
        self.manager = self._manager(names, self.first, model)
        self._assign(model, self.manager)
        self.taken_up = handed is not None

    def hand_over(self, model: Any) -> None:
        """Give a model the weights in force, as another object has set it others."""
        if self.manager is not None:
            self._assign(model, self.manager)

    @property
    def needs(self) -> frozenset[str]:
        """The statistics that the strategy reads."""
        return strategies.create(self._settings["strategy"], self._settings["options"]).needs

    def acts_next(self) -> bool:
        """Return whether the strategy will look at the period under way."""
        return self.manager is not None and self.manager.acts_at(self._epoch + 1)

    def update(self, model: Any, losses: Sequence[float], **statistics: Any) -> float:
        """Show the strategy a period and give the model the weights it answers.

        Args:
            model: a compiled DeepXDE model.
            losses: mean raw loss of each term `[k]`, of this process.
            **statistics: what else `AdaptiveLossWeights.update` takes.

        Returns:
            By which factor the weighted sum of these losses has changed.
        """
        if self.manager is None:
            return 1.0
        self._epoch += 1
        self._jump = 1.0
        old = self.values()
        losses = processes.mean_of_numbers(losses)
        named = dict(zip(self.manager.loss_names, losses, strict=True))
        self.manager.update(self._epoch, named, **statistics)
        new = self.values()
        if new == old:
            return 1.0
        self._assign(model, self.manager)
        before = sum(weight * loss for weight, loss in zip(old, losses, strict=True))
        after = sum(weight * loss for weight, loss in zip(new, losses, strict=True))
        self._jump = after / before if before > 0 else 1.0
        return self._jump

    def settle(self) -> None:
        """Take the weights in force as good: a period under them went well."""
        if self.manager is not None:
            self.manager.settle()

    def roll_back(self, model: Any, why: str) -> float:
        """Give the model the weights before the last update, if no period under it went well.

        Args:
            model: a compiled DeepXDE model.
            why: for the log of events.

        Returns:
            By which factor the weighted sum of the losses has changed.
        """
        if self.manager is None or not self.manager.roll_back(why):
            return 1.0
        self._assign(model, self.manager)
        return 1.0 / self._jump if self._jump > 0.0 else 1.0

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
        return list(self.manager.get_weights().values()) if self.manager else []

    def text(self) -> str:
        """Return the weights in force on one line."""
        return weights_text(self.manager.get_weights()) if self.manager else ""

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain numbers and lists."""
        return {
            "manager": None if self.manager is None else self.manager.state_dict(),
            "epoch": self._epoch,
            "jump": self._jump,
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
            for key, own in (
                ("strategy", self._settings["strategy"]),
                ("loss_names", self._names or names),
            ):
                if saved[key] != own:
                    raise ValueError(
                        f"The saved state must have {key} {own!r}, got {saved[key]!r}."
                    )
            manager = self._manager(names, saved["initial_weights"], model)
            manager.load_state_dict(saved)
            self.manager = manager
            self._assign(model, manager)
        self._epoch, self._jump = state["epoch"], state["jump"]
        self.first = list(state["first_weights"])

    def _manager(
        self, names: Sequence[str], weights: Sequence[float], model: Any
    ) -> AdaptiveLossWeights:
        start = dict(zip(names, weights, strict=True))
        settings = {**self._settings, "conditions": condition_names(model.data, names)}
        if "field_scales" in strategies.create(settings["strategy"], settings["options"]).needs:
            given = settings["field_scales"]
            scales = field_scales(model, names) if given is None else given
            scales = shared(check_field_scales(scales, names))
            settings["field_scales"] = dict(zip(names, scales, strict=True))
        else:
            settings["field_scales"] = None
        return AdaptiveLossWeights(names, start, **settings)

    def _assign(self, model: Any, manager: AdaptiveLossWeights) -> None:
        """Give the model its weights as a fresh tensor on the network's device."""
        weights = list(manager.get_weights().values())
        parameter = next(model.net.parameters())
        self._assigned = torch.tensor(weights, dtype=parameter.dtype, device=parameter.device)
        model.loss_weights = self._assigned
        _LAST[model] = weights


def rescale_moments(model: Any, jump: float) -> bool:
    """Scale the optimiser's moments after a jump of the weighted sum by more than 2.

    Args:
        model: a compiled DeepXDE model.
        jump: factor by which the weighted sum has changed.

    Returns:
        Whether the moments were scaled.
    """
    if 0.5 <= jump <= 2.0 or jump <= 0.0:
        return False
    optimizers.rescale_moments(model.opt, jump)
    return True
