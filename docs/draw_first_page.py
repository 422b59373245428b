"""Draw `docs/pictures/first_page.png`: what one callback does to `examples/burgers_adaptive.py`.

    python docs/draw_first_page.py

The example is trained as it stands, with `ema` and with the strategy `fixed` in its place, from
three seeds each; the error is measured every 25 iterations.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde
import matplotlib
import numpy as np
import torch

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "burgers_adaptive.py"
PICTURE = ROOT / "docs" / "pictures" / "first_page.png"
LINE = 'callbacks=[pinn_ext.AdaptiveWeights("ema", period=50)]'
SEED = "dde.config.set_random_seed(0)"
SEEDS, EVERY = (0, 1, 2), 25
# Okabe and Ito's colours.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "0.45"


class ErrorLog(dde.callbacks.Callback):
    """The relative L2 error every so many iterations."""

    def __init__(self, exact: Any, points: np.ndarray) -> None:
        super().__init__()
        self.exact, self.points = exact(points), points
        self.rows: list[tuple[int, float]] = []

    def on_epoch_end(self) -> None:
        """Measure where the iteration is one of those."""
        step = self.model.train_state.step
        if step % EVERY == 0:
            with torch.no_grad():
                predicted = self.model.net(torch.as_tensor(self.points)).numpy()
            self.rows.append((step, float(dde.metrics.l2_relative_error(self.exact, predicted))))


def trained(strategy: str, seed: int) -> tuple[np.ndarray, list[dict[str, Any]], list[str]]:
    """Run the example with a strategy.

    Args:
        strategy: one of `pinn_ext.strategies.names()`.
        seed: of all random numbers.

    Returns:
        Iterations and errors `[rows, 2]`, the history of the weights, and the names of the terms.
    """
    source = EXAMPLE.read_text("utf-8")
    assert source.count(LINE) == source.count(SEED) == 1, "the example has changed"
    made = f'pinn_ext.AdaptiveWeights("{strategy}", period=50)'
    ours = f"callbacks=[log, (weights := {made})]"
    source = source.replace(SEED, SEED.replace("0", str(seed))).replace(LINE, ours)
    model = "model = dde.Model(data, net)\n"
    source = source.replace(model, f"{model}log = ErrorLog(exact, time.uniform_points(2000))\n")
    scope: dict[str, Any] = {"ErrorLog": ErrorLog, "__name__": "__main__"}
    exec(compile(source, EXAMPLE.name, "exec"), scope)
    weights = scope["weights"]
    return np.array(scope["log"].rows), weights.history, list(weights.manager.get_weights())


def draw(runs: dict[str, list[Any]], path: Path) -> None:
    """Draw errors of all runs, and the weights of the first adaptive one.

    Args:
        runs: what `trained` has returned, by strategy.
        path: of the file.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.0), layout="constrained")
    looks = {"fixed": (GREY, "--", "weights 1, 1, 1"), "ema": (BLUE, "-", "with the callback")}
    for strategy, (colour, dashes, label) in looks.items():
        for number, (errors, _, _) in enumerate(runs[strategy]):
            left.plot(*errors.T, dashes, color=colour, lw=1.4, label=None if number else label)
    left.set(yscale="log", xlabel="iteration of Adam", title="relative L2 error, three seeds")
    _, history, names = runs["ema"][0]
    steps = [row["step"] for row in history]
    styles = zip(names, (BLUE, ORANGE, GREEN), ("-", "--", "-."), strict=True)
    for place, (name, colour, dashes) in enumerate(styles):
        values = [row["weights"][place] for row in history]
        right.step(steps, values, dashes, where="post", color=colour, lw=1.6, label=name)
    right.set(yscale="log", xlabel="iteration of Adam", title="loss weights, seed 0")
    for panel in (left, right):
        panel.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3)
        panel.grid(True, color="0.92")
        panel.set_xlim(0, 1500)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = {name: [trained(name, seed) for seed in SEEDS] for name in ("fixed", "ema")}
    draw(found, PICTURE)
    for name, runs in found.items():
        print(name, *(f"{errors[-1, 1]:.2e}" for errors, _, _ in runs))
