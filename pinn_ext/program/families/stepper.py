"""A network that steps, built again from its checkpoint, and what is known of its roll-outs."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError, check_mapping, check_number
from pinn_ext.choices import FAMILY
from pinn_ext.datasets.families.batch import FamilyBatch
from pinn_ext.datasets.families.batches import FamilyBatches
from pinn_ext.datasets.families.family import Family
from pinn_ext.datasets.families.graphs import FamilyGraphs
from pinn_ext.datasets.outside_files import plural
from pinn_ext.files import RunError, shortened
from pinn_ext.losses.families_from_config import (
    family_of,
    keys_named,
    stepping_network,
)
from pinn_ext.losses.rollout import Rollout, RolloutErrors, relative
from pinn_ext.networks.graph_networks import GraphStepper
from pinn_ext.networks.saved_parameters import check_parameters
from pinn_ext.program import checkpoints
from pinn_ext.program.checkpoints.parts import damaged, saved_config
from pinn_ext.program.families.parts import graphs_of, inputs_of
from pinn_ext.program.problem import files_of
from pinn_ext.program.trained.load import FLOATS, check_files, with_named_file
from pinn_ext.program.trained.places import checkpoint_of
from pinn_ext.schema import Config
from solvers.devices import on_cpu
from solvers.rk4 import (
    NonFiniteStateError,
    UnstableStepError,
    integrate,
    stable_step,
    substeps,
)


@dataclass(frozen=True, eq=False)
class TrainedStepper:
    """A network that steps, with the family that it was trained on.

    Attributes:
        network: `network(batch, tau)` to the state `[N, 2]`; in evaluation mode, its parameters
            without gradients.
        family: the problems.
        config: of the run.
        file: the checkpoint that was read.
    """

    network: GraphStepper
    family: Family
    config: Config
    file: Path

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type that states are computed in."""
        return self.network.centre.dtype

    def test_problems(
        self,
        steps: int,
        advance: Callable[[int], None] | None = None,
        domains: Sequence[str] = (),
    ) -> FamilyGraphs:
        """Return the test problems of the run.

        Args:
            steps: of their references.
            advance: is called after each reference trajectory.
            domains: where they lie, see `Family.on`; none takes those of the training.

        Returns:
            As many as the run has.

        Raises:
            RunError: if there are no such domains, or a problem cannot be made.
        """
        try:
            with keys_named():
                family = self.family.on(domains) if domains else self.family
        except ArgumentError as error:
            raise RunError(str(error)) from None
        family = replace(family, steps=check_number("steps", steps, 1, integer=True))
        graphs = graphs_of(self.config, family, "test", advance)
        assert isinstance(graphs, FamilyGraphs)  # those that have references
        return graphs


def load_stepper(
    run: str | Path,
    *,
    best: bool = False,
    dtype: str | None = None,
    problem_file: str | Path | None = None,
) -> TrainedStepper:
    """Return the network of a run on a family; torch's default float type stays what it is.

    Args:
        run: folder of a run, or a checkpoint.
        best: whether to take the best network by validation losses instead of the last one.
        dtype: `"float32"` or `"float64"`; None takes that of the saved parameters.
        problem_file: the Python file of a run with `problem=from_file`, which is code.

    Returns:
        The network with its family, on the CPU.

    Raises:
        RunError: if there is no run, it has a network of another kind, or is damaged.
    """
    file = checkpoint_of(run, best)
    saved = checkpoints.load(file, ("model_state_dict", "config"))
    cfg = saved_config(file, with_named_file(file, saved, problem_file))
    if cfg.dataset.name != FAMILY:
        raise RunError(
            f"The run {shortened(file.parent)} has a network of positions and times, which steps "
            "nothing: `pinn-ext predict` gives its fields."
        )
    with torch.inference_mode(False), on_cpu():
        try:
            family = family_of(cfg)
            inputs = inputs_of(family)
        except ValueError as error:  # a system or constant that is not here, a mesh that is gone
            raise RunError(f"The checkpoint {file} cannot be built again: {error}") from None
        network = stepping_network(cfg, family)
        state = saved["model_state_dict"]
        with damaged(file, "model_state_dict"):
            check_mapping("model_state_dict", state)
            check_parameters(network, state)
            saved_type = state["centre"].dtype
            network.to(saved_type).load_state_dict(state)
        network.to(saved_type if dtype is None else FLOATS[dtype]).eval().requires_grad_(False)
    check_files(file, saved, files_of(family.system, inputs))
    return TrainedStepper(network, family, cfg, file)


@dataclass(frozen=True, eq=False)
class Comparison:
    """A roll-out beside a solver that takes the same graphs.

    Attributes:
        rollout: of the network.
        substeps: Runge-Kutta steps that the solver takes in all.
        solver_seconds: that it took for all of them.
        solver_errors: its relative L2 error of each field at each time `[steps + 1, 2]`.
    """

    rollout: Rollout
    substeps: int
    solver_seconds: float
    solver_errors: Tensor


