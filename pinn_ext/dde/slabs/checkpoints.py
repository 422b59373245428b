"""Files of a march: one for each slab that is trained, and one for the slab at work."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import deepxde as dde
import numpy as np
import torch

from pinn_ext import random_state
from pinn_ext.checks import ArgumentError
from pinn_ext.dde.model import state as model_state
from pinn_ext.dde.model.notes import SavedTraining, note, notes_of
from pinn_ext.dde.model.saved_state import check_model_state, check_tensor
from pinn_ext.files import RunError, replace_file
from pinn_ext.point_weights.keys import same_inputs

_FORMAT = "pinn_ext slab"
_AT_WORK = "slab_at_work.pt"
_REPORT = "slabs.json"
_TRAINED = ("number", "edges", "network", "variables", "random", "row")
_STARTED = ("number", "edges", "model", "points", "counters", "loss_weights", "state")


class Checkpoints:
    """The folder of a march.

    Args:
        folder: is made if it is not there; None for no files at all.
        edges: of the slabs.
        resume: whether what is there is gone on with.

    Raises:
        RunError: if the folder holds slabs and is not to be resumed, or those of other times, or
            cannot be written.
    """

    def __init__(self, folder: str | Path | None, edges: Sequence[float], resume: bool) -> None:
        self.folder = None if folder is None else Path(folder)
        self._edges = list(edges)
        if self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"The folder {folder} cannot be made ({error.strerror}).") from error
        if not resume and (self._file(0).exists() or (self.folder / _AT_WORK).exists()):
            raise RunError(
                f"The folder {folder} must not hold slabs yet: go on with them by resume=True, or "
                "choose another one."
            )

    def trained(self, number: int) -> dict[str, Any] | None:
        """Return what was saved of a trained slab, None if there is nothing."""
        if self.folder is None or not self._file(number).exists():
            return None
        content = self._load(self._file(number), _TRAINED)
        if content["number"] != number:
            raise RunError(
                f"{self._file(number)} must hold slab {number}, got that of slab "
                f"{content['number']}."
            )
        try:
            random_state.check_state(content["random"])
        except Exception as error:
            raise RunError(f"{self._file(number)} is damaged (its random numbers).") from error
        return content

    def save_trained(self, slab: Any, model: Any, row: dict[str, Any]) -> None:
        """Write a trained slab, with the random numbers that the next one goes on from."""
        if self.folder is None:
            return
        self._write(
            self._file(slab.number),
            {
                "number": slab.number,
                "network": {key: value.cpu() for key, value in model.net.state_dict().items()},
                "variables": [v.detach().cpu() for v in model.external_trainable_variables],
                "random": random_state.get_state(),
                "row": row,
            },
        )
        (self.folder / _AT_WORK).unlink(missing_ok=True)

    def save_started(self, slab: Any, model: Any, state: Any) -> None:
        """Write a slab in the middle of its training."""
        if self.folder is None:
            return
        taken = model_state.take(model)
        counters, weights = model.train_state, model.loss_weights
        if weights is not None:
            weights = torch.as_tensor(weights, device="cpu").detach().tolist()
        self._write(
            self.folder / _AT_WORK,
            {
                "number": slab.number,
                "model": model_state.without_points(taken),
                "points": _points(taken["data"]),
                "counters": {"step": counters.step, "iteration": counters.iteration},
                "loss_weights": weights,
                "state": state,
                "optimizer": type(model.opt).__name__,
                "loop": _loop(model),
            },
        )

    def take_up(self, slab: Any, model: Any) -> None:
        """Give a model the state in which its training was broken off, if there is one.

        Args:
            slab: gets `done` and `saved`.
            model: of the slab, as the builder made it.

        Raises:
            RunError: if what was saved does not fit the model, or cannot be read.
        """
        if self.folder is None or not (self.folder / _AT_WORK).exists():
            return
        path = self.folder / _AT_WORK
        content = self._load(path, _STARTED)
        if content["number"] != slab.number:
            return  # of a slab that was trained to its end since
        state, optimizer = content["model"], type(model.opt).__name__
        try:
            check_model_state("model", state, model)
        except ArgumentError as error:
            raise RunError(f"{path} does not fit the model that was built: {error}") from error
        name, loop = content.get("optimizer", optimizer), content.get("loop")
        if loop is not None:
            note(model, broken_off=SavedTraining(loop["name"], loop["state"], str(path)))
        elif name != optimizer:  # the training function compiles again before it goes on
            note(model, broken_off=SavedTraining(name, state["optimizer"], str(path)))
        if name != optimizer:
            state = {**state, "optimizer": model.opt.state_dict(), "scheduler": None}
        if content["points"] is not None:
            state = {**state, "data": _changed(model.data, content["points"])}
        model_state.put_back(model, state)
        model.train_state.step = content["counters"]["step"]
        model.train_state.iteration = content["counters"]["iteration"]
        model.loss_weights = content["loss_weights"]
        slab.done, slab.saved = content["counters"]["step"], content["state"]

    def save_report(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write the report."""
        if self.folder is not None:
            content = {"edges": self._edges, "slabs": list(rows)}
            replace_file(self.folder / _REPORT, json.dumps(content, indent=2) + "\n")

    def _file(self, number: int) -> Path:
        return (self.folder or Path()) / f"slab_{number:03d}.pt"

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        torch.save({"format": _FORMAT, "edges": self._edges, **content}, buffer)
        try:
            replace_file(path, buffer.getvalue())
        except OSError as error:
            raise RunError(f"{path} cannot be written ({error.strerror}).") from error

    def _load(self, path: Path, keys: Sequence[str]) -> dict[str, Any]:
        """Read a file without running any code from it."""
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise RunError(f"{path} is damaged or no slab of pinn_ext.") from error
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise RunError(f"{path} is no slab of pinn_ext.")
        absent = [key for key in keys if key not in content]
        if absent:
            raise RunError(f"{path} is incomplete, it lacks {', '.join(absent)}.")
        if content["edges"] != self._edges:
            raise RunError(
                f"The slabs in {self.folder} must be those asked for, with edges at "
                f"{self._edges}, got {content['edges']}."
            )
        return content


