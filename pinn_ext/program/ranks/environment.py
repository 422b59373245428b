"""How many processes train together, which one this is, and what they cannot do. Without torch."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pinn_ext import choices
from pinn_ext.checks import ArgumentError

if TYPE_CHECKING:  # the first word of the program comes before these are loaded
    from pinn_ext.adaptive_weights.settings import WeightSettings
    from pinn_ext.schema import Config

_ADDRESS = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what torchrun gives a process
_GRACE = 10.0
"""Seconds that another process leaves the first one to say what all have found out."""


def count(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many processes train together, 1 where none were started to do so.

    Args:
        environment: of the process, of which torchrun says where all of them meet.
    """
    values = [environment.get(key, "") for key in _ADDRESS]
    return max(int(values[1]), 1) if all(values) and values[1].isdigit() else 1


def rank(environment: Mapping[str, str] = os.environ) -> int:
    """Return the number of this process among those that train together, from 0."""
    own = environment.get("RANK", "")
    return int(own) if count(environment) > 1 and own.isdigit() else 0


def is_follower() -> bool:
    """Return whether this process trains along with another one, which prints and writes."""
    return rank() > 0


def facts() -> dict[str, int]:
    """Return what a report says of the processes; nothing of one alone."""
    return {} if count() == 1 else {"processes": count()}


def turn(environment: Mapping[str, str] = os.environ) -> int:
    """Return when this process makes a file that others read: 0 first, then 1 and 2.

    The first process makes it for all that share its disk, the first of each machine for those
    that do not; the others find it.
    """
    if rank(environment) == 0:
        return 0
    return 1 if environment.get("LOCAL_RANK", "0") == "0" else 2


def other_number(before: int) -> list[str]:
    """Return what is to be said of a run that goes on in another number of processes.

    Args:
        before: in how many it was.
    """
    now = count()
    if now == before:
        return []
    noun = "process" if now == 1 else "processes"
    return [f"The run goes on in {now} {noun}, it was in {before} before: last bits may differ."]


def leave_it_to_rank_0() -> None:
    """Wait a little for the first process to say in one sentence what ends them all.

    torchrun ends this process as soon as the first one has ended.
    """
    if is_follower():
        time.sleep(_GRACE)


def check(cfg: Config, settings: WeightSettings) -> None:
    """Refuse what several processes cannot do together.

    Args:
        cfg: the configuration, each of whose values is in range.
        settings: of its loss weights.

    Raises:
        ArgumentError: naming the key.
    """
    ranks = count()
    if ranks == 1:
        return
    from pinn_ext.strategies import PointStrategy

    job, training, network = f"in a job of {ranks} processes", cfg.training, cfg.network.name
    if network not in choices.GRAPH_NETWORKS:
        wanted = f"be {' or '.join(choices.GRAPH_NETWORKS)} {job}"
        raise ArgumentError("network.name", f"{wanted}, which train no other together", network)
    if isinstance(settings.method, PointStrategy):
        wanted = f"weigh terms {job}, whose points change from one to another"
        raise ArgumentError("training.loss.adaptive.strategy", wanted, settings.strategy)
    if training.lbfgs_iterations:
        wanted = f"be 0 {job}, whose line searches would differ"
        raise ArgumentError("training.lbfgs_iterations", wanted, training.lbfgs_iterations)
    _check_shares(cfg, ranks)


def _check_shares(cfg: Config, ranks: int) -> None:
    """Refuse mini-batches that do not have a graph for each process."""
    graphs = cfg.dataset.num_graphs
    if graphs < ranks:
        wanted = f"be at least {ranks}, as each process of the job needs a graph"
        raise ArgumentError("dataset.num_graphs", wanted, graphs)
    size = min(cfg.dataset.batch_size, graphs)
    least = min(size, graphs % size or size)
    if least < ranks:
        which = "" if size < ranks else f", whose last mini-batch has {least}"
        wanted = f"give each of {ranks} processes a graph of every mini-batch of {graphs} graphs"
        raise ArgumentError("dataset.batch_size", wanted, f"{size}{which}")
