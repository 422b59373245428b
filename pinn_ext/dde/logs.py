"""Loggers beside an adaptive training: what the callback knows, once a period."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import deepxde as dde

from pinn_ext.dde.callback import AdaptiveWeights
from pinn_ext.dde.messages import event_text
from pinn_ext.measurements.alignment import SCORES
from pinn_ext.reports.event_files import pairs_of


class MetricsLog(dde.callbacks.Callback):
    """Hands raw losses, weights, events and, if they are measured, gradients to any logger.

    A logger is a function that takes numbers by name and the step: `mlflow.log_metrics`, `run.log`
    of Weights & Biases, `logger.log_metrics` of each of Lightning's loggers, or one of your own. It
    is called once a period. Give the log to `train` behind the callback that it reads:
    `callbacks=[adaptive, pinn_ext.MetricsLog(adaptive, run.log)]`. Gradients need
    `AdaptiveWeights(..., diagnostics=True)`. What the callback had noted before the first training
    with the log, as out of a saved state, is not written again. An error of the logger ends the
    training.

    The names are `raw_loss/<term>`, `weight/<term>`, `penalty`, `gradient_norm/<term>`,
    `gradient_cosine/<term>/<term>` and `gradients/<score>`.

    Args:
        adaptive: the callback of the same training.
        write: called as `write(numbers, step)`; numbers is a dictionary of floats.
        write_event: called as `write_event("event/<what>", text, step)`, as TensorBoard's
            `add_text` is; None for a logger without texts.

    Raises:
        ValueError: if `adaptive` is no `AdaptiveWeights`, or a logger cannot be called.

    >>> adaptive = AdaptiveWeights("ema", period=50)
    >>> log = MetricsLog(adaptive, lambda numbers, step: print(step, numbers))
    """

    def __init__(
        self,
        adaptive: AdaptiveWeights,
        write: Callable[[dict[str, float], int], Any],
        write_event: Callable[[str, str, int], Any] | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(adaptive, AdaptiveWeights):
            raise ValueError(
                f"`adaptive` must be the AdaptiveWeights of the training, got {adaptive!r}."
            )
        for name, given in (("write", write), ("write_event", write_event)):
            if not callable(given) and not (given is None and name == "write_event"):
                raise ValueError(f"`{name}` must be a function, got {given!r}.")
        self._adaptive, self._numbers, self._event = adaptive, write, write_event
        self.init()

    def init(self) -> None:
        """Take what the callback holds by now as written; DeepXDE calls this for a new model."""
        self._written = [len(rows) for rows in self._lists()]

    def on_batch_end(self) -> None:
        """Write what a period that has just ended has brought."""
        self._write()

    def on_train_end(self) -> None:
        """Write what is left."""
        self._write()

    def _lists(self) -> tuple[list[dict[str, Any]], ...]:
        adaptive = self._adaptive
        return adaptive.history, adaptive.gradient_history, adaptive.events

    def _write(self) -> None:
        rows, gradients, events = map(self._new, range(3))
        numbers: dict[int, dict[str, float]] = {}  # by step: loggers want a step in one piece
        for row in rows:
            numbers.setdefault(row["step"], {}).update(self._of_row(row))
        for row in gradients:
            numbers.setdefault(row["step"], {}).update(_of_gradients(row))
        for step in sorted(numbers):
            self._numbers(numbers[step], step)
        if self._event is not None:
            for event in events:
                self._event(f"event/{event['what']}", event_text(event), event["step"])

    def _new(self, number: int) -> list[dict[str, Any]]:
        """Return what one of the callback's lists has got since the last look."""
        rows = self._lists()[number]
        # The callback starts its lists afresh when it gets a new model.
        begin = self._written[number] if self._written[number] <= len(rows) else 0
        self._written[number] = len(rows)
        return rows[begin:]

    def _of_row(self, row: dict[str, Any]) -> dict[str, float]:
        names = self._adaptive.manager.loss_names if self._adaptive.manager else []
        numbers = {}
        for name, loss, weight in zip(names, row["losses"], row["weights"], strict=True):
            numbers[f"raw_loss/{name}"] = float(loss)
            numbers[f"weight/{name}"] = float(weight)
        if row["penalty"]:
            numbers["penalty"] = float(row["penalty"])
        return numbers


def _of_gradients(row: dict[str, Any]) -> dict[str, float]:
    names = row["names"]
    numbers = {
        f"gradient_norm/{name}": float(norm) for name, norm in zip(names, row["norms"], strict=True)
    }
    for a, b in pairs_of(names):
        numbers[f"gradient_cosine/{names[a]}/{names[b]}"] = float(row["cosines"][a][b])
    scores = {key: row[key] for key in SCORES if row.get(key) is not None}
    return numbers | {f"gradients/{key}": float(value) for key, value in scores.items()}


class TensorBoardLog(MetricsLog):
    """A `MetricsLog` into files that TensorBoard reads.

    `callbacks=[adaptive, pinn_ext.TensorBoardLog(adaptive, "logs")]` writes all that `MetricsLog`
    hands on, events as text.

    Args:
        adaptive: the callback of the same training.
        folder: for the files; those of an earlier run there stay, and TensorBoard joins them.

    Raises:
        ImportError: if TensorBoard is not installed; the message names the extra.
        ValueError: if `adaptive` is no `AdaptiveWeights`.

    Example:
        >>> TensorBoardLog("logs", AdaptiveWeights("ema"))  # the callback comes first
        Traceback (most recent call last):
            ...
        ValueError: `adaptive` must be the AdaptiveWeights of the training, got 'logs'.
    """

    def __init__(self, adaptive: AdaptiveWeights, folder: str | os.PathLike[str]) -> None:
        super().__init__(adaptive, self._scalars, self._text)
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError(
                "TensorBoardLog needs the package tensorboard, which the extra `tensorboard` "
                "brings: pip install 'pinn-ext[tensorboard]'."
            ) from error
        self._make_writer: Any = SummaryWriter
        self._folder = os.fspath(folder)
        self._open: Any = None

    def on_train_end(self) -> None:
        """Write what is left and close the file; the next training opens another one."""
        super().on_train_end()
        if self._open is not None:
            self._open.close()
            self._open = None

    def _writer(self) -> Any:
        if self._open is None:
            self._open = self._make_writer(self._folder)
        return self._open

    def _scalars(self, numbers: dict[str, float], step: int) -> None:
        for name, value in numbers.items():
            self._writer().add_scalar(name, value, step)

    def _text(self, name: str, text: str, step: int) -> None:
        self._writer().add_text(name, text, step)