def fill(model: Any, saved: dict[str, Any], path: str) -> None:
    """Give a model the parameters of a trained slab.

    Args:
        model: as the builder made it.
        saved: network and external variables.
        path: where they come from, for the message.

    Raises:
        RunError: if the model has others.
    """
    own, given = model.net.state_dict(), saved["network"]
    variables = list(model.external_trainable_variables)
    if set(own) != set(given) or len(variables) != len(saved["variables"]):
        raise RunError(f"{path} does not fit the model that was built: it has other parameters.")
    try:
        for key, tensor in own.items():
            check_tensor(key, given[key], tensor)
        for value, tensor in zip(saved["variables"], variables, strict=True):
            check_tensor("variables", value, tensor)
    except ArgumentError as error:
        raise RunError(f"{path} does not fit the model that was built: {error}") from error
    model.net.load_state_dict(given)
    with torch.no_grad():
        for variable, value in zip(variables, saved["variables"], strict=True):
            variable.copy_(value)


def _loop(model: Any) -> dict[str, Any] | None:
    """Return name and state of the loop of ours that makes the steps of a model, if one does."""
    own = notes_of(model).own_steps
    if own is None or own.loop is None:
        return None
    return {"name": own.name, "state": own.loop.state_dict()}


def _points(data: Any) -> dict[str, Any] | None:
    """Return the points of DeepXDE's data as tensors; None where a number says which they are."""
    if isinstance(data, int):
        return None
    return {
        key: torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value
        for key, value in model_state.points_of(data).items()
    }


def _changed(data: Any, points: dict[str, Any]) -> dict[str, Any]:
    """Return the saved points as arrays, if they are others than those that were built.

    Arrays with the same numbers stay, as DeepXDE knows values of conditions by their address.
    """
    arrays = {
        key: _in_float_type(value.numpy()) if isinstance(value, torch.Tensor) else value
        for key, value in points.items()
    }
    own = vars(data)
    return {key: value for key, value in arrays.items() if not _same(own.get(key), value)}


def _in_float_type(values: np.ndarray) -> np.ndarray:
    """Return points in DeepXDE's float type, which a training may have computed beyond."""
    floating = np.issubdtype(values.dtype, np.floating)
    return values.astype(dde.config.real(np), copy=False) if floating else values


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        return same_inputs(old, new)
    return type(old) is type(new) and old == new
