"""Each part of a run's checkpoint by kind and range, before any of it is used."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from pinn_ext import random_state, schema
from pinn_ext.checks import (
    ArgumentError,
    brief,
    check_choice,
    check_mapping,
    check_number,
    check_sequence,
    check_switch,
)
from pinn_ext.files import VERSIONS, RunError
from pinn_ext.networks.saved_parameters import OtherNetwork
from pinn_ext.program.checkpoints import file as checkpoint_file
from pinn_ext.reports.history import PHASES
from pinn_ext.schema import Config
from pinn_ext.version import __version__

_LONGEST = 200  # characters of another's message
_Check = Callable[[str, Any], object]


def load(file: Path) -> dict[str, Any]:
    """Read the checkpoint of a run.

    Args:
        file: to read.

    Returns:
        Its parts, each of the right kind and in its range.

    Raises:
        RunError: if there is no whole checkpoint, or a part of it cannot be right.
    """
    saved = checkpoint_file.load(file, list(_CHECKS))
    tables = {"tables": _tables} if saved["version"] > 1 else {}
    if absent := [key for key in tables if key not in saved]:
        raise RunError(f"The checkpoint {file} is incomplete, it lacks {', '.join(absent)}.")
    with damaged(file):
        for key, check in (_CHECKS | tables).items():
            check(key, saved[key])
        _check_together(saved)
    return saved


def _check_together(saved: Mapping[str, Any]) -> None:
    if saved["phase"] == "gauss_newton" and saved["gauss_newton"] is None:
        raise ArgumentError("gauss_newton", "be there in its own phase", None)
    if "tables" in saved and saved["tables"]["history"]["rows"] != saved["rows"]:
        raise ArgumentError("rows", "be those of history.csv", saved["rows"])
    check_number("processes", saved.get("processes", 1), 1, integer=True)
    # There is a job's name in a sweep only, a device since version 0.2.
    for key in ("job_id", "device"):
        if not isinstance(saved.get(key, ""), str):
            raise ArgumentError(key, "be a string", _brief(saved[key]))


def saved_config(file: Path, values: dict[str, Any]) -> Config:
    """Return the configuration of a checkpoint.

    Args:
        file: the checkpoint.
        values: what it holds under `config`.

    Returns:
        The configuration, typed by the schema.

    Raises:
        RunError: if it has other keys or kinds of values than this version.
    """
    try:
        return schema.from_dict(values)
    except Exception as error:  # OmegaConf's, of a key that is not or no longer there
        text, other = str(error).splitlines()[0], _other_version(file.parent)
        raise RunError(
            f"The checkpoint {file} does not fit this version ({text}{other})."
        ) from None


def _other_version(folder: Path) -> str:
    """Return which version made a run, if its folder says so and it is not this one."""
    try:
        made_by = json.loads((folder / VERSIONS).read_text("utf-8"))["pinn-ext"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    if made_by == __version__:
        return ""
    return f"; the run was made by pinn_ext {brief(made_by)}, this is {__version__}"


@contextlib.contextmanager
def damaged(file: Path, part: str = "") -> Iterator[None]:
    """Say of what goes wrong inside that the checkpoint is damaged, or of another network.

    Args:
        file: the checkpoint.
        part: that is being taken up, where the error does not name it.

    Yields:
        Nothing.

    Raises:
        RunError: in the place of any other exception.
        MemoryError: as it came.
    """
    try:
        yield
    except (RunError, MemoryError):
        raise
    except OtherNetwork as error:
        raise RunError(
            f"The checkpoint {file} belongs to another network than its configuration describes: "
            f"{error}."
        ) from error
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        where = f"`{part}`: " if part else ""
        short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
        raise RunError(f"The checkpoint {file} is damaged ({where}{short.rstrip('.')}).") from error


def check_optimizer(optimizer: torch.optim.Optimizer, saved: Any) -> None:
    """Refuse the state of another optimiser, or one with entries of other kinds or shapes.

    Args:
        optimizer: that is to take it up.
        saved: what `optimizer.state_dict()` is said to have returned.

    Raises:
        ArgumentError: naming the entry.
    """
    own = optimizer.state_dict()
    check_mapping("optimizer_state_dict", saved)
    for key in ("param_groups", "state"):
        if key not in saved:
            raise ArgumentError("optimizer_state_dict", f"hold {key}", _brief(list(saved)))
    _alike("param_groups", saved["param_groups"], own["param_groups"])
    state = saved["state"]
    check_mapping("state", state)
    if not state:  # before the first step
        return
    if isinstance(optimizer, torch.optim.LBFGS):
        _check_lbfgs(optimizer, state)
    else:
        _alike("state", state, _state_after_a_step(optimizer))


def _state_after_a_step(optimizer: torch.optim.Optimizer) -> Any:
    """Return the state that the optimiser's kind has of parameters of the same shapes."""
    copies: list[torch.Tensor] = []
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            copy = torch.zeros_like(parameter, requires_grad=True)
            copy.grad = torch.zeros_like(copy)
            copies.append(copy)
    twin: Any = type(optimizer)(copies, **optimizer.defaults)
    twin.step()
    return twin.state_dict()["state"]


