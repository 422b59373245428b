"""Second-order training of a DeepXDE model, as easy as L-BFGS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pinn_ext.checks import check_list, check_number, check_switch
from pinn_ext.dde.gauss_newton.loop import GaussNewtonTraining


def train_gauss_newton(
    model: Any,
    iterations: int = 100,
    *,
    tolerance: float = 1e-4,
    damping: str = "bold",
    geodesic: bool = True,
    solver: str = "auto",
    weights: str = "keep",
    resample_every: int = 0,
    memory_limit_gb: float | None = None,
    sketch: int | str | None = None,
    bounds: Sequence[tuple[Any, float | None, float | None]] = (),
    batch_size: Any = None,
    display_every: int = 10,
    disregard_previous_best: bool = False,
    callbacks: Sequence[Any] | None = None,
    model_save_path: str | None = None,
    verbose: int = 1,
) -> tuple[Any, Any]:
    """Train a compiled DeepXDE model by damped Gauss-Newton steps on its weighted residuals.

    Use it in place of `model.compile("L-BFGS")` and `model.train()`, best in float64
    (`dde.config.set_default_float("float64")`), from the start or after Adam. What is minimised is
    the weighted loss that the model is compiled with, which must be "MSE", and an L2
    regularisation; external trainable variables are found along with the network. Callbacks are
    called at every iteration. An iteration takes about the time of one product `J^T J` of the
    Jacobian, so it is meant for up to some thousand parameters; beyond the memory limit the
    Jacobian is not held, but made in blocks, or products `J v` are used.

    Args:
        model: a `dde.Model` after any `model.compile(…)`.
        iterations: how many steps to accept at most.
        tolerance: it ends when the loss falls by less than this part of itself in five
            iterations in a row.
        damping: rule of the damping, one of `solvers.gauss_newton.DAMPINGS`.
        geodesic: whether steps are bent along the residuals' second derivative, for one more
            evaluation each.
        solver: one of `solvers.gauss_newton.SOLVERS`.
        weights: `"keep"` leaves the loss weights as they are, those of an `AdaptiveWeights` among
            the callbacks too; `"balance"` sets them by the curvature of the terms over the first
            iterations, whatever they were; `"adapt"` lets `AdaptiveWeights` move them after
            accepted steps.
        resample_every: iterations between two draws of new points in the domain, 0 for never. Helps
            where there are few; `dde.callbacks.PDEPointResampler` works as well. Data whose
            `train_distribution` is the same at each draw (DeepXDE's default is) draw by "pseudo".
        memory_limit_gb: for Jacobian and matrices, in GiB; None takes half of what is free. Where
            the Jacobian does not fit, it is made in blocks of rows and `J^T J` summed over them.
        sketch: solves through a random sketch of the rows, for many of them: `"auto"` where there
            are so many that it pays, with four rows a parameter; a number of rows, at least as many
            as parameters; None never. The gradient stays exact.
        bounds: `(variable, low, high)` for external trainable variables, such as coefficients that
            must be positive, in units of the variable; None for no bound to that side. No residual
            is evaluated outside.
        batch_size: as in `model.train`.
        display_every: iterations between two lines of DeepXDE's table, and tests.
        disregard_previous_best: as in `model.train`.
        callbacks: DeepXDE's and ours, called as in `model.train`.
        model_save_path: as in `model.train`.
        verbose: 0 prints nothing.

    Returns:
        `losshistory, train_state`, as `model.train` does.

    Raises:
        MemoryError: if there is no room for any solver, or memory runs out in a step: the model has
            the parameters of the last accepted one then.
        ValueError: if an argument is out of range, or the model has no residuals to work on: see
            `pinn_ext.dde.model.residual_rows`.

    Example:
        >>> import deepxde as dde
        >>> import numpy as np
        >>> import pinn_ext
        >>> line = dde.geometry.Interval(0, 1)
        >>> def pde(x, y): return dde.grad.hessian(y, x) + np.pi**2 * dde.backend.sin(np.pi * x)
        >>> ends = dde.icbc.DirichletBC(line, lambda x: 0 * x, lambda x, on: on)
        >>> data = dde.data.PDE(line, pde, [ends], 60, 2)
        >>> model = dde.Model(data, dde.nn.FNN([1, 8, 1], "tanh", "Glorot normal"))
        >>> model.compile("adam", lr=1e-3, verbose=0)
        >>> losses, state = pinn_ext.train_gauss_newton(model, 20, verbose=0)
        >>> abs(model.predict(np.array([[0.5]], "float32")).item() - 1) < 1e-2
        True
    """
    check_switch("geodesic", geodesic)
    check_switch("disregard_previous_best", disregard_previous_best)
    number = int(verbose) if isinstance(verbose, bool) else verbose
    verbose = check_number("verbose", number, 0, integer=True)
    if callbacks is not None:
        callbacks = check_list("callbacks", callbacks, "be a list of DeepXDE's callbacks")
    training = GaussNewtonTraining(
        model,
        tolerance=tolerance,
        damping=damping,
        geodesic=geodesic,
        solver=solver,
        weights=weights,
        resample_every=resample_every,
        memory_limit_gb=memory_limit_gb,
        sketch=sketch,
        bounds=bounds,
        batch_size=batch_size,
        verbose=verbose,
    )
    training.run(
        iterations,
        display_every=display_every,
        disregard_previous_best=disregard_previous_best,
        callbacks=callbacks,
    )
    if model_save_path is not None:
        model.save(model_save_path, verbose=verbose)
    return model.losshistory, model.train_state
