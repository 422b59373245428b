"""Pilots of candidate strategies, as blocks of one DeepXDE training."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from pinn_ext.adaptive_weights import WeightSettings
from pinn_ext.checks import check_names
from pinn_ext.dde.auto.diagnosis import why_needless
from pinn_ext.dde.auto.entrants import entrants
from pinn_ext.dde.auto.saved_pilots import check_pilots, plain
from pinn_ext.dde.auto.score import HeldOutScore
from pinn_ext.dde.messages import pilot_text, pilots_table, plan_text
from pinn_ext.dde.model import state as model_state
from pinn_ext.dde.weighting.model_weights import ModelWeights
from pinn_ext.dde.weighting.training_state import TrainingState
from pinn_ext.measurements.meter import DIRECTIONS, GRADIENTS
from pinn_ext.strategies import Gradients
from pinn_ext.strategies.auto import Auto
from pinn_ext.strategies.auto.race import Race
from pinn_ext.strategies.auto.successive_halving import LEAST


class Pilots:
    """Lets candidates train in turns, each from the same start, and goes on with the best.

    The first period is common to all, as no strategy has moved the weights yet. Where its gradients
    are of like size, the incumbent is chosen there and then. Else each
    candidate makes its first update from what was measured in it. A block belongs to one candidate.
    Between two blocks everything that the training has changed is swapped: network, optimiser,
    scheduler, external variables, random numbers, points or batches, weights with the state of
    their strategy. After the last round the winner goes on from the state that its own blocks have
    left, as if it had trained alone from the start.

    Args:
        settings: of the weights, with the strategy `auto`; candidates have the same but for their
            own strategy.
        names: of the loss terms, None derives them.
        scales: sizes of the fields by term, None takes them from the model's data.
        period: iterations between two updates.
        say: called with each line for the user.

    Attributes:
        method: which candidates there are, and how they are compared.
        race: whose turn it is, and the rows of the report.
        state: of the training, set by whoever made it, before its first step.
        lines: what was said and not yet taken by `take_lines`.
    """

    state: TrainingState

    def __init__(
        self,
        settings: WeightSettings,
        names: list[str] | None,
        scales: Sequence[float] | None,
        period: int,
        say: Callable[[str], None],
    ) -> None:
        assert isinstance(settings.method, Auto)  # whoever makes pilots has looked
        self.method = method = settings.method
        self.period = period
        self.race = Race(method.labels, period, method.margin)
        self.lines: list[str] = []
        self._names, self._scales, self._tell = names, scales, say
        self._settings = [settings.with_strategy(*candidate) for candidate in method.field]
        self._resting = settings.with_strategy("fixed")
        self._score = HeldOutScore(method)
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
        chosen = self.race.chosen
        return "auto" if chosen is None else self.method.field[chosen].name

    def weights(self, candidate: int | None = None) -> ModelWeights:
        """Return the weights of a candidate, by default the present, for a model to start with."""
        candidate = self.race.live if candidate is None else candidate
        # One that has dropped out sits out the rest of its period.
        own = self._resting if candidate in self.race.broken else self._settings[candidate]
        return ModelWeights(own, self._names, self._scales, lambda _: None)

    def progress(self) -> float | None:
        """Return which part of its own training the present candidate has made, None if unknown.

        It is counted as if it trained alone, and went on with what is left once it is chosen.
        """
        race, step, total = self.race, self.state.model.train_state.step, self.state.total_steps
        if race.under_way:
            ended = race.own[race.live] + (not self._replaying)
            own = self._begun + ended * self.period
            return min(own / (self._total - race.periods_of_others * self.period), 1.0)
        return min((step - self._offset) / (total - self._offset), 1.0) if total else None

    # ---- what the callback tells --------------------------------------------------------------

    def hold_out(self, model: Any) -> None:
        """Have points for the scores before the first batch of a `train()`."""
        if self.race.chosen is None:
            self._score.hold_out(model)

    def end(self) -> None:
        """Put the winner into the model, if that is still to be done, and leave the data alone."""
        if self.race.chosen is not None:
            self._swap()
        self._score.give_back()

    def before_step(self) -> None:
        """Begin, or swap in the candidate whose block comes next.

        Raises:
            ValueError: if the training is too short for pilots, or its length is not known.
        """
        race, state = self.race, self.state
        if not race.rounds and race.chosen is None:
            self._begin()
        elif self._common is not None and self._start is None and race.under_way:
            # After all that other callbacks have done at the end of the common period.
            self._start = {**state.save(with_weights=False), "common": self._common}
        self._swap()
        state.watch.keep_quiet(self._start is not None and race.can_drop())

    def after_period(self, losses: Sequence[float]) -> None:
        """Count a period of the present candidate; score it at the end of its block.

        Args:
            losses: mean raw losses of the period.
        """
        race = self.race
        if race.under_way and self._common is None:
            self._end_common_period(losses)
        elif race.under_way and race.period_over(self._score_of_period()):
            race.end_block(round(time.perf_counter() - self._since, 3))
            number = sum(row["round"] > 0 for row in race.rows)
            self._say(pilot_text(race.rows[-1], number, race.pilots, race.broken.get(race.live)))
            if race.chosen is not None:
                self._say_choice()

    def _end_common_period(self, losses: Sequence[float]) -> None:
        """Keep what candidates begin with, or end the pilots where they would be lost."""
        race, meter, wanted = self.race, self.state.meter, self.state.meter.needs_of_others
        meter.needs_of_others, found = frozenset(), meter.gradients
        race.common_period_over()
        why = why_needless(found, self.state.weights.manager) if DIRECTIONS in wanted else None
        if why is not None:
            race.choose_current(race.live, why)
            self._score.give_back()
            return self._say_choice()
        if found is not None and "gradient_vectors" not in wanted:
            found = replace(found, vectors=None) if wanted & GRADIENTS else None
        self._common = {
            "losses": list(losses),
            "gradients": None if found is None else asdict(found),
        }

    def _score_of_period(self) -> float:
        return math.inf if self.race.live in self.race.broken else self._score.of(self.state.model)

    def drop_candidate(self, why: str) -> list[float] | None:
        """Take the present candidate out of the race, as its training has broken down.

        The model goes back to the end of the common period and trains with the initial weights
        until the period is over, so that periods stay whole; nothing of that is kept.

        Args:
            why: what has happened.

        Returns:
            Raw losses of the state that it goes back to; None if no other candidate is left: then
            the training has to end.
        """
        race = self.race
        if self._start is None or not race.can_drop():
            return None
        race.broken.setdefault(race.live, why)
        self._note("pilot", f"{race.present} is out: {why}")
        self._put(race.live, None)
        return list(self._start["common"]["losses"])

    def choose_current(self, why: str) -> None:
        """Go on with the candidate at work, as there can be no more pilots."""
        if self.race.under_way:
            self.race.choose_current(self.race.live, f"it was at work when {why}")
            self._say_choice()

    def take_lines(self) -> list[str]:
        """Return what was said since the last call."""
        lines, self.lines = self.lines, []
        return lines

    # ---- the steps in between -----------------------------------------------------------------

    def _begin(self) -> None:
        state, race, method = self.state, self.race, self.method
        model = state.model
        self._begun = step = model.train_state.step
        self._total, self._first = self._length(), list(state.weights.first)
        self._score.start_on(model, state.weights.names, self._first, self._scales)
        taking_part, why = entrants(method, self.weights, model, self._first, self._score)
        for candidate, reason in why.items():
            race.leave_out(candidate, reason)
        periods = (self._total - step) // self.period
        race.begin(taking_part, periods, method.budget_part, method.factor)
        state.weights = self.weights()
        state.weights.start_from(model, self._first)
        if race.chosen is not None:
            self._score.give_back()
            return self._say_choice()
        self._ask_for_statistics()
        took, left = race.periods * self.period, self._total - step
        text = plan_text(race.pilots, len(race.running), took, left, method.budget_part)
        return self._say(text)

    def _ask_for_statistics(self) -> None:
        """Have measured at the end of the common period, if it is not over, what will be read."""
        field, wanted = self.method.field, frozenset[str]()
        if self.race.under_way and self._common is None:
            needs = [field[candidate].method.needs for candidate in self.race.running]
            wanted = wanted.union({DIRECTIONS} if self.method.diagnosis else (), *needs)
        self.state.meter.needs_of_others = wanted

    def _length(self) -> int:
        """Return at which step the training will end."""
        total = self.state.total_steps
        left = (total or 0) - self.state.model.train_state.step
        least = LEAST * self.period
        if total is None or left < least:
            raise ValueError(
                f"`iterations` must be at least {least} for strategy 'auto' ({LEAST} "
                f"periods of {self.period}, three of them for its pilots), "
                f"got {'none' if total is None else left}."
            )
        return total

    def _swap(self) -> None:
        """Put the next candidate's state into the model, if it is its turn.

        This waits for the beginning of a step: at the end of the one before, other callbacks may
        still change what the present candidate has to keep, such as its points.
        """
        race = self.race
        to, race.next = race.next, None
        if to is not None and to != race.live:
            if race.under_way and race.live not in race.broken:
                self._waiting[race.live] = self.state.save()
            self._put(to, self._waiting.pop(to, None))
        if to is not None and race.under_way:
            self._note("pilot", f"{race.present}, round {race.round + 1}, begins")
            self._since = time.perf_counter()
        if race.chosen is not None and self._start is not None:
            self._waiting, self._start = {}, None
            self._score.give_back()

    def _put(self, candidate: int, saved: dict[str, Any] | None) -> None:
        """Give the model a candidate's state, for None that of the common start."""
        own = saved or self._start or {}
        self.race.live = candidate
        self.state.restore(own, self.weights(), self._first)
        if saved is None and candidate not in self.race.broken:
            self._replay(own["common"])

    def _replay(self, common: dict[str, Any]) -> None:
        """Make the candidate's first update, from what was measured in the common period."""
        gradients = common["gradients"]
        self._replaying = True
        self.state.first_update(
            common["losses"],
            None if gradients is None else Gradients(**gradients),
            self.progress(),
        )
        self._replaying = False

    # ---- what is said and saved ---------------------------------------------------------------

    def _say(self, text: str) -> None:
        self.lines.append(text)
        self._tell(text)

    def _say_choice(self) -> None:
        race = self.race
        winner = race.chosen or 0
        own = self._begun + race.own[winner] * self.period
        self._offset = self.state.model.train_state.step - own
        if race.rows:
            self._say(pilots_table(race.rows))
        self._say(f"chosen: {race.labels[winner]}, as {race.reason}")
        self._note("chosen", f"{race.labels[winner]}, as {race.reason}")

    def _note(self, what: str, why: str) -> None:
        race, step = self.race, self.state.model.train_state.step
        row = {"step": step, "epoch": race.own[race.live], "term": "", "what": what}
        self.state.events.append({**row, "why": why})

    def state_dict(self, model: Any) -> dict[str, Any]:
        """Return all that is needed to go on, the states of waiting candidates included.

        Args:
            model: the model in training, None before there is one.

        Returns:
            Plain numbers, lists, dicts and tensors.
        """
        position = None if model is None else model_state.data_state(model.data)
        return {
            "tournament": self.race.state_dict(),
            "judge": self._score.state_dict(),
            "waiting": {c: plain(state) for c, state in self._waiting.items()},
            "start": None if self._start is None else plain(self._start),
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
        check_pilots(state, len(self._settings), model)
        self.race.load_state_dict(state["tournament"])
        self._score.load_state_dict(state["judge"])
        self._waiting, self._start = dict(state["waiting"]), state["start"]
        self._common = state["common"]
        self._first, self._total = list(state["first"]), state["total"]
        self._begun, self._offset = state["begun"], state["offset"]
        self._ask_for_statistics()  # a meter's own state has only its generator
        if state["position"] is not None:
            model_state.put_data_back(model.data, state["position"])
