"""Adaptive loss weights as a module, for training loops without DeepXDE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pinn_ext.adaptive_weights import AdaptiveLossWeights, WeightSettings
from pinn_ext.adaptive_weights import checks as checked
from pinn_ext.adaptive_weights.settings import FOR_TRAINING
from pinn_ext.adaptive_weights.updater import Updater
from pinn_ext.checks import check_number
from pinn_ext.measurements import processes
from pinn_ext.measurements.last_layers import of_module
from pinn_ext.measurements.meter import Meter, check_parameters
from pinn_ext.networks.normalization import warn_of_graph, warn_of_layers
from pinn_ext.plain_torch.agreement import Agreement
from pinn_ext.plain_torch.arguments import (
    StepCounter,
    check_left_out,
    checked_length,
    kernel_rows,
    stacked_losses,
)
from pinn_ext.plain_torch.device_period import DevicePeriod
from pinn_ext.plain_torch.point_losses import PointLosses, points_of
from pinn_ext.plain_torch.saved_state import check_state
from pinn_ext.plain_torch.uncompiled import uncompiled
from pinn_ext.point_weights.rows import mean_square


class LossAggregator(nn.Module):
    """Adds loss terms up with adaptive weights: `total = aggregator(losses, step)`.

    The call is that of PhysicsNeMo-Sym's aggregators. The module has no parameters and leaves the
    optimiser alone. It sees the raw losses of each training step; after every `period` of them the
    strategy looks at their means and moves the weights, which act from the next step on. Further
    calls with the same `step` (a line search, a batch in parts) are weighted alike and not
    counted; in evaluation mode and under `torch.no_grad` the weights stay as well. A loss that is
    not finite makes its period unusable: a warning, and nothing changes.

    `state_dict` holds all that an exact continuation needs, the unfinished period included. Under
    `torch.distributed` the strategy sees the means over the processes, so that all of them hold
    the same weights; each process has to call it at each step.

    Strategies that weigh points (`rba`, `sa_pinn`, `brdr`, `causal`) get residuals in place of
    losses. The total is `sum_i w_i mean (f r)^2`; the factors f of the points move in each counted
    step unless a residual is not finite, while the weights w stay, and the manager sees the means
    of the raw squares. Each term is a block of points by itself; processes do not share factors.
    Only `causal` reads numbers from the device in each step.

    The cost of a step is a stack and a sum of `k` numbers; values leave their device once a
    period. Strategies that read gradients cost a backward pass a term at the end of a period.

    Args:
        strategy: one of `pinn_ext.strategies.names()` but `"auto"`.
        names: of the `k` loss terms.
        parameters: of the network, or the network itself, for strategies that read gradients; of
            the network itself, layers whose third derivatives torch gets wrong are named.
        period: steps between two updates.
        initial_weights: weight of each term before the first update by name, None for ones.
        gradients_of: parameters that gradients are measured on: `"all"`, `"last_layer"`, or a
            part in (0, 1) for as large a random part of the parameter tensors.
        total_steps: length of the training, for strategies that plan by it; None if unknown.
        normalization: scale of the weights, see `AdaptiveLossWeights`; `"total"` keeps the
            weighted sum at an update, which leaves the moments of Adam valid.
        max_ratio: largest ratio of two targets, None for no cap; with a cap, a term whose loss or
            gradient is exactly 0 keeps its weight and takes no part in the balance.
        eps: see `AdaptiveLossWeights`; None is 1e-8 times the geometric mean of the first losses.
        conditions: names of the terms that are conditions or data rather than equations; `rba` and
            `causal` weigh none of their points.
        field_scales: see `AdaptiveLossWeights`.
        time_span: first and last time of the problem, for `causal`.
        points_return: whether points come back that a call has left out, as in mini-batches: they
            keep their factors. False is for points that are drawn again: those that have gone are
            forgotten, new ones start at the mean of the present ones.
        **settings: further arguments of `AdaptiveLossWeights`: `options`, `groups`, `prior`,
            `ema_alpha`, `weight_beta`, `min_weight`, `max_weight`, `max_change`, `warm_up`, …

    Attributes:
        weights: the weights in force `[k]`, dimensionless, in the order of `names`; a buffer.
        manager: the `AdaptiveLossWeights` at work, with its log of `events` and the `penalty` that
            the strategy's objective holds beside the weighted sum.
        points: for a strategy that weighs points their `PointLosses`, with `last_factors()` and
            `statistics()`; None otherwise.
        switches: how often the optimiser has been replaced so far; yours to count, for stages that
            end when it is.

    Raises:
        ValueError: if an argument is out of range, or `parameters` is missing.

    >>> aggregator = LossAggregator("equal_init", ["pde", "bc"])
    >>> total = aggregator({"pde": torch.tensor(4.0), "bc": torch.tensor(1.0)}, step=0)
    >>> total, aggregator.weights, aggregator.next_step
    (tensor(5.), tensor([0.6250, 2.5000]), 1)
    """

    weights: Tensor

    def __init__(
        self,
        strategy: str,
        names: Sequence[str],
        *,
        parameters: nn.Module | Iterable[Tensor] | None = None,
        period: int = 1,
        initial_weights: Mapping[str, float] | None = None,
        gradients_of: str | float = "all",
        total_steps: int | None = None,
        normalization: str = FOR_TRAINING.normalization,
        max_ratio: float | None = FOR_TRAINING.max_ratio,
        eps: float | None = FOR_TRAINING.eps,
        conditions: Sequence[str] = (),
        field_scales: Mapping[str, float] | None = None,
        time_span: Sequence[float] | None = None,
        points_return: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__()
        names, conditions = checked.loss_names(names), checked.condition_names(conditions)
        if initial_weights is None:
            initial_weights = dict.fromkeys(names, 1.0)
        chosen = WeightSettings(
            strategy, normalization=normalization, max_ratio=max_ratio, eps=eps, **settings
        )
        self.manager = AdaptiveLossWeights.from_settings(
            names,
            initial_weights,
            chosen.of_terms(),
            field_scales=field_scales,
            conditions=conditions,
        )
        self.names = self.manager.loss_names
        self.points = points_of(chosen.method, self.names, conditions, time_span, points_return)
        self._period = DevicePeriod(check_number("period", period, 1, integer=True))
        self.total_steps = checked_length(total_steps, period, self.manager)
        self.switches = 0
        self._steps = StepCounter()
        self._strategy = chosen.strategy
        self._agreement = Agreement(
            names=self.names,
            **chosen.as_dict(),
            period=period,
            gradients_of=gradients_of,
            total_steps=total_steps,
            conditions=conditions,
            field_scales=field_scales,
            time_span=None if self.points is None else self.points.span,
            points_return=points_return,
        )
        self._meter = Meter(gradients_of)
        self._measured_on = check_parameters(parameters, self.manager, gradients_of)
        net = parameters if isinstance(parameters, nn.Module) else None
        self._last = None if net is None else of_module(net, self._measured_on)
        self._updater = Updater(self.manager, processes.mean_of_numbers)
        self.register_buffer("weights", torch.ones(len(self.names)))
        self._publish()
        warn_of_layers(parameters, owner=self)

    def forward(
        self,
        losses: Mapping[str, Tensor],
        step: int,
        residuals: Mapping[str, Tensor] | None = None,
        *,
        keys: Mapping[str, Tensor] | None = None,
        times: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Return the weighted sum of the losses; in training, take them in too.

        Args:
            losses: raw (unweighted) loss of every term by name, tensors of shape `[]` with the
                graph that `backward` will take; for a strategy that weighs points the residuals
                of every term, `[N]` or `[N, m]` for m components.
            step: of the optimiser; it must not fall from call to call.
            residuals: of every term `[n, ...]` by name, for strategies that read the tangent
                kernel.
            keys: of the points of a term by its name, whole numbers `[N]` or coordinates `[N, d]`,
                for points that are not the same in the same order in each call.
            times: of the points of a term `[N]` by its name, for `causal`. A strategy does not
                look at what it does not read.

        Returns:
            `sum_i w_i L_i`, shape `[]`, with the weights in force before this call, where L_i is
            `mean (f r)^2` if points are weighed.

        Raises:
            ValueError: if a name is missing or unknown, a loss is not one number, the step falls,
                what the strategy reads is missing, or points cannot be followed.
        """
        if self.points is not None:
            rows = self.points.rows(losses)
            factors = self._factors(self.points, rows, step, keys, times)
            stacked = torch.stack([mean_square(r, f) for r, f in zip(rows, factors, strict=True)])
            return torch.sum(stacked * self.weights.to(stacked))
        check_left_out(self.manager.strategy, keys=keys, times=times)
        stacked = stacked_losses(losses, self.names)
        total = torch.sum(stacked * self.weights.to(stacked))
        if self.training and torch.is_grad_enabled():
            self._observe(losses, stacked.detach(), step, residuals)
        return total

    def train(self, mode: bool = True) -> LossAggregator:
        """Set the mode, as any module does; in training mode the manager's weights are in force.

        Whatever was written to the buffer, such as its average over steps, is so no more.

        Args:
            mode: True for training, False for evaluation.

        Returns:
            The module itself.
        """
        super().train(mode)
        if mode:
            self._publish()
        return self

    def get_extra_state(self) -> dict[str, Any]:
        """Return what `state_dict` holds beside the weights, plain numbers, lists and tensors."""
        points = {} if self.points is None else {"points": self.points.state_dict()}
        return {
            **points,
            "manager": self.manager.state_dict(),
            "period": self._period.state_dict(),
            "epoch": self._updater.epoch,
            "step": self._steps.last,
            "switches": self.switches,
            "meter": self._meter.state_dict() if self._reads_kernel else {"generator": None},
        }

    @torch.inference_mode(False)
    def set_extra_state(self, state: Any) -> None:
        """Continue from what `get_extra_state` returned; `load_state_dict` calls it.

        Args:
            state: the saved state.

        Raises:
            ValueError: if it is incomplete, or of another strategy or other terms.
        """
        check_state(state, self.get_extra_state(), self.points, len(self.names))
        self.manager.load_state_dict(state["manager"])
        if self.points is not None:
            self.points.load_state_dict(state["points"])
        self._period.load_state_dict(state["period"])
        self._updater.epoch, self._steps.last = state["epoch"], state["step"]
        self.switches = state["switches"]
        if self._reads_kernel:
            self._meter.load_state_dict(state["meter"])
        self._agreement.forget()
        self._publish()

    def extra_repr(self) -> str:
        """Return what `print` shows of it."""
        return f"{self._strategy!r}, {self.names}, period={self._period.length}"

    @property
    def next_step(self) -> int:
        """The least `step` that a call can be counted with."""
        return 0 if self._steps.last is None else self._steps.last + 1

    # ---- what a step does -----------------------------------------------------------------------

    @uncompiled
    def _observe(
        self,
        losses: Mapping[str, Tensor],
        values: Tensor,
        step: int,
        residuals: Mapping[str, Tensor] | None,
    ) -> None:
        """Take in the losses of a step; at the end of a period, move the weights."""
        if not self._steps.is_new(step):
            return
        warn_of_graph(losses.values(), owner=self)
        self._check_ranks(values.device)
        if self._period.missing() <= 1:
            self._measure(losses, residuals)
        self._count(values, step)

    @uncompiled
    def _factors(
        self, points: PointLosses, rows: Sequence[Tensor], step: int, keys: Any, times: Any
    ) -> list[Tensor | None]:
        """Return the factors of the points of each term; in a new step, move them before."""
        detached = [own.detach() for own in rows]
        places = points.places(detached, keys, times)
        if not (self.training and torch.is_grad_enabled() and self._steps.is_new(step)):
            return points.factors(detached, places, moves=False)
        warn_of_graph(rows, owner=self)
        raw = torch.stack([mean_square(own) for own in detached])
        self._check_ranks(raw.device)
        finite = torch.isfinite(raw).all()  # a factor that became NaN would stay NaN
        if raw.is_cpu or not points.strategy.state_on_device:
            factors = points.factors(detached, places, moves=bool(finite))
        else:
            factors = points.factors(detached, places, True, finite)
        self._count(raw, step)
        return factors

    def _count(self, values: Tensor, step: int) -> None:
        """Count a step with its raw losses `[k]`."""
        self._steps.last = int(step)
        self._period.add(values)
        if self._period.missing() <= 0:
            self._end_period()

    @property
    def _reads_kernel(self) -> bool:
        return "ntk" in self.manager.needs

    def _measure(
        self, losses: Mapping[str, Tensor], residuals: Mapping[str, Tensor] | None
    ) -> None:
        """Measure what the strategy reads at the end of the period, while the graph is alive."""
        self._meter.prepare(self.manager, self._updater.acts_next())
        wanted = self._meter.wants_residuals
        rows = kernel_rows(residuals, self.names, self.manager.strategy) if wanted else []
        terms = [losses[name] for name in self.names]
        self._meter.take(self.manager, terms, rows, self._measured_on, last=self._last)

    def _end_period(self) -> None:
        done = (self._updater.epoch + 1) * self._period.length
        self._updater.update(
            self._period.close(),
            gradients=self._meter.gradients,
            ntk=self._meter.ntk,
            progress=None if self.total_steps is None else min(done / self.total_steps, 1.0),
            switches=self.switches,
        )
        self._meter.clear()
        self._publish()

    @torch.inference_mode(False)  # a tensor of inference could take no part in a backward pass
    def _publish(self) -> None:
        """Make the weights in force the buffer, a fresh one: a backward pass may hold the old."""
        self.weights = self.weights.new_tensor(list(self.manager.get_weights().values()))

    def _check_ranks(self, device: torch.device) -> None:
        """Refuse processes whose weights would part; the losses of a period may differ."""
        self._agreement.check(
            device,
            weights=self.manager.get_weights(),
            updates=self._updater.epoch,
            begun=self._period.length - self._period.missing(),
        )
