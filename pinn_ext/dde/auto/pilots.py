"""Pilots of candidate strategies, as blocks of one DeepXDE training."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import torch

from pinn_ext.checks import check_names
from pinn_ext.dde.auto.score import Judge
from pinn_ext.dde.messages import pilots_table
from pinn_ext.dde.model import state as model_state
from pinn_ext.dde.weighting.model_weights import ModelWeights
from pinn_ext.strategies import Gradients
from pinn_ext.strategies.auto import Auto, successive_halving
from pinn_ext.strategies.auto.race import Tournament


class Pilots:
    """Lets candidates train in turns, each from the same start, and goes on with the best.

    The first period is common to all, as no strategy has moved the weights yet. Each candidate then
    makes its first update from what was measured in it. A block belongs to one candidate. Between
    two blocks everything that the training has changed is swapped: network, optimiser, scheduler,
    external variables, random numbers, points or batches, weights with the state of their strategy.
    After the last round the winner goes on from the state that its own blocks have left, as if it
    had trained alone from the start.

    Args:
        method: which candidates there are, and how they are judged.
        settings: keyword arguments of `AdaptiveLossWeights`; `strategy` and `options` are theirs.
        names: of the loss terms, None derives them.
        period: iterations between two updates.
        say: called with each line for the user.

    Attributes:
        tournament: whose turn it is, and the rows of the report.
        lines: what was said and not yet taken by `take_lines`.
    """

    def __init__(
        self,
        method: Auto,
        settings: dict[str, Any],
        names: Sequence[str] | None,
        period: int,
        say: Callable[[str], None],
    ) -> None:
        self.method, self.period = method, period
        self.tournament = Tournament(method.labels, period)
        self.lines: list[str] = []
        self._settings, self._names, self._tell = settings, names, say
        self._judge = Judge(method)
        self._waiting: dict[int, dict[str, Any]] = {}
        self._start: dict[str, Any] | None = None
        self._first: list[float] = []
        self._common: dict[str, Any] | None = None
        self._replaying = False
        self._begun = self._total = self._offset = 0
        self._since = 0.0

    @property
    def name(self) -> str:
        """Name of the strategy that was chosen, `"auto"` before the choice."""
        chosen = self.tournament.chosen
        return "auto" if chosen is None else self.method.field[chosen].name

    def weights(self, candidate: int | None = None) -> ModelWeights:
        """Return the weights of a candidate before they meet a model, of the present by default."""
        candidate = self.tournament.live if candidate is None else candidate
        own = self.method.field[candidate]
        settings = {**self._settings, "strategy": own.name, "options": own.options}
        if candidate in self.tournament.broken:  # it sits out the rest of its period
            settings |= {"strategy": "fixed", "options": None}
        return ModelWeights(settings, self._names, lambda _: None)

    def progress(self, step: int, total: int | None) -> float | None:
        """Return which part of its own training the present candidate has made.

        Args:
            step: how many steps the whole training has made.
            total: how many it will have made at its end, None if that is not known.

        Returns:
            The part as if the candidate trained alone, and went on with what is left once it is
            chosen.
        """
        course = self.tournament
        if course.under_way:
            ended = course.own[course.live] + (not self._replaying)
            own = self._begun + ended * self.period
            return min(own / (self._total - course.periods_of_others * self.period), 1.0)
        return min((step - self._offset) / (total - self._offset), 1.0) if total else None

    # ---- what the callback tells --------------------------------------------------------------

    def attach(self, model: Any) -> None:
        """Get ready for a `train()`, before its first batch."""
        if self.tournament.chosen is None:
            self._judge.attach(model)

    def detach(self, owner: Any) -> None:
        """Put the winner into the model, if that is still to be done, and leave the data alone."""
        if self.tournament.chosen is not None:
            self._swap(owner)
        self._judge.detach()

    def before_step(self, owner: Any) -> None:
        """Begin, or swap in the candidate whose block comes next.

        Args:
            owner: the callback.

        Raises:
            ValueError: if the training is too short for pilots, or its length is not known.
        """
        course = self.tournament
        if not course.rounds and course.chosen is None:
            self._begin(owner)
        elif self._common is not None and self._start is None and course.under_way:
            # After all that other callbacks have done at the end of the common period.
            state = {"model": model_state.take(owner.model), "meter": owner._meter.state_dict()}
            self._start = {**state, "common": self._common}
        self._swap(owner)
        owner._guard.quiet = self._start is not None and course.can_lose()

    def after_period(self, owner: Any, losses: Sequence[float]) -> None:
        """Count a period of the present candidate; judge it at the end of its block.

        Args:
            owner: the callback.
            losses: mean raw losses of the period.
        """
        course = self.tournament
        if course.under_way and self._common is None:
            gradients = owner._meter.gradients
            self._common = {
                "losses": list(losses),
                "gradients": None if gradients is None else asdict(gradients),
            }
            owner._meter.needs_of_others = frozenset()
            course.common_period_over()
        elif course.under_way and course.period_over():
            broken = course.broken.get(course.live)
            course.judge(
                float("inf") if broken else self._judge.score(owner.model),
                round(time.perf_counter() - self._since, 3),
            )
            row = course.rows[-1]
            number = sum(row["round"] > 0 for row in course.rows)
            score = "no score" if row["score"] is None else f"score {row['score']:.3e}"
            self._say(
                f"Pilot {number} of {course.pilots} ({course.present}): {score} after "
                f"{row['iterations']} iterations" + (f" ({broken})" if broken else "")
            )
            if course.chosen is not None:
                self._say_choice(owner)

    def lose(self, owner: Any, why: str) -> list[float] | None:
        """Take the present candidate out of the race, as its training has broken down.

        The model goes back to the end of the common period and trains with the initial weights
        until the period is over, so that periods stay whole; nothing of that is kept.

        Args:
            owner: the callback.
            why: what has happened.

        Returns:
            Raw losses of the state that it goes back to; None if no other candidate is left: then
            the training has to end.
        """
        course = self.tournament
        if self._start is None or not course.can_lose():
            return None
        course.broken.setdefault(course.live, why)
        self._note(owner, "pilot", f"{course.present} is out: {why}")
        self._put(owner, course.live, None)
        return list(self._start["common"]["losses"])

    def conclude(self, owner: Any, why: str) -> None:
        """Go on with the candidate at work, as there can be no more pilots."""
        if self.tournament.under_way:
            self.tournament.choose(self.tournament.live, f"it was at work when {why}")
            self._say_choice(owner)

    def take_lines(self) -> list[str]:
        """Return what was said since the last call."""
        lines, self.lines = self.lines, []
        return lines

    # ---- the steps in between -----------------------------------------------------------------

    def _begin(self, owner: Any) -> None:
        model, course, method = owner.model, self.tournament, self.method
        self._begun = step = model.train_state.step
        self._total, self._first = self._length(owner), list(owner._weights.first)
        usable = self._usable(owner)
        course.begin(usable, (self._total - step) // self.period, method.budget_part, method.factor)
        if course.chosen is not None:
            self._judge.detach()
            return self._say_choice(owner)
        self._judge.meet(model, owner._weights.names, self._first, self._settings["field_scales"])
        needs = [self.weights(candidate).needs for candidate in course.running]
        owner._meter.needs_of_others = frozenset().union(*needs)
        return self._say(
            f"{course.pilots} pilots of {len(course.running)} candidates take "
            f"{course.periods * self.period} of {self._total - step} iterations"
        )

    def _length(self, owner: Any) -> int:
        """Return at which step the training will end."""
        total = owner._budget.total if owner._budget else None
        left = (total or 0) - owner.model.train_state.step
        least = successive_halving.LEAST * self.period
        if total is None or left < least:
            raise ValueError(
                f"`iterations` must be at least {least} for strategy 'auto' "
                f"({successive_halving.LEAST} periods of {self.period}, three of them for its "
                f"pilots), got {'none' if total is None else left}."
            )
        return total

    def _usable(self, owner: Any) -> list[int]:
        """Return the candidates that fit the model; note of the others why they do not."""
        usable = []
        for candidate in range(len(self.method.labels)):
            try:
                self._meet(owner, self.weights(candidate))
                usable.append(candidate)
            except ValueError as error:
                why = f"it cannot be used here: {str(error).rstrip('.')}"
                self.tournament.leave_out(candidate, why)
        owner._weights.hand_over(owner.model)
        return usable

    def _meet(self, owner: Any, weights: ModelWeights) -> None:
        """Let a candidate's weights start from the initial ones."""
        owner.model.loss_weights = list(self._first)
        weights.meet(owner.model, [torch.zeros(())] * len(self._first))

    def _swap(self, owner: Any) -> None:
        """Put the next candidate's state into the model, if it is its turn."""
        course = self.tournament
        to, course.next = course.next, None
        if to is not None and to != course.live:
            if course.under_way and course.live not in course.broken:
                self._waiting[course.live] = {
                    "model": model_state.take(owner.model),
                    "meter": owner._meter.state_dict(),
                    "weights": owner._weights.state_dict(),
                }
            self._put(owner, to, self._waiting.pop(to, None))
        if to is not None and course.under_way:
            self._note(owner, "pilot", f"{course.present}, round {course.round + 1}, begins")
            self._since = time.perf_counter()
        if course.chosen is not None and self._start is not None:
            self._waiting, self._start = {}, None
            self._judge.detach()

    def _put(self, owner: Any, candidate: int, state: dict[str, Any] | None) -> None:
        """Give the model a candidate's state, for None that of the start."""
        own = state or self._start or {}
        model_state.put_back(owner.model, own["model"])
        owner._meter.load_state_dict(own["meter"])
        self.tournament.live = candidate
        weights = self.weights()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of field scales: said at the start
            if state is None:
                self._meet(owner, weights)
            else:
                weights.load_state_dict(state["weights"], owner.model)
        owner._weights = weights
        owner._guard.forget()
        if state is None and candidate not in self.tournament.broken:
            self._replay(owner, own["common"])

    def _replay(self, owner: Any, common: dict[str, Any]) -> None:
        """Make the candidate's first update, from what was measured in the common period."""
        gradients = common["gradients"]
        owner._meter.gradients = None if gradients is None else Gradients(**gradients)
        self._replaying = True
        owner._update(common["losses"], owner._guard)
        self._replaying = False
        owner._meter.clear()

    # ---- what is said and saved ---------------------------------------------------------------

    def _say(self, text: str) -> None:
        self.lines.append(text)
        self._tell(text)

    def _say_choice(self, owner: Any) -> None:
        course = self.tournament
        winner = course.chosen or 0
        own = self._begun + course.own[winner] * self.period
        self._offset = owner.model.train_state.step - own
        self._say(pilots_table(course.rows))
        self._say(f"chosen: {course.labels[winner]}, as {course.reason}")
        self._note(owner, "chosen", f"{course.labels[winner]}, as {course.reason}")

    def _note(self, owner: Any, what: str, why: str) -> None:
        course, step = self.tournament, owner.model.train_state.step
        row = {"step": step, "epoch": course.own[course.live], "term": "", "what": what}
        owner.events.append({**row, "why": why})

    def state_dict(self, model: Any) -> dict[str, Any]:
        """Return all that is needed to go on, the states of waiting candidates included.

        Args:
            model: the model in training, None before there is one.

        Returns:
            Plain numbers, lists, dicts and tensors.
        """
        position = None if model is None else model_state.data_state(model.data)
        return {
            "tournament": self.tournament.state_dict(),
            "judge": self._judge.state_dict(),
            "waiting": {c: _plain(state) for c, state in self._waiting.items()},
            "start": None if self._start is None else _plain(self._start),
            "common": self._common,
            "first": list(self._first),
            "begun": self._begun,
            "total": self._total,
            "offset": self._offset,
            "position": position if isinstance(position, int) else None,
        }

    def load_state_dict(self, state: dict[str, Any], model: Any) -> None:
        """Continue from what `state_dict` returned.

        Args:
            state: the saved state.
            model: the compiled model that will be trained next.

        Raises:
            ValueError: if the state is incomplete or of other candidates.
        """
        check_names("The saved state of the pilots", self.state_dict(None), state)
        self.tournament.load_state_dict(state["tournament"])
        self._judge.load_state_dict(state["judge"])
        self._waiting, self._start = dict(state["waiting"]), state["start"]
        self._common = state["common"]
        self._first, self._total = list(state["first"]), state["total"]
        self._begun, self._offset = state["begun"], state["offset"]
        if state["position"] is not None:
            model_state.put_data_back(model.data, state["position"])


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """Return a candidate's state in a form that `torch.load(weights_only=True)` reads."""
    return {**state, "model": model_state.without_points(state["model"])}
