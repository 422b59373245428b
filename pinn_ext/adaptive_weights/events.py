"""Weights of named terms, how to go back to those before, and the log of what happened to them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

from pinn_ext.checks import check_choice


class Event(NamedTuple):
    """Something about the weights that a user should be able to look up.

    Attributes:
        epoch: in which it happened.
        term: name of the loss term or group, `""` for all.
        what: a word: `limit`, `unusable`, `rolled_back`, `frozen`, `note`.
        why: a sentence without its full stop.

    Example:
        >>> from pinn_ext import AdaptiveLossWeights
        >>> ones = {"pde": 1.0, "bc": 1.0}
        >>> weights = AdaptiveLossWeights(["pde", "bc"], ones, "ema", max_weight=10.0)
        >>> _ = weights.update(1, {"pde": 1e-4, "bc": 1.0})
        >>> event = weights.events[0]
        >>> event.epoch, event.term, event.what, event.why
        (1, 'pde', 'limit', 'held by max_weight')
    """

    epoch: int
    term: str
    what: str
    why: str


def limit_events(
    epoch: int, names: Sequence[str], before: Sequence[str], after: Sequence[str]
) -> list[Event]:
    """Return an event for each weight that has come to rest on a limit, or has left one.

    Args:
        epoch: of the update.
        names: of the terms or groups `[k]`.
        before: limit that each rested on before the update `[k]`, `""` for none.
        after: the same after it `[k]`.

    Returns:
        At most `k` events of the kind `limit`; none for a weight that stays where it was held.
    """
    events = []
    for name, old, new in zip(names, before, after, strict=True):
        if new and new != old:
            events.append(Event(epoch, name, "limit", f"held by {new}"))
        elif old and not new:
            events.append(Event(epoch, name, "limit", f"free again from {old}"))
    return events


class HeldWeights:
    """The weights in force, those before the last change, and the events.

    Attributes:
        loss_names: of the terms, in their order.
        events: what has happened, oldest first; a user may clear it.
    """

    loss_names: list[str]

    def _hold(self, weights: Sequence[float]) -> None:
        """Start from weights `[k]`, without a past."""
        self.events: list[Event] = []
        self._places = {name: i for i, name in enumerate(self.loss_names)}
        self._weights = list(weights)
        self._before: list[float] | None = None
        self._epoch: int | None = None

    def _replace(self, weights: Sequence[float]) -> None:
        """Put other weights `[k]` in force."""
        self._before, self._weights = self._weights, list(weights)

    def _note(self, what: str, why: str) -> None:
        """Add an event of all terms."""
        self.events.append(Event(self._epoch or 0, "", what, why))

    def _tell(self, note: str | None) -> None:
        """Add a note, if there is one."""
        if note:
            self._note("note", note)

    def get_weight(self, loss_name: str) -> float:
        """Return the present weight of one term.

        Args:
            loss_name: name of the term.

        Returns:
            Its weight, dimensionless.

        Raises:
            ValueError: if there is no such term.
        """
        if not isinstance(loss_name, str) or loss_name not in self._places:
            check_choice("loss_name", loss_name, self.loss_names)
        return self._weights[self._places[loss_name]]

    def get_weights(self) -> dict[str, float]:
        """Return a copy of the present weights, by name."""
        return dict(zip(self.loss_names, self._weights, strict=True))

    def confirm(self) -> None:
        """Take the weights in force as good ones: there is nothing to go back to any more.

        An update with finite losses does it by itself, as these losses were reached under them.
        """
        self._before = None

    def settle(self) -> None:
        """Do the same under the former name of `confirm`."""
        warnings.warn("settle() is now called confirm().", DeprecationWarning, stacklevel=2)
        self.confirm()

    def roll_back(self, why: str) -> bool:
        """Go back to the weights before the last update, unless an epoch under it went well.

        Args:
            why: for the log of events.

        Returns:
            Whether there was something to go back to.

        >>> from pinn_ext import AdaptiveLossWeights
        >>> weights = AdaptiveLossWeights(["pde", "bc"], {"pde": 1.0, "bc": 1.0})
        >>> _ = weights.update(1, {"pde": 1e-6, "bc": 1.0})
        >>> weights.roll_back("the loss is not finite"), weights.get_weights()
        (True, {'pde': 1.0, 'bc': 1.0})
        >>> _ = weights.update(2, {"pde": 0.1, "bc": 0.2})
        >>> weights.confirm()
        >>> weights.roll_back("too late")
        False
        """
        if self._before is None or self._before == self._weights:
            return False
        self._weights, self._before = self._before, None
        self._note("rolled_back", why)
        return True
