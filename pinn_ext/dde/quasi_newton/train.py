"""Quasi-Newton training of a DeepXDE model, in one line in the place of L-BFGS."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

from pinn_ext.checks import ArgumentError, brief, check_list, check_number, check_switch
from pinn_ext.dde.quasi_newton.loop import QuasiNewtonTraining


def train_quasi_newton(
    model: Any,
    iterations: int = 1000,
    *,
    method: str = "ssbroyden",
    gtol: float = 0.0,
    resample_every: int = 0,
    precision: str = "float64",
    memory_limit_gb: float | None = None,
    state: MutableMapping[str, Any] | None = None,
    batch_size: Any = None,
    display_every: int = 100,
    disregard_previous_best: bool = False,
    callbacks: Sequence[Any] | None = None,
    model_save_path: str | None = None,
    verbose: int = 1,
) -> tuple[Any, Any]:
    """Train a compiled DeepXDE model by self-scaled Broyden or BFGS steps.

    Use it in place of `model.compile("L-BFGS")` and `model.train()`, best after some Adam. It
    minimises the weighted loss that the model is compiled with, whatever the loss function, network
    and regularisation (L1 as DeepXDE adds it, L2 as half of the weight decay times the squared
    parameters); external trainable variables are found along. Unlike L-BFGS it keeps all that it
    has learnt about the curvature, in a matrix of 8 P^2 bytes for P parameters (3.2 GB for 20,000),
    and it goes on where losses differ by rounding, as slopes then decide. Callbacks are called at
    every iteration.

    Args:
        model: a `dde.Model` after any `model.compile(…)`.
        iterations: how many further steps to accept at most.
        method: `"ssbroyden"` and `"ssbfgs"` rescale what is known of the curvature at each step,
            `"bfgs"` does not (Urban, Stefanou and Pons, J. Comput. Phys. 523, 2025).
        gtol: it ends when no entry of the gradient is larger, in units of the loss over those of
            the parameters; 0 for rounding to end it.
        resample_every: iterations between two draws of new points in the domain, 0 for never; some
            hundred are wanted, as curvature is learnt from steps on the same points.
            `dde.callbacks.PDEPointResampler` works as well. Data whose `train_distribution` is the
            same at each draw (DeepXDE's default is) draw by "pseudo".
        precision: `"float64"` lets a float32 model, and DeepXDE, compute in float64 until the
            training ends; its parameters are float32 again then. `"own"` leaves the float type as
            it is: parameters and curvature are kept in float64, but losses differ in seven digits
            only. A model in float64 is left alone.
        memory_limit_gb: for the matrix, in GiB; None takes three quarters of what is free.
        state: a dictionary for what a later call needs to go on: an empty one is filled, one that
            is filled is taken up, curvature and parameters, and filled anew. It can be saved by
            `torch.save` and loaded elsewhere; a training then goes on bit for bit.
        batch_size: as in `model.train`.
        display_every: iterations between two lines of DeepXDE's table, and tests.
        disregard_previous_best: as in `model.train`.
        callbacks: DeepXDE's and ours, called as in `model.train`. The weights of an
            `AdaptiveWeights` stay as they are; with its `second_phase="blocks"` they move, once
            each of its periods, and the curvature is kept.
        model_save_path: as in `model.train`.
        verbose: 0 prints nothing.

    Returns:
        `losshistory, train_state`, as `model.train` does.

    Raises:
        ArgumentError: if an argument is out of range.
        MemoryError: if there is no room for the matrix, with the bytes that are needed and what to
            take instead; if memory runs out in a step the model has the parameters of the last
            accepted one.
        ValueError: if the model cannot be trained, such as a loss that is not finite.

    Example:
        >>> import deepxde as dde
        >>> import pinn_ext
        >>> line = dde.geometry.Interval(0, 1)
        >>> ends = dde.icbc.DirichletBC(line, lambda x: 0 * x, lambda x, on: on)
        >>> data = dde.data.PDE(line, lambda x, y: dde.grad.hessian(y, x) + 1, [ends], 16, 2)
        >>> model = dde.Model(data, dde.nn.FNN([1, 8, 1], "tanh", "Glorot normal"))
        >>> model.compile("adam", lr=1e-3, verbose=0)
        >>> losses, state = pinn_ext.train_quasi_newton(model, 30, verbose=0)
        >>> (losses.loss_train[-1].sum() < 0.1 * losses.loss_train[0].sum()).item()
        True
    """
    check_switch("disregard_previous_best", disregard_previous_best)
    number = int(verbose) if isinstance(verbose, bool) else verbose
    verbose = check_number("verbose", number, 0, integer=True)
    check_number("iterations", iterations, 0, integer=True)
    if callbacks is not None:
        callbacks = check_list("callbacks", callbacks, "be a list of DeepXDE's callbacks")
    if state is not None and not isinstance(state, MutableMapping):
        raise ArgumentError("state", "be a dictionary, an empty one to begin with", brief(state))
    training = QuasiNewtonTraining(
        model,
        method=method,
        gtol=gtol,
        resample_every=resample_every,
        precision=precision,
        memory_limit_gb=memory_limit_gb,
        batch_size=batch_size,
        verbose=verbose,
    )
    if state:
        training.load_state_dict(state)
        training.converged = False  # whoever calls again wants to go on
        state.clear()  # the matrix is changed in place from now on
    try:
        training.run(
            training.done + iterations,
            display_every=display_every,
            disregard_previous_best=disregard_previous_best,
            callbacks=callbacks,
        )
    finally:
        if state is not None:
            state.update(training.state_dict())
    if model_save_path is not None:
        model.save(model_save_path, verbose=verbose)
    return model.losshistory, model.train_state
