"""A training that goes through time slab by slab."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import deepxde as dde
import numpy as np
import torch

from pinn_ext import random_state
from pinn_ext.checks import ArgumentError, check_number, check_switch
from pinn_ext.dde.model.loss_terms import trained_tensors
from pinn_ext.dde.model.notes import ask_for_end, note, take_end
from pinn_ext.dde.slabs import building
from pinn_ext.dde.slabs.checkpoints import Checkpoints, fill
from pinn_ext.dde.slabs.saver import STEPS_MADE
from pinn_ext.dde.slabs.slab import Function, Projection, Slab
from pinn_ext.dde.slabs.solution import SlabSolution, evaluate

_POOR = 0.01  # of the loss of a slab's start, carried on unchanged: a digit of its residual
_UNUSUAL = 10.0  # times the median of the former slabs: a start is no bad guess of what rests

Reference = Callable[[np.ndarray], np.ndarray]


def march(
    builder: Callable[[Slab], Any],
    slabs: Sequence[float],
    initial: Function,
    *,
    iterations: int | None = None,
    train: Callable[[Any, Slab], Any] | None = None,
    initial_rate: Function | None = None,
    order: int = 2,
    project: Projection | None = None,
    warm_start: bool = True,
    reference: Reference | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    save_every: int = 0,
    verbose: int = 1,
) -> SlabSolution:
    """Train through time in slabs, each with a network that starts where the former one ends.

    The end of a slab is the next one's start as hard data: `slab.start(x)` is built into the
    network's output, with exact derivatives. It is computed once at each set of points and kept, so
    that a step costs in the last slab what it costs in the first.

    Args:
        builder: `builder(slab)` returns a compiled `dde.Model` on the times `slab.lower` to
            `slab.upper`, time being the last input, with a new network that begins at
            `slab.start(x)`; `net.apply_output_transform(slab.transform)` makes it so.
        slabs: times between the slabs, both ends included, such as `np.linspace(0, 1, 5)` for four.
        initial: the fields `[N, F]` at the first time, a torch function of points and times
            `[N, D]`. A network may have further outputs after these, which have no start.
        iterations: how many steps `model.train` makes a slab, with the compiled optimiser; L-BFGS
            needs none.
        train: `train(model, slab)` in place of that, for anything else: Adam and then L-BFGS,
            `train_gauss_newton`, callbacks. If it returns text, that is the reason of its end.
        initial_rate: time derivatives of the fields `[N, F]` at the first time, where the builder
            uses `slab.start_rate(x)`, as for a wave equation.
        order: of the highest derivative that the equation takes; 4 for Kuramoto and Sivashinsky.
            One beyond it is an error, not 0.
        project: `project(end)` returns the start of the next slab in place of the end of the former
            one, both functions of positions `[N, d]` to fields `[N, F]`, such as an interpolation
            of it. It is called once a slab, and what it returns is not to call `end`: then no
            former network is evaluated at new points. What it leaves out is a jump.
        warm_start: whether a slab's network, and external variables, begin with the parameters of
            the former one's.
        reference: solution `[N, F]` in numpy at points and times `[N, D]`, for errors.
        folder: where slabs are saved as they end, with the report `slabs.json`; None for nowhere.
        resume: whether slabs that the folder holds are taken from there; the builder is called for
            them too. On the CPU what follows is bit for bit what it would have been.
        save_every: steps between two states that are saved inside a slab, for `resume` to go on
            from; 0 for none. With `train` it is up to that: see `Slab.saver`.
        verbose: 0 prints nothing, 1 a line a slab, 2 DeepXDE's tables too.

    Returns:
        The solution over all slabs. Where a training ends in numbers that are not finite, the
        slabs before it, and a warning. A slab that was learnt poorly is warned of, too: its loss is
        above a hundredth of that of its start carried on unchanged, and ten times as large as the
        median of those before.

    Raises:
        ArgumentError: if an argument is out of range; if a model is not on the times of its slab,
            does not begin at the start, or is of another system than the first.
        pinn_ext.files.RunError: if the folder holds slabs and `resume` is False, if they do not
            fit, or if it cannot be written.

    Example:
        >>> import deepxde as dde
        >>> import torch
        >>> import pinn_ext
        >>> def build(slab):  # u_t = -u, from 1
        ...     times = dde.geometry.TimeDomain(slab.lower, slab.upper)
        ...     data = dde.data.PDE(times, lambda t, u: dde.grad.jacobian(u, t) + u, [], 12)
        ...     net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
        ...     net.apply_output_transform(slab.transform)
        ...     model = dde.Model(data, net)
        ...     model.compile("adam", lr=1e-2, verbose=0)
        ...     return model
        >>> edges = [0.0, 0.5, 1.0]
        >>> solution = pinn_ext.march(build, edges, torch.ones_like, iterations=50, verbose=0)
        >>> solution.complete, abs(solution.predict([[1.0]]).item() - 0.368) < 0.1
        (True, True)
    """
    edges = building.check_edges(slabs)
    _check_functions(builder=builder, initial=initial)
    check_number("order", order, 1, integer=True)
    check_switch("warm_start", warm_start)
    check_switch("resume", resume)
    check_number("save_every", save_every, 0, integer=True)
    check_number("verbose", verbose, 0, integer=True)
    run = _default_training(iterations, save_every, verbose) if train is None else train
    if train is not None and (iterations is not None or save_every):
        name = "save_every" if iterations is None else "iterations"
        got = save_every if iterations is None else iterations
        raise ArgumentError(name, "be left out where `train` is given", got)
    given = {
        "train": train,
        "initial_rate": initial_rate,
        "reference": reference,
        "project": project,
    }
    _check_functions(**{name: function for name, function in given.items() if function is not None})
    files = Checkpoints(folder, edges, resume)
    progress = _March(builder, run, files, warm_start, reference, SlabSolution(edges), verbose)
    former: Slab | None = None
    for number in range(len(edges) - 1):
        slab = Slab(number, edges, former, initial, initial_rate, order, project)
        if not progress.take(slab):
            break
        if former is not None:
            former.forget()
        former = slab
    return progress.solution


class _March:
    """What stays the same from slab to slab, and the solution as it grows."""

    def __init__(
        self,
        builder: Callable[[Slab], Any],
        train: Callable[[Any, Slab], Any],
        files: Checkpoints,
        warm_start: bool,
        reference: Reference | None,
        solution: SlabSolution,
        verbose: int,
    ) -> None:
        self._builder, self._train, self._files = builder, train, files
        self._warm_start, self._reference, self._verbose = warm_start, reference, verbose
        self.solution = solution
        self._first: building.System | None = None

    def take(self, slab: Slab) -> bool:
        """Train a slab, or take it from its file; False where its training failed."""
        models = self.solution.models
        model = building.build(self._builder, slab, models)
        system = building.look_at(model, slab)
        self._first = self._first or system
        building.check_same(system, self._first, slab)
        saved = self._files.trained(slab.number)
        if saved is not None:
            fill(model, saved, f"slab {slab.number} in {self._files.folder}")
            random_state.set_state(saved["random"])
            self.solution.add(slab, model, saved["row"])
            return True
        if self._warm_start and models:
            building.warm_start(model, models[-1])
        self._files.take_up(slab, model)
        slab.keep_with(self._files.save_started)
        exact = self._exact(slab, model)
        ask_for_end(model)
        begun = time.perf_counter()
        reason = _reason(self._train(model, slab), model)
        note(model, broken_off=None)  # of a training that was not gone on with
        row = self._row(slab, model, time.perf_counter() - begun, reason)
        if not _is_finite(model):
            self._fail(slab, row)
            return False
        self._look_back(slab, model, row)
        self.solution.add(slab, model, row)
        row["errors"] = None if exact is None else _errors(model, exact)
        self._files.save_trained(slab, model, row)
        self._files.save_report(self.solution.rows)
        self._say(row)
        return True

    def _row(self, slab: Slab, model: Any, seconds: float, reason: str) -> dict[str, Any]:
        loss = _loss(model)
        return {
            "slab": slab.number,
            "lower": slab.lower,
            "upper": slab.upper,
            "steps": int(model.train_state.step),
            "loss": loss if np.isfinite(loss) else None,
            "start_loss": None,
            "errors": None,
            "seconds": seconds,
            "start_sets": sum(kept.computed for kept in slab.all_kept),
            "start_seconds": sum(kept.seconds for kept in slab.all_kept),
            "end": reason,
        }

    def _exact(self, slab: Slab, model: Any) -> np.ndarray | None:
        """Return the reference `[N, F]` at the test points of a model."""
        if self._reference is None:
            return None
        points = model.data.test()[0]
        exact = np.asarray(self._reference(points), dtype=float)
        if exact.shape != (len(points), slab.fields):
            wanted = f"return values of shape [{len(points)}, {slab.fields}]"
            raise ArgumentError("reference", wanted, f"shape {list(exact.shape)}")
        return exact

    def _fail(self, slab: Slab, row: dict[str, Any]) -> None:
        row["end"] = f"failed with numbers that are not finite ({row['end']})"
        self.solution.rows.append(row)
        self._files.save_report(self.solution.rows)
        self._say(row)
        warnings.warn(
            f"The training of slab {slab.number} ({slab.lower:g} to {slab.upper:g}) ended in "
            "numbers that are not finite: the solution ends where it begins.",
            RuntimeWarning,
            stacklevel=4,
        )

    def _look_back(self, slab: Slab, model: Any, row: dict[str, Any]) -> None:
        """Warn of a slab that was learnt poorly, as all that follows starts from its end."""
        own, row["start_loss"] = building.losses_beside_start(model, slab)
        former = [other["loss"] for other in self.solution.rows if other["loss"] is not None]
        is_usual = former and own <= _UNUSUAL * float(np.median(former))
        if own < _POOR * row["start_loss"] or is_usual or row["start_loss"] == 0:
            return
        warnings.warn(
            f"Slab {slab.number} ({slab.lower:g} to {slab.upper:g}) is poorly learnt: its loss is "
            f"{own:.1e}, where its start carried on unchanged has {row['start_loss']:.1e}, and all "
            "that follows starts from its end. Train it longer, make it shorter, or begin with "
            "some steps of Adam or with new parameters (warm_start=False).",
            RuntimeWarning,
            stacklevel=4,
        )

    def _say(self, row: dict[str, Any]) -> None:
        if self._verbose > 0:
            text = "" if row["loss"] is None else f"loss {row['loss']:.2e}, "
            if row["errors"] is not None:
                text += f"error {', '.join(f'{e:.2e}' for e in row['errors'])}, "
            print(
                f"Slab {row['slab'] + 1} of {len(self.solution.edges) - 1}, "
                f"t = {row['lower']:g} to {row['upper']:g}: {row['steps']} steps, "
                f"{text}{row['seconds']:.1f} s, {row['end']}.",
                flush=True,
            )


def _check_functions(**functions: Any) -> None:
    for name, function in functions.items():
        if not callable(function):
            raise ArgumentError(name, "be a function", repr(function))


def _default_training(
    iterations: int | None, save_every: int, verbose: int
) -> Callable[[Any, Slab], None]:
    """Return the training by `model.train`, which can be resumed between its steps."""
    if iterations is not None:
        check_number("iterations", iterations, 1, integer=True)

    def train(model: Any, slab: Slab) -> None:
        left = None if iterations is None else max(iterations - slab.done, 0)
        model.train(
            iterations=left,
            display_every=1000 if verbose > 1 else 10**9,
            callbacks=[slab.saver(save_every)] if save_every else None,
            verbose=max(verbose - 1, 0),
        )

    return train


def _reason(returned: Any, model: Any) -> str:
    """Return why a training ended, in the words of the training function if it has any."""
    why = take_end(model)
    if isinstance(returned, str):
        return returned.rstrip(".")
    if why is not None:
        return why
    return "stopped by a callback" if model.stop_training else STEPS_MADE


def _errors(model: Any, exact: np.ndarray) -> list[float]:
    """Return the relative L2 error of each field at the test points, where the start is kept."""
    device = next(model.net.parameters()).device
    points = torch.as_tensor(model.data.test()[0], dtype=dde.config.real(torch), device=device)
    found = evaluate(model.net, points)[:, : exact.shape[1]].astype(float)
    sizes = np.maximum(np.linalg.norm(exact, axis=0), np.finfo(float).tiny)
    return (np.linalg.norm(found - exact, axis=0) / sizes).tolist()


def _loss(model: Any) -> float:
    """Return the weighted loss of training, NaN where nothing was trained by DeepXDE's loop."""
    losses = model.train_state.loss_train
    return float("nan") if losses is None else float(np.sum(losses))


def _is_finite(model: Any) -> bool:
    if model.train_state.loss_train is not None and not np.isfinite(_loss(model)):
        return False
    return all(bool(torch.isfinite(tensor).all()) for tensor in trained_tensors(model))
