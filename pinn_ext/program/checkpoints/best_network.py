"""The best network of a run, by its losses on the validation snapshots: `best.pt`."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pinn_ext.checks import ArgumentError, check_choice, check_number
from pinn_ext.files import BEST, RunError
from pinn_ext.networks import FieldNetwork
from pinn_ext.networks.saved_parameters import check_parameters
from pinn_ext.program.checkpoints import file as checkpoint_file
from pinn_ext.reports.history import PHASES

FILE_NAME = BEST
_NONE = "There is no best network of the epochs so far: it is sought from here on."
_MARK = ("phase", "epoch", "score")
Row = Mapping[str, Any]


class BestNetwork:
    """Keeps the network with the smallest sum of raw validation losses, each over its first.

    The file changes together with the checkpoint, which says which network it holds.

    Args:
        folder: of the run.
        names: of the loss terms that are trained in every phase: what nobody trains, or a phase
            leaves out, would decide by chance.
        others: what the file holds beside it, such as the networks of former slabs of time, whose
            `slab` it says then.

    Attributes:
        path: the file.
        mark: phase, epoch and score of the network in it, None before the first epoch.
    """

    def __init__(
        self, folder: Path, names: Sequence[str], others: Mapping[str, Any] | None = None
    ) -> None:
        self.path, self._names, self._others = folder / FILE_NAME, list(names), dict(others or {})
        self.mark: dict[str, Any] | None = None

    def score(self, rows: Sequence[Row]) -> float:
        """Return the sum of the last validation losses, each over its first one.

        Args:
            rows: history of the training.

        Returns:
            A dimensionless number; a loss that was 0 at first is taken as it is.
        """
        first, last = ([row[f"validation_{n}"] for n in self._names] for row in (rows[0], rows[-1]))
        return sum(now / (before or 1.0) for before, now in zip(first, last, strict=True))

    def consider(
        self, rows: Sequence[Row], network: FieldNetwork, config: Mapping[str, Any]
    ) -> dict[Path, bytes | None]:
        """Take a network if it is the best one so far.

        Args:
            rows: history of its training, up to this network.
            network: at the end of an epoch, or an iteration.
            config: of the run, plain.

        Returns:
            The file to be written with the next checkpoint, nothing if there is none.
        """
        score = self.score(rows)
        least = math.inf if self.mark is None else self.mark["score"]
        if not score < least:
            return {}
        self.mark = {"phase": rows[-1]["phase"], "epoch": rows[-1]["epoch"], "score": score}
        content = {**self.mark, "model_state_dict": network.state_dict(), "config": config}
        content |= self._others
        return {self.path: checkpoint_file.to_bytes(content)}

    def take_up(
        self, saved: Mapping[str, Any], beside: Path, network: nn.Module
    ) -> tuple[dict[Path, bytes | None], str]:
        """Go on with the best network of a run that is resumed.

        Args:
            saved: the checkpoint; one of version 0.1 says nothing of the best network.
            beside: folder of the checkpoint.
            network: that is trained.

        Returns:
            The file to be written with the next checkpoint, and a line for the user if the
            network is lost.

        Raises:
            RunError: if the file is that of another run, or damaged.
            OtherNetwork: if it has the parameters of another network.
        """
        mark, file = saved.get("best"), beside / FILE_NAME
        if mark is not None:
            check_mark("best", mark)
        if mark is None or not file.exists():
            begun = saved["epoch"] > 0 or saved["phase"] != next(iter(PHASES))
            return {}, _NONE if begun else ""
        own = checkpoint_file.load(file, (*_MARK, "model_state_dict"))
        check_mark(FILE_NAME, own)
        # Killed between the two files, a run has left a network that its next epoch makes again.
        order = list(PHASES)
        last = order.index(saved["phase"]), saved["epoch"]
        later = (order.index(own["phase"]), own["epoch"]) > last
        if not later and any(own[key] != mark[key] for key in _MARK):
            raise RunError(f"{file} is not the one that the checkpoint was made beside.")
        check_parameters(network, own["model_state_dict"])
        self.mark = {key: mark[key] for key in _MARK}
        return ({} if file.resolve() == self.path.resolve() else {self.path: file.read_bytes()}), ""

    def network(self, last: FieldNetwork) -> FieldNetwork:
        """Return the best network.

        Args:
            last: network at the end of the run, which stays as it is.

        Returns:
            A copy of it with the best parameters; itself before the first epoch, or where the
            file is gone.
        """
        try:
            own = checkpoint_file.load(self.path, (*_MARK, "model_state_dict")) if self.mark else {}
        except RunError:  # a report without a best network is better than none
            own = {}
        if not own:
            self.mark = None
            return last
        self.mark = {key: own[key] for key in _MARK}
        best = copy.deepcopy(last)
        with torch.no_grad():
            best.load_state_dict(own["model_state_dict"])
        return best


def check_mark(key: str, mark: Any) -> None:
    """Refuse what does not say which network is the best one.

    Args:
        key: where it stands.
        mark: of the kind of `BestNetwork.mark`.

    Raises:
        ArgumentError: naming what is wrong.
    """
    if not isinstance(mark, Mapping) or any(name not in mark for name in _MARK):
        raise ArgumentError(key, f"hold {', '.join(_MARK)}", type(mark).__name__)
    check_choice(f"{key}.phase", mark["phase"], PHASES)
    check_number(f"{key}.epoch", mark["epoch"], 1, integer=True)
    check_number(f"{key}.score", mark["score"], 0)
