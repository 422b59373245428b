"""TensorBoard beside an adaptive training: what the callback knows, once a period."""

from __future__ import annotations

import os
from typing import Any

import deepxde as dde

from pinn_ext.dde.callback import AdaptiveWeights
from pinn_ext.dde.messages import event_text
from pinn_ext.measurements.alignment import SCORES
from pinn_ext.reports.event_files import pairs_of


class TensorBoardLog(dde.callbacks.Callback):
    """Writes raw losses, weights, events and, if they are measured, gradients for TensorBoard.

    Give it to `train` behind the callback that it reads:
    `callbacks=[adaptive, pinn_ext.TensorBoardLog(adaptive, "logs")]`. Gradients need
    `AdaptiveWeights(..., diagnostics=True)`. What the callback had noted before the first training
    with the log, as out of a saved state, is not written again.

    Args:
        adaptive: the callback of the same training.
        folder: for the files; those of an earlier run there stay, and TensorBoard joins them.

    Raises:
        ImportError: if TensorBoard is not installed; the message names the extra.
        ValueError: if `adaptive` is no `AdaptiveWeights`.

    Example:
        >>> import pinn_ext
        >>> adaptive = pinn_ext.AdaptiveWeights("ema")
        >>> pinn_ext.TensorBoardLog("logs", adaptive)  # the callback comes first
        Traceback (most recent call last):
            ...
        ValueError: `adaptive` must be the AdaptiveWeights of the training, got 'logs'.
    """

    def __init__(self, adaptive: AdaptiveWeights, folder: str | os.PathLike[str]) -> None:
        super().__init__()
        if not isinstance(adaptive, AdaptiveWeights):
            raise ValueError(
                f"`adaptive` must be the AdaptiveWeights of the training, got {adaptive!r}."
            )
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError(
                "TensorBoardLog needs the package tensorboard, which the extra `tensorboard` "
                "brings: pip install 'pinn-ext[tensorboard]'."
            ) from error
        self._make_writer: Any = SummaryWriter
        self._adaptive, self._folder = adaptive, os.fspath(folder)
        self._writer: Any = None
        self.init()

    def init(self) -> None:
        """Take what the callback holds by now as written; DeepXDE calls this for a new model."""
        adaptive = self._adaptive
        lists = (adaptive.history, adaptive.events, adaptive.gradient_history)
        self._written = [len(rows) for rows in lists]

    def on_batch_end(self) -> None:
        """Write what a period that has just ended has brought."""
        self._write()

    def on_train_end(self) -> None:
        """Write what is left and close the file; the next training opens another one."""
        self._write()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self) -> None:
        adaptive = self._adaptive
        lists = (adaptive.history, adaptive.events, adaptive.gradient_history)
        writers = (self._write_row, self._write_event, self._write_gradients)
        for i, (rows, write) in enumerate(zip(lists, writers, strict=True)):
            # The callback starts its lists afresh when it gets a new model.
            begin = self._written[i] if self._written[i] <= len(rows) else 0
            for row in rows[begin:]:
                if self._writer is None:
                    self._writer = self._make_writer(self._folder)
                write(row)
            self._written[i] = len(rows)

    def _write_row(self, row: dict[str, Any]) -> None:
        names = self._adaptive.manager.loss_names if self._adaptive.manager else []
        for name, loss, weight in zip(names, row["losses"], row["weights"], strict=True):
            self._writer.add_scalar(f"raw_loss/{name}", loss, row["step"])
            self._writer.add_scalar(f"weight/{name}", weight, row["step"])
        if row["penalty"]:
            self._writer.add_scalar("penalty", row["penalty"], row["step"])

    def _write_event(self, event: dict[str, Any]) -> None:
        self._writer.add_text(f"event/{event['what']}", event_text(event), event["step"])

    def _write_gradients(self, row: dict[str, Any]) -> None:
        names = row["names"]
        for name, norm in zip(names, row["norms"], strict=True):
            self._writer.add_scalar(f"gradient_norm/{name}", norm, row["step"])
        for a, b in pairs_of(names):
            tag = f"gradient_cosine/{names[a]}, {names[b]}"
            self._writer.add_scalar(tag, row["cosines"][a][b], row["step"])
        for key in SCORES:
            if row.get(key) is not None:
                self._writer.add_scalar(f"gradients/{key}", row[key], row["step"])
