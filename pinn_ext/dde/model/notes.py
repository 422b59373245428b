"""What this package notes on a `dde.Model`, for callbacks and trainings that come later."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

_ATTRIBUTE = "pinn_ext_notes"


@dataclass(frozen=True)
class ModelNotes:
    """Kept on the model, so that it is seen there, and goes with it.

    Attributes:
        loss_weights: those in force last `[k]`; a new callback takes them up after the model was
            compiled again, which drops DeepXDE's own.
        point_weights: what the last point weights were: strategy, tables, number of loss terms.
        gauss_newton: whether loss weights must stay, while Gauss-Newton makes the steps instead of
            the compiled optimiser; None otherwise.
    """

    loss_weights: list[float] | None = None
    point_weights: tuple[Any, Any, int] | None = None
    gauss_newton: bool | None = None


def notes_of(model: Any) -> ModelNotes:
    """Return the notes on a model, empty ones where there are none."""
    return vars(model).get(_ATTRIBUTE) or ModelNotes()


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
