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


def slow_multi_stage(recording, start, settings):
    """Return each stage's own transcription over its epochs, from the weights before it.

    Stages end before the first epoch t (from 1) that they are not to see: after until_epoch
    epochs, at t / 25 >= until_fraction, or once the mean of L_i(t) / L_i(first) <= 1 / until_drop.
    """
    slow = {
        "fixed": slow_fixed,
        "equal_init": slow_unscaled_equal_init,
        "equal_init_ema": slow_unscaled_equal_init_ema,
        "ema": slow_ema,
        "field_scale": slow_field_scale,
    }
    default = [{"strategy": "field_scale", "until_fraction": 0.5}, {"strategy": "ema"}]
    stages = settings.get("stages", default)
    rows, first = [], 0
    for stage in stages:
        end = first + 1
        while end < len(recording.epochs) and not _stage_is_over(stage, recording, first, end):
            end += 1
        own = recording._replace(epochs=recording.epochs[first:end])
        given = {"ema_alpha": settings["ema_alpha"], "weight_beta": settings["weight_beta"]}
        given |= stage.get("options", {})
        if own.epochs:
            rows += slow[stage["strategy"]](own, rows[-1] if rows else start, given)
        first = end
    return rows


def _stage_is_over(stage, recording, first, t):
    """Return whether epoch t + 1 is no more of a stage that began with epoch first + 1."""
    if "until_epoch" in stage:
        return t >= stage["until_epoch"]
    if "until_fraction" in stage:
        return (t + 1) / 25 >= stage["until_fraction"]
    if "until_drop" in stage:
        ratios = recording.losses[t] / recording.losses[first]
        return ratios.mean() <= 1 / stage["until_drop"]
    return False


def slow_unscaled_equal_init(recording, start, settings):
    """Return w_i = 1 / (L_i + eps) of epoch 1."""
    return [[1 / (loss + EPS) for loss in recording.losses[0]] for _ in recording.epochs]


def slow_unscaled_equal_init_ema(recording, start, settings):
    """Return the same at epoch 1, and the blend from epoch 2 on."""
    equal = slow_unscaled_equal_init(recording, start, settings)[0]
    return [equal, *slow_ema(recording, equal, settings, first=1)[1:]]