_OF_LBFGS = ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")


def _check_lbfgs(optimizer: torch.optim.LBFGS, state: Mapping[Any, Any]) -> None:
    parameters = optimizer.param_groups[0]["params"]
    count = sum(p.numel() for p in parameters)
    check_mapping("state", state.get(0))
    own = state[0]
    for key in ("func_evals", "n_iter"):
        check_number(key, own.get(key), 0, integer=True)
    if own["n_iter"] and (absent := set(_OF_LBFGS) - set(own)):
        raise ArgumentError("state", f"hold {', '.join(sorted(absent))}", _brief(list(own)))
    for key, value in own.items():
        listed = key in ("old_dirs", "old_stps", "ro", "al")
        if listed and not isinstance(value, list):
            raise ArgumentError(key, "be a list", _brief(value))
        for item in value if listed else [value]:
            plain = item is None or isinstance(item, (int, float))
            whole = isinstance(item, torch.Tensor) and item.is_floating_point()
            sizes = (count,) if key in ("d", "prev_flat_grad", "old_dirs", "old_stps") else (1,)
            if not (plain and sizes == (1,)) and not (whole and item.numel() in sizes):
                raise ArgumentError(str(key), f"hold {list(sizes)} numbers", _brief(item))
    if len({len(own.get(key, ())) for key in ("old_dirs", "old_stps", "ro")}) > 1:
        raise ArgumentError("old_dirs", "be as many as old_stps and ro", len(own["old_dirs"]))


def _alike(key: str, value: Any, model: Any) -> None:
    """Refuse a value that is built otherwise than a model of it; numbers may be others."""
    if isinstance(model, torch.Tensor):
        alike = isinstance(value, torch.Tensor) and value.shape == model.shape
        if not alike or value.dtype != model.dtype:
            raise ArgumentError(key, f"be {_brief(model)}", _brief(value))
    elif isinstance(model, Mapping):
        check_mapping(key, value)
        if set(value) != set(model):
            raise ArgumentError(key, f"hold {_brief(list(model))}", _brief(list(value)))
        for name, item in model.items():
            _alike(f"{key}.{name}", value[name], item)
    elif isinstance(model, (list, tuple)):
        items = check_sequence(key, value, len(model))
        for index, (item, own) in enumerate(zip(items, model, strict=True)):
            _alike(f"{key}.{index}", item, own)
    elif isinstance(model, (int, float)) and not isinstance(model, bool):
        check_number(key, value, 0)  # rates and tolerances: none can be negative
    elif type(value) is not type(model):
        raise ArgumentError(key, f"be {_brief(model)}", _brief(value))


# ---- single parts -----------------------------------------------------------------------------


def _count(key: str, value: Any) -> None:
    check_number(key, value, 0, integer=True)


def _seconds(key: str, value: Any) -> None:
    check_number(key, value, 0)


def _job(key: str, value: Any) -> None:
    if value is not None:
        _count(key, value)


def _choices(key: str, value: Any) -> None:
    check_mapping(key, value)
    if not all(isinstance(n, str) and isinstance(c, (str, type(None))) for n, c in value.items()):
        raise ArgumentError(key, "map names to names", _brief(value))


def _overrides(key: str, value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ArgumentError(key, "be a list of strings", _brief(value))


def _tensors(key: str, value: Any) -> None:
    check_mapping(key, value)
    if not all(isinstance(item, torch.Tensor) for item in value.values()):
        raise ArgumentError(key, "hold tensors", _brief(value))


def _gauss_newton(key: str, value: Any) -> None:
    if value is not None:
        check_mapping(key, value)
        check_mapping(f"{key}.training", value.get("training"))
        _count(f"{key}.draws", value.get("draws"))


def _random_state(key: str, value: Any) -> None:
    try:
        random_state.check_state(value)
    except Exception as error:
        raise ArgumentError(key, "be that of torch, numpy and random", _brief(value)) from error


def _tables(key: str, value: Any) -> None:
    check_mapping(key, value)
    for name in ("history", "events", "gradients"):
        mark = value.get(name)
        check_mapping(f"{key}.{name}", mark)
        _count(f"{key}.{name}.rows", mark.get("rows"))
        _count(f"{key}.{name}.bytes", mark.get("bytes"))
        digest = mark.get("sha256")
        if not isinstance(digest, str):
            raise ArgumentError(f"{key}.{name}.sha256", "be a digest", _brief(digest))


def _brief(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    return brief(value)


_CHECKS: dict[str, _Check] = {
    "model_state_dict": _tensors,
    "optimizer_state_dict": check_mapping,
    "adaptive_weights_state": check_mapping,
    "next_step": _count,
    "step": _count,
    "iteration": _count,
    "config": check_mapping,
    "choices": _choices,
    "overrides": _overrides,
    "job": _job,
    "phase": lambda key, value: check_choice(key, value, PHASES),
    "epoch": _count,
    "lbfgs_over": check_switch,
    "gauss_newton": _gauss_newton,
    "rows": _count,
    "random_state": _random_state,
    "seconds_training": _seconds,
    "seconds_weighting": _seconds,
}
