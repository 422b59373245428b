"""`pinn_ext.load`: the network of a run, built again from its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pinn_ext.checks import ArgumentError, brief, check_choice, check_mapping
from pinn_ext.choices import FAMILY, FROM_FILE
from pinn_ext.files import CHECKPOINT, RunError, exists, shortened
from pinn_ext.losses.from_config import field_network, physics_loss
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.networks import FieldNetwork
from pinn_ext.program import checkpoints
from pinn_ext.program.checkpoints.parts import damaged, saved_config
from pinn_ext.program.machine.devices import devices_of_machine, is_here
from pinn_ext.program.problem import check_same_files, files_of
from pinn_ext.program.slabs.chain import former_states, network_of
from pinn_ext.program.trained.places import checkpoint_of
from pinn_ext.program.trained.trained_run import TrainedRun
from pinn_ext.schema import Config
from pinn_ext.slabs import SlabNetworks, build_networks, with_state
from pinn_ext.systems import System
from solvers.devices import count_of, on_cpu

FLOATS = {"float32": torch.float32, "float64": torch.float64}
"""Floating-point types by name."""


def load(
    run: str | Path,
    *,
    best: bool = False,
    dtype: str | torch.dtype | None = None,
    device: str | torch.device = "cpu",
    problem_file: str | Path | None = None,
) -> TrainedRun:
    """Return the network of a run with its system, ready to be asked.

    The run's folder is read only, also while it is being trained. torch's default float type,
    device and seeds stay what they are, and DeepXDE is not loaded.

    Args:
        run: folder of a run, or a checkpoint.
        best: whether to take the best network by validation losses instead of the last one.
        dtype: `"float32"` or `"float64"`; None takes that of the saved parameters. In another one
            than theirs the network is the same function, with other rounding.
        device: that fields are computed on, or `"auto"`.
        problem_file: the Python file of a run with `problem=from_file`. It is code, so it is never
            run because a checkpoint names it.

    Returns:
        The network, its system and its configuration; its answers are those of the network at the
        end of the training, bit for bit on the same kind of device.

    Raises:
        ArgumentError: if an argument is wrong.
        RunError: if there is no run, or its checkpoint is damaged or of another version.

    Example:
        >>> import pinn_ext
        >>> pinn_ext.load("outputs/no-such-run")
        Traceback (most recent call last):
            ...
        pinn_ext.files.RunError: There is no run at outputs/no-such-run.
    """
    wanted, place = _float_type(dtype), _device(device)
    file = checkpoint_of(run, best)
    saved = checkpoints.load(file, ("model_state_dict", "config"))
    values = with_named_file(file, saved, problem_file)
    cfg = saved_config(file, values)
    if cfg.dataset.name == FAMILY:
        raise RunError(
            f"The run {shortened(file.parent)} has a network that steps states on graphs, which "
            "has no field of positions and times: `pinn-ext rollout` shows what it does."
        )
    with torch.inference_mode(False), on_cpu():
        whole = _loss(file, cfg).system
        found = _networks if cfg.training.slabs > 1 else _network
        network = found(file, cfg, whole, saved)
        # Gauss-Newton leaves float64, whatever the configuration says.
        network.to(network.centre.dtype if wanted is None else wanted).to(place)
    check_files(file, saved, files_of(whole))
    return TrainedRun(network, network.system, cfg, file)


def _loss(file: Path, cfg: Config) -> PhysicsLoss:
    try:
        return physics_loss(cfg, rk4=False)
    except ValueError as error:  # of a system or a parameter that this version does not have
        raise _not_again(file, error) from None


def _not_again(file: Path, error: Exception) -> RunError:
    return RunError(f"The checkpoint {file} cannot be built again: {error}")


def _network(file: Path, cfg: Config, whole: System, saved: Mapping[str, Any]) -> FieldNetwork:
    try:
        network = field_network(cfg, physics_loss(cfg, rk4=False, system=whole))
    except ValueError as error:
        raise _not_again(file, error) from None
    with damaged(file, "model_state_dict"):
        check_mapping("model_state_dict", saved["model_state_dict"])
        return with_state(network, saved["model_state_dict"])


def _networks(file: Path, cfg: Config, whole: System, saved: Mapping[str, Any]) -> SlabNetworks:
    """Return the networks of all slabs of time so far, as one."""
    with damaged(file):
        check_mapping("model_state_dict", saved["model_state_dict"])
        states = [*former_states(saved, cfg.training.slabs), saved["model_state_dict"]]
        return build_networks(whole, cfg.training.slabs, states, lambda slab: network_of(cfg, slab))


def _float_type(dtype: str | torch.dtype | None) -> torch.dtype | None:
    if dtype is None:
        return None
    return FLOATS[check_choice("dtype", str(dtype).removeprefix("torch."), FLOATS)]


def _device(device: str | torch.device) -> torch.device:
    name = str(device)
    if name == "auto":
        name = "cuda" if count_of("cuda") else "cpu"
    if not is_here(name):
        here = ", ".join(devices_of_machine())
        wanted = f"be auto or a device that this machine has and torch can use ({here})"
        raise ArgumentError("device", wanted, repr(name))
    return torch.device(name)


def with_named_file(
    file: Path, saved: Mapping[str, Any], problem_file: str | Path | None
) -> dict[str, Any]:
    """Return the saved configuration, with the user's own file where the problem is one.

    Args:
        file: that it was read from.
        saved: its content.
        problem_file: that the user has named, if any; it is code.

    Returns:
        The configuration as plain values.

    Raises:
        RunError: if it is damaged, or the problem is a file that was not named.
        ArgumentError: if there is no such file, or the problem is none.
    """
    with damaged(file, "config"):
        check_mapping("config", saved["config"])
        values = dict(saved["config"])
        check_mapping("problem", values["problem"])
        problem = dict(values["problem"])
    if problem.get("name") != FROM_FILE:
        if problem_file is not None:
            name = brief(problem.get("name"))
            raise ArgumentError("problem_file", f"be left out for a run of problem={name}", "one")
        return values
    if problem_file is None:
        raise RunError(
            f"The system of the run {shortened(file.parent)} is a Python file, which is code and "
            f"only run when you name it: add --problem-file {problem.get('file') or 'FILE'} "
            "(in Python problem_file=)."
        )
    path = Path(problem_file)
    if not exists(path) or not path.is_file():
        raise ArgumentError("problem_file", "name a file", f"nothing at {shortened(path)}")
    return {**values, "problem": {**problem, "file": str(path)}}


def check_files(file: Path, saved: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse other files than a run was trained on, which `checkpoint.pt` describes.

    Args:
        file: with the network.
        saved: its content.
        own: of `pinn_ext.program.problem.files_of`, what is made of the files now.

    Raises:
        RunError: naming the file.
    """
    beside = file.with_name(CHECKPOINT)
    if not own.keys() <= saved.keys() and beside.is_file():
        saved = checkpoints.load(beside)  # `best.pt` has the network alone
    with damaged(file, " and ".join(own)):
        check_same_files(saved, own)
