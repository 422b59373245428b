"""The lines that a run prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RULE = "=" * 50


def short(name: str) -> str:
    """Return a loss term's short name: `PI1` for `PI_loss1`, `RK4_1` for `RK4_loss1`."""
    kind, number = name.split("_loss")
    return f"{kind}_{number}" if kind[-1].isdigit() else kind + number


def banner(strategy: str, initial_weights: Mapping[str, float]) -> str:
    """Return what is printed before the first epoch.

    Args:
        strategy: its name.
        initial_weights: by term.

    Returns:
        The strategy and the initial weights, in a frame if they are going to move.
    """
    weights = ", ".join(f"{name!r}: {float(weight)}" for name, weight in initial_weights.items())
    if strategy == "fixed":
        return f"Fixed loss weights: {{{weights}}}"
    return "\n".join(
        [
            "Adaptive loss weighting enabled",
            f"Strategy: {strategy}",
            f"Initial weights: {{{weights}}}",
            RULE,
        ]
    )


def equalized(epoch: int, losses: Mapping[str, float], weights: Mapping[str, float]) -> str:
    """Return the block that is printed once the weighted losses have been made equal.

    Args:
        epoch: number of the epoch.
        losses: raw losses that the update saw, by term.
        weights: after the update, by term.

    Returns:
        One line a term, closed by a rule.
    """
    lines = [f"Equalized weights at epoch {epoch}:"]
    for name, loss in losses.items():
        weight = weights[name]
        weighted = weight * loss
        lines.append(f"  {name}: loss={loss:.3e}, weight={weight:.3e}, weighted={weighted:.3e}")
    return "\n".join([*lines, RULE])


def epoch_line(
    epoch: int,
    total: float,
    losses: Mapping[str, float],
    errors: Mapping[str, float],
    *,
    phase: str = "Epoch",
) -> str:
    """Return the line of an epoch.

    Args:
        epoch: number of the epoch, or of the L-BFGS iteration.
        total: weighted sum of the losses with the weights in force during the epoch.
        losses: raw losses by term.
        errors: relative L2 error by field.
        phase: what is counted.

    Returns:
        `Epoch 001 | Train … | PI1 … | … | u … | v …`.
    """
    parts = [f"{phase} {epoch:03d}", f"Train {total:.3e}"]
    parts += [f"{short(name)} {loss:.3e}" for name, loss in losses.items()]
    parts += [f"{field} {error:.2e}" for field, error in errors.items()]
    return " | ".join(parts)


def weights_line(weights: Mapping[str, float]) -> str:
    """Return the indented line of weights: `Weights: PI1=8.10e+02, …`."""
    text = ", ".join(f"{short(name)}={weight:.2e}" for name, weight in weights.items())
    return f"        Weights: {text}"


def event_line(event: Mapping[str, Any]) -> str | None:
    """Return the indented line of an event of the weights.

    Args:
        event: with its epoch, term, what and why.

    Returns:
        `Weights, epoch 012: …`; None for what happens too often to be said (weights that reach a
        limit or leave it), which `events.csv` has.
    """
    if event["what"] not in ("unusable", "rolled_back", "note", "frozen"):
        return None
    term = f"{short_or_same(event['term'])} " if event["term"] else ""
    verb = "rolled back: " if event["what"] == "rolled_back" else ""
    return f"        Weights, epoch {event['epoch']:03d}: {term}{verb}{event['why']}"


def short_or_same(name: str) -> str:
    """Return a loss term's short name, and a group's own name."""
    return short(name) if "_loss" in name else name
