"""Slow transcriptions of the papers' formulas: the oracle of every strategy.

A transcription gets a `Recording`, the initial weights and the settings (`ema_alpha`,
`weight_beta` and the options), and returns the weights after each epoch as the paper has them: no
cap, no clamps, no scaling beyond its own.
"""

from typing import Any, NamedTuple

EPS = 1e-8


class Paper(NamedTuple):
    """A transcription, the variants to hold it against, and the scale it is written in."""

    slow: Any
    variants: tuple[dict[str, Any], ...] = ({},)
    normalization: str = "none"


def slow_fixed(recording, start, settings):
    """Return the initial weights at every epoch."""
    return [list(start) for _ in recording.epochs]


def slow_equal_init(recording, start, settings):
    """Return w_i = c / (L_i + eps), c = mean(w_initial) / mean(1 / (L_j + eps)), of epoch 1."""
    k, first = len(start), recording.losses[0]
    c = (sum(start) / k) / (sum(1 / (loss + EPS) for loss in first) / k)
    return [[c / (loss + EPS) for loss in first] for _ in recording.epochs]


def slow_average(losses, i, t, alpha):
    """Return m_i at epoch t + 1, summed out: the first loss and the weighted later ones."""
    total = alpha**t * losses[0][i]
    for s in range(1, t + 1):
        total += (1 - alpha) * alpha ** (t - s) * losses[s][i]
    return total


def slow_blend(targets, start, beta, first=0):
    """Return w_i <- b w_i + (1 - b) target_i, summed out, from epoch index `first` on."""
    answer = []
    for t in range(len(targets)):
        row = []
        for i, weight in enumerate(start):
            total = beta ** (t - first + 1) * weight
            for s in range(first, t + 1):
                total += (1 - beta) * beta ** (t - s) * targets[s][i]
            row.append(total)
        answer.append(row)
    return answer


def slow_ema(recording, start, settings, first=0):
    """Return the blend of the inverse averages into the initial weights."""
    losses, alpha = recording.losses, settings["ema_alpha"]
    targets = [
        [1 / (slow_average(losses, i, t, alpha) + EPS) for i in range(len(start))]
        for t in range(len(losses))
    ]
    return slow_blend(targets, start, settings["weight_beta"], first)


def slow_equal_init_ema(recording, start, settings):
    """Return equal_init at epoch 1, and the same blend from epoch 2 on."""
    equal = slow_equal_init(recording, start, settings)[0]
    return [equal, *slow_ema(recording, equal, settings, first=1)[1:]]


def slow_field_scale(recording, start, settings):
    """Return 1 / s_i^2, times the factor for conditions, from the first epoch on."""
    factor = settings.get("condition_factor", 10.0)
    row = [
        (factor if condition else 1) / scale**2
        for scale, condition in zip(recording.scales, recording.conditions, strict=True)
    ]
    return [row for _ in recording.epochs]
