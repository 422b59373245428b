"""What the callback shows of a training: a figure, a table for pandas, a table in a notebook."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pinn_ext.dde.callback.hooks import WeightingHooks
from pinn_ext.measurements import gradient_verdict
from solvers.html_table import html_table

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

_HEADER = ("term", "raw loss, first", "last", "weight, first", "last")


class ShownWeighting(WeightingHooks):
    """The callback, and what users look at once it has seen a training."""

    def plot(self) -> Figure:
        """Draw raw losses and weights over the steps, and conflicts between gradients if measured.

        Returns:
            A figure of matplotlib that is shown where it is the last line of a notebook's cell, and
            saved by `savefig`; pyplot does not know it.

        Raises:
            ValueError: if no period has ended yet.
        """
        from pinn_ext.reports.figures import count_along, legend_beside, line, new_figure
        from pinn_ext.reports.gradient_plot import draw_cosines

        self._check_history("draw")
        gradients = [row for row in self.gradient_history if len(row["names"]) > 1]
        count = 3 if gradients else 2
        figure = new_figure(figsize=(6.5 * count, 4), layout="constrained")
        axes = figure.subplots(1, count)
        names, rows = self._state.weights.names, self._rows()
        steps = [row["step"] for row in rows]
        mark = "." if len(steps) < 30 else ""
        for axis, key, label in zip(
            axes, ("losses", "weights"), ("raw (unweighted) loss", "weight"), strict=False
        ):
            for i, name in enumerate(names):
                values = [row[key][i] or math.nan for row in rows]  # 0: no logarithm
                axis.semilogy(steps, values, marker=mark, label=name, **line(i))
            axis.set(ylabel=label, title="Losses" if key == "losses" else "Loss weights")
        legend_beside(axes[1])
        if gradients:
            alike = [row for row in gradients if row["names"] == gradients[-1]["names"]]
            draw_cosines(axes[2], [row["step"] for row in alike], alike, mark)
            axes[2].set(ylabel="cosine", title="Angles between gradients", ylim=(-1.05, 1.05))
        for axis in axes:
            axis.set_xlabel("training step")
            count_along(axis.xaxis)
            axis.grid(True, which="major", color="0.92")
        return figure

    def to_dataframe(self) -> pandas.DataFrame:
        """Return `history` as a table of pandas, one row a period of training the present terms.

        The columns are step, `loss_<term>`, `weight_<term>`, penalty, where gradients were measured
        alignment, conflict and size_ratio, under strategies that weigh points
        `point_weight_<term>_min`, `_mean` and `_max`, under `auto` candidate.

        Raises:
            ImportError: if pandas is not installed.
            ValueError: if no period has ended yet.
        """
        self._check_history("make a table of")
        try:
            import pandas
        except ImportError:
            raise ImportError(
                "`to_dataframe` must have pandas, which is not installed: pip install pandas."
            ) from None
        names = self._state.weights.names
        return pandas.DataFrame([_flat(names, row) for row in self._rows()])

    def _rows(self) -> list[dict[str, Any]]:
        """Return the rows of the present terms: a model may have been given more, or fewer."""
        count = len(self._state.weights.names)
        return [row for row in self.history if len(row["losses"]) == count]

    def _check_history(self, what: str) -> None:
        if not self._rows():
            raise ValueError(
                f"`history` must have a row to {what}, got none: a training adds one every "
                f"{self.period} steps."
            )

    def _repr_html_(self) -> str:
        """Return what a notebook shows: first and last losses and weights, and why it stopped."""
        history, weights = self._rows(), self._state.weights
        count = len(history)
        title = f"AdaptiveWeights({self.strategy!r})"
        if self.manager is None or not count:
            return html_table(f"{title}: no period of {self.period} steps has ended yet", (), ())
        first, last = history[0], history[-1]
        columns = (first["losses"], last["losses"], weights.first, last["weights"])
        rows = [
            [name, *map(float, row)] for name, *row in zip(weights.names, *columns, strict=True)
        ]
        said = gradient_verdict.sentence(self.gradient_history)
        more = [f"step {last['step']}, {count} periods", self.stopped, said]
        return html_table(f"{title}: {'; '.join(filter(None, more))}", _HEADER, rows)


def _flat(names: list[str], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the history with one number in each of its columns."""
    flat: dict[str, Any] = {"step": row["step"]}
    for key, column in (("losses", "loss"), ("weights", "weight")):
        flat |= {f"{column}_{name}": v for name, v in zip(names, row[key], strict=True)}
    for key, value in row.items():
        if key == "point_weights":
            for name, ends in value.items():
                pairs = zip(("min", "mean", "max"), ends, strict=True)
                flat |= {f"point_weight_{name}_{which}": number for which, number in pairs}
        elif key not in ("step", "losses", "weights", "weights_before"):
            flat[key] = value
    return flat
