"""Sizes that this machine's memory cannot hold, refused before anything is built."""

from __future__ import annotations

import itertools
import os

from pinn_ext.checks import ArgumentError
from pinn_ext.schema import Config

_NUMBER = 4  # bytes of a float32
_COPIES_OF_WEIGHTS = 4  # weights, gradient and Adam's two moments
_NUMBERS_A_NODE = 4  # at the least: place, time, and a value of each field


def check_sizes(cfg: Config) -> None:
    """Refuse sizes whose smallest conceivable cost is beyond the memory of this machine.

    The costs are bounds from below, so that nothing is refused that could have been run; what is
    larger than they say fails when it is allocated, of which `out_of_memory` makes a sentence.

    Args:
        cfg: the configuration, in range.

    Raises:
        ArgumentError: naming the key.
    """
    dataset, phase = cfg.dataset, cfg.training.gauss_newton
    nodes = dataset.nodes_per_side or 1
    snapshot = nodes * _NUMBERS_A_NODE * _NUMBER
    _check("dataset.nodes_per_side", nodes, snapshot)
    _check("dataset.num_graphs", dataset.num_graphs, dataset.num_graphs * snapshot)
    _check("dataset.num_validation", dataset.num_validation, dataset.num_validation * snapshot)
    network = cfg.network
    waves = 2 * network.fourier_frequencies if network.features == "fourier" else 1
    _check("network.fourier_frequencies", waves // 2, waves * _NUMBER * _COPIES_OF_WEIGHTS)
    weights = sum(a * b for a, b in itertools.pairwise([waves, *network.hidden, 1]))
    _check("network.hidden", list(network.hidden), weights * _NUMBER * _COPIES_OF_WEIGHTS)
    if cfg.training.loss.use_gn_solver and phase.points is not None:
        _check("training.gauss_newton.points", phase.points, phase.points * 2 * _NUMBER)


def _check(key: str, value: object, cost: int) -> None:
    memory = memory_of_machine()
    if cost > 2 * memory:  # as much again may be swapped out
        wanted = f"fit this machine's memory of {memory / 2**30:.3g} GiB"
        raise ArgumentError(key, wanted, f"{value} (at least {cost // 2**30} GiB)")


def memory_of_machine() -> int:
    """Return the bytes of physical memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
