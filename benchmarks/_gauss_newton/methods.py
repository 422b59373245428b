"""Methods to train the same DeepXDE model for the same seconds.

Settings of DeepXDE's optimisers are the best of short trials (30 to 40 s of one core, soft
Brusselator and Burgers in two dimensions); worst errors of the trials stand beside them.
"""

from __future__ import annotations

import contextlib
import io
import math
import time
from collections.abc import Callable
from typing import Any

import _devices
import deepxde as dde
import torch

import pinn_ext
from _gauss_newton.cases import Problem

FOREVER = 10**9  # iterations: the clock ends every training
LOOKS = 40  # at the error in the course of a training


class Run(dde.callbacks.Callback):
    """Stops a training by the clock, and notes errors; the time this takes is not counted.

    The clock is read once the device is done, in each step of every method.

    Args:
        problem: what is trained.
        seconds: for all phases of the training together.
        of_cores: whether seconds are those of all cores that this process has used, which other
            work on the machine does not add to.
    """

    def __init__(self, problem: Problem, seconds: float, of_cores: bool = False) -> None:
        super().__init__()
        self.problem, self.seconds, self._of_cores = problem, seconds, of_cores
        self.course: list[tuple[float, float]] = []  # seconds, error of the worse field
        self._until = seconds
        self._start = self._now()

    @property
    def elapsed(self) -> float:
        """Seconds of training so far."""
        return self._now() - self._start

    def train(self, share: float, **options: Any) -> None:
        """Train with the compiled optimiser until a share of the seconds has passed."""
        self._until = share * self.seconds
        self.problem.model.train(callbacks=[self], display_every=FOREVER, verbose=0, **options)

    def on_batch_end(self) -> None:
        """Look at the clock."""
        if self.elapsed >= self._until:
            self.model.stop_training = True
        if self.elapsed >= self.seconds * (len(self.course) + 1) / LOOKS:
            self.look()

    def look(self) -> None:
        """Note the error."""
        now = self.elapsed
        self.course.append((now, max(self.problem.errors())))
        self._start += self.elapsed - now

    def _now(self) -> float:
        return time.process_time() if self._of_cores else _devices.clock(self.problem.device)


def gauss_newton(run: Run) -> None:
    """Ours, from the start, with its defaults but for the tolerance: the clock ends it."""
    run.problem.compile("adam", lr=1e-3)
    pinn_ext.train_gauss_newton(
        run.problem.model,
        FOREVER,
        tolerance=0.0,
        display_every=FOREVER,
        callbacks=[run],
        verbose=0,
    )


def adam(run: Run, share: float = 1.0, peak: float = 1e-2) -> None:
    """Adam whose learning rate falls along a cosine to a thousandth, by the clock.

    Peaks of 2e-3, 5e-3 and 1e-2: 1.2e-1, 1e-1 and 2.3e-2 on the Brusselator.
    """

    def factor(step):
        part = min(run.elapsed / (share * run.seconds), 1.0)
        return max(0.5 * (1.0 + math.cos(math.pi * part)), 1e-3)

    run.problem.compile("adam", lr=peak, decay=("lambda", factor))
    run.train(share, iterations=FOREVER)


def lbfgs(run: Run, share: float) -> None:
    """L-BFGS with a strong Wolfe search, started again where it gives up before the time.

    A history of 100 or 200: 4.4e-4 and 3.3e-4. Weights of the conditions 10 times as large: 7.8e-4.
    """
    dde.optimizers.set_LBFGS_options(maxcor=200, ftol=0.0, gtol=0.0, maxiter=FOREVER)
    options = dde.optimizers.config.LBFGS_options
    # Callbacks are called once a block; `set_LBFGS_options` leaves its length as it was.
    options.update(iter_per_step=50, fun_per_step=100)
    model, before = run.problem.model, -1
    while run.elapsed < share * run.seconds and model.train_state.step > before:
        before = model.train_state.step
        run.problem.compile("L-BFGS")
        run.train(share)


def adam_lbfgs(run: Run) -> None:
    """Adam for a quarter of the time, then L-BFGS.

    A sixth, a quarter and a half: 4.0e-4, 4.4e-4 and 5.4e-4; a peak of 5e-3 is enough here.
    """
    adam(run, 1 / 4, 5e-3)
    lbfgs(run, 1.0)


def nncg(run: Run) -> None:
    """NNCG until the time is over, or until it gives up.

    DeepXDE's defaults take up to 1000 products with the Hessian a step, half a minute here. Ranks
    and products of (20, 50) and (50, 20), mu of 1e-3 and 1e-4: 6.4e-4 and 7.5e-4; L-BFGS had left
    1.1e-3 and 8.5e-4. NNCG gives up where the sketch of its Hessian has no Cholesky factor; its
    training ends there.
    """
    dde.optimizers.set_NNCG_options(rank=20, mu=1e-3, updatefreq=20, cgtol=1e-16, cgmaxiter=50)
    run.problem.compile("NNCG")
    # It says of each step that it is inexact.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(torch.linalg.LinAlgError):
        run.train(1.0, iterations=FOREVER)


def adam_nncg(run: Run) -> None:
    """Adam, L-BFGS until 0.6 of the time, then NNCG, in the order of Rathore et al. (2024)."""
    adam(run, 1 / 4, 5e-3)
    lbfgs(run, 0.6)
    nncg(run)


METHODS: dict[str, Callable[[Run], None]] = {
    "gauss_newton": gauss_newton,
    "adam": adam,
    "adam_lbfgs": adam_lbfgs,
    "adam_nncg": adam_nncg,
}