def compare(stepper: TrainedStepper, problems: FamilyGraphs) -> Comparison:
    """Return the roll-out of a network on test problems, beside Runge-Kutta steps on their graphs.

    Both are computed in the float type of the network, on the CPU, all problems together.

    Args:
        stepper: the network.
        problems: of `stepper.test_problems`.

    Returns:
        States and times that both took.
    """
    family = problems.family
    limit = family.horizon  # of loss terms, of which a roll-out has none
    measure = RolloutErrors(problems, limit, "cpu", stepper.dtype)
    measure.rollout(stepper.network, 1)  # what is built once is no part of a step
    rollout = measure.rollout(stepper.network)
    batches = FamilyBatches(problems, limit, "cpu", stepper.dtype)
    batch = batches.everything(torch.zeros(len(problems), device="cpu"))
    states, made, seconds = _by_runge_kutta(batch, family)
    return Comparison(rollout, made, seconds, relative(states.double(), rollout.reference))


def _by_runge_kutta(batch: FamilyBatch, family: Family) -> tuple[Tensor, int, float]:
    """Return states `[steps + 1, N, 2]`, the number of Runge-Kutta steps, and their seconds.

    Each is as long as is stable where it starts; what becomes infinite all the same is NaN.
    """
    states, made, seconds = [batch.x], 0, 0.0
    for number in range(family.steps):
        start = states[-1]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # of growth, which reactions have
                limit = stable_step(batch.equation, start)
            begin, at = time.perf_counter(), number * family.horizon
            found = integrate(
                batch.equation, start, at, at + family.horizon, family.horizon,
                limit=limit, compile=False, progress=False,
            )  # fmt: skip
            seconds += time.perf_counter() - begin
            made += substeps(family.horizon, limit)
        except (NonFiniteStateError, UnstableStepError):
            found = torch.full_like(start, math.nan)
        states.append(found)
    return torch.stack(states), made, seconds


def table(comparison: Comparison) -> list[dict[str, float]]:
    """Return a roll-out as rows, one a time.

    Args:
        comparison: of the roll-out.

    Returns:
        Flat rows of numbers: step, time, errors of the network, of the frozen state and of the
        solver by field, and the means of the fields beside the reference's.
    """
    rollout = comparison.rollout
    own, known = rollout.means()
    columns: list[tuple[str, Tensor]] = [
        ("error", rollout.errors()),
        ("frozen", rollout.frozen()),
        ("rk4", comparison.solver_errors),
        ("mean", own),
        ("mean_reference", known),
    ]
    rows = []
    for step, moment in enumerate(rollout.times.tolist()):
        row: dict[str, float] = {"step": step, "t": moment}
        for name, values in columns:
            u, v = values[step].tolist()
            row |= {f"{name}_u": u, f"{name}_v": v}
        rows.append(row)
    return rows


def lines(comparison: Comparison, rows: Sequence[dict[str, float]]) -> list[str]:
    """Return a roll-out as lines of text for a terminal."""
    rollout, last = comparison.rollout, rows[-1]
    problems, steps = len(rollout.sizes), len(rows) - 1
    text = [f"{'step':>5}{'t':>9}{'error u':>11}{'error v':>11}{'frozen u':>11}{'frozen v':>11}"]
    for row in rows[1:]:
        numbers = "".join(f"{row[k]:11.2e}" for k in ("error_u", "error_v", "frozen_u", "frozen_v"))
        text.append(f"{int(row['step']):5d}{row['t']:9.4g}{numbers}")
    if lost := [row for row in rows if not math.isfinite(row["error_u"] + row["error_v"])]:
        text.append(
            f"The roll-out leaves all bounds: from step {int(lost[0]['step'])} on it has no error. "
            "The network needs more training, or these problems are too far from those it knows."
        )
    worst = rollout.each().amax(dim=0).tolist()
    text.append(f"The worst problem at the end: u {worst[0]:.2e}, v {worst[1]:.2e}.")
    text.append(
        f"Means at the end: u {last['mean_u']:.4g} (reference {last['mean_reference_u']:.4g}), "
        f"v {last['mean_v']:.4g} ({last['mean_reference_v']:.4g})."
    )
    text.append(
        f"The network took {rollout.seconds:.3g} s for {plural(steps, 'step')} of "
        f"{plural(problems, 'problem')}; {plural(comparison.substeps, 'Runge-Kutta step')} on the "
        f"same graphs took {comparison.solver_seconds:.3g} s, and end at u {last['rk4_u']:.2e}, "
        f"v {last['rk4_v']:.2e}."
    )
    return text
