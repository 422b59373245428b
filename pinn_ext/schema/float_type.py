"""The refusal of numbers that the float type of a run cannot hold. Loads without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pinn_ext.checks import ArgumentError
from pinn_ext.schema.keys import WEIGHT_KEYS, Config

_RANGES = {"float32": (2.0**-126, 2.0**128 - 2.0**104), "float64": (2.0**-1022, 2.0**1023)}
"""Smallest number with all digits, and the largest; of float64 half of it, which a float holds."""


def check_float_type(cfg: Config) -> None:
    """Refuse a number that becomes 0 or infinite, or loses its digits, in `dtype`.

    Args:
        cfg: the configuration; its `dtype` is a known one. What is no finite number is left to
            the checks of its own key.

    Raises:
        ArgumentError: naming the key.
    """
    for key, value in _numbers(cfg):
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            continue
        low, high = _RANGES[cfg.dtype]
        if value == 0 or not abs(value) < float("inf"):
            continue
        if not low <= abs(value) <= high:
            size = "larger" if abs(value) > high else "nearer to 0"
            wanted = f"fit dtype={cfg.dtype} (at least {low:.3g}, at most {high:.3g} in size)"
            raise ArgumentError(key, wanted, f"{value!r}, which is {size}")


def _numbers(cfg: Config) -> Iterator[tuple[str, object]]:
    """Yield what is computed with in the run's float type, by its key."""
    training, problem = cfg.training, cfg.problem
    yield "training.learning_rate", training.learning_rate
    yield "training.weight_decay", training.weight_decay
    for key in WEIGHT_KEYS.values():
        yield f"training.loss.{key}", getattr(training.loss, key)
    yield "dataset.step", cfg.dataset.step
    if isinstance(problem.parameters, Mapping):
        for name, value in problem.parameters.items():
            yield f"problem.parameters.{name}", value
    for scale in problem.scales or ():
        yield "problem.scales", scale
        if isinstance(scale, (int, float)) and 0 < abs(scale) < 1e150:
            yield "problem.scales (its square)", scale * scale  # losses are divided by it
