"""One sentence where memory has run out: in doing what, how much was asked for, what to turn."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pinn_ext.files import RunError
from solvers.devices import asked_for, is_out_of_memory, module_of
from solvers.gauss_newton import GaussNewtonMemoryError

if TYPE_CHECKING:
    from pinn_ext.dde.phases import Phase

_ALWAYS = ("dataset.nodes_per_side", "network.hidden", "dtype")
_KEYS = {
    "epochs": ("dataset.batch_size", *_ALWAYS),
    "lbfgs": ("dataset.num_graphs", *_ALWAYS),
    "gauss_newton": ("training.gauss_newton.points", "network.hidden"),
}
_LIMIT = "training.gauss_newton.memory_limit_gb"  # a small one leaves matrix_free
_BUILDING = ("dataset.num_graphs", "dataset.num_validation", *_ALWAYS)
_UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def sentence(
    error: BaseException,
    device: torch.device,
    phase: Phase | None = None,
    checkpoint: Path | None = None,
) -> str:
    """Return what a user has to know of memory that has run out.

    Args:
        error: that says so; one that a solver has raised in words of its own keeps them.
        device: of the run.
        phase: that was at work, None before the first one and after the last.
        checkpoint: that the run can go on from, None if there is none.

    Returns:
        One sentence.
    """
    keys = _BUILDING if phase is None else _KEYS[phase.name]
    if type(error) is GaussNewtonMemoryError:
        keys = (*keys, _LIMIT)
    less = "smaller values of " + ", ".join(f"`{key}`" for key in keys) + " need less"
    # By class, as numpy derives one from MemoryError, whose words are about an array.
    if type(error) in (MemoryError, GaussNewtonMemoryError) and str(error):
        text = str(error).rstrip(".") + ("" if phase is None else f"; {less}")
    else:
        asked = asked_for(error)
        need = "" if asked is None else f", as {_brief(*asked)} more were asked for"
        doing = "beside the training" if phase is None else f"after {phase.text}"
        text = f"The memory of {device} ran out {doing}{need}: {less}"
    return f"{text}; {checkpoint} can be gone on from." if checkpoint else f"{text}."


def _brief(number: str, unit: str) -> str:
    """Return a size in words: `20.00` and `MiB`, or a whole number and `bytes`."""
    if unit.lower() != "bytes":
        return f"{number} {unit}"
    size = int(float(number))
    name, one = next(((n, o) for n, o in _UNITS if size >= o), ("bytes", 1))
    return f"{size / one:.3g} {name}"


@contextlib.contextmanager
def said(device: torch.device) -> Iterator[None]:
    """Say of memory that runs out inside, before or after the training, what a user has to know.

    Args:
        device: of the run.

    Yields:
        Nothing.

    Raises:
        RunError: in the place of an error that says so.
        Exception: any other, as it came.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise RunError(sentence(error, device)) from None


def release(device: torch.device) -> None:
    """Give back what nobody holds any more, so that what is left of a run can be reported."""
    gc.collect()
    empty = getattr(module_of(device), "empty_cache", None)
    if empty is not None:
        empty()
