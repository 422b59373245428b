"""What this package notes on a `dde.Model`, for callbacks and trainings that come later."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

_ATTRIBUTE = "pinn_ext_notes"


class LastTraining(NamedTuple):
    """The last training of a model that a callback of this package has seen.

    Attributes:
        first_order: whether its steps had no curvature that belongs to one objective.
        step: the number of steps that it has ended at, None while it runs or if it was broken off.
    """

    first_order: bool
    step: int | None = None


class OwnSteps(NamedTuple):
    """A loop of our own that makes the steps of a model.

    Attributes:
        name: that users read, such as `Gauss-Newton`.
        frozen: whether the loss weights must stay.
        searches: whether a step may evaluate the loss often; where a trial of it is not finite,
            that is a matter of the search.
        loop: the loop itself, whose `state_dict` can be saved between two steps.
    """

    name: str
    frozen: bool
    searches: bool
    loop: Any = None


class SavedTraining(NamedTuple):
    """What a training was broken off with, for the next one of its kind to go on from.

    Attributes:
        name: of the loop, as in `OwnSteps`, or of the class of an optimiser.
        state: what its `state_dict` had returned.
        source: where it comes from, for messages.
    """

    name: str
    state: Any
    source: str


@dataclass(frozen=True)
class ModelNotes:
    """Kept on the model, so that it is seen there, and goes with it.

    Attributes:
        loss_weights: those in force last `[k]`; a second-order training after a first-order one
            takes them up where the model was compiled again, which drops DeepXDE's own.
        ended: why the last training by a loop of ours ended, and at which step, for who has asked
            by `ask_for_end`.
        last_training: what they were in force in.
        point_weights: what the last point weights were: strategy, tables, number of loss terms.
        own_steps: what makes the steps while one of our own loops does, instead of the compiled
            optimiser; None otherwise.
        broken_off: state of a loop of ours, or of an optimiser that is not compiled yet.
    """

    loss_weights: list[float] | None = None
    ended: tuple[str, int] | None = None
    last_training: LastTraining | None = None
    point_weights: tuple[Any, Any, int] | None = None
    own_steps: OwnSteps | None = None
    broken_off: SavedTraining | None = None


def notes_of(model: Any) -> ModelNotes:
    """Return the notes on a model, empty ones where there are none."""
    return vars(model).get(_ATTRIBUTE) or ModelNotes()


def follows_first_order(model: Any) -> bool:
    """Return whether the last training of a model was a first-order one that left its notes here.

    Args:
        model: a DeepXDE model.

    Returns:
        False also if the model was trained by others since.
    """
    last = notes_of(model).last_training
    if last is None or not last.first_order:
        return False
    return last.step in (None, model.train_state.step)


def note(model: Any, **changes: Any) -> None:
    """Change some of the notes on a model; nothing is left on it once all are empty.

    Args:
        model: a DeepXDE model.
        **changes: attributes of `ModelNotes`.
    """
    notes = replace(notes_of(model), **changes)
    if notes != ModelNotes():
        setattr(model, _ATTRIBUTE, notes)
    elif _ATTRIBUTE in vars(model):
        delattr(model, _ATTRIBUTE)


def ask_for_end(model: Any) -> None:
    """Let the trainings to come leave word of why they ended, which otherwise leave nothing.

    Args:
        model: a DeepXDE model.
    """
    note(model, ended=("", -1))


def tell_end(model: Any, why: str | None) -> None:
    """Note why a training has ended, if somebody has asked.

    Args:
        model: a DeepXDE model.
        why: in words.
    """
    if why is not None and notes_of(model).ended is not None:
        note(model, ended=(why, model.train_state.step))


def take_broken_off(model: Any, name: str) -> SavedTraining | None:
    """Return what a training of a kind was broken off with, once.

    Args:
        model: a DeepXDE model.
        name: of the loop, or of the class of the optimiser, that would go on.

    Returns:
        None if there is nothing, or that of another kind, which stays.
    """
    saved = notes_of(model).broken_off
    if saved is None or saved.name != name:
        return None
    note(model, broken_off=None)
    return saved


def take_end(model: Any) -> str | None:
    """Return why the last training of a model ended, and leave nothing on it.

    Args:
        model: a DeepXDE model.

    Returns:
        None if the last training was none by a loop of ours.
    """
    ended = notes_of(model).ended
    note(model, ended=None)
    return ended[0] if ended is not None and ended[1] == model.train_state.step else None
