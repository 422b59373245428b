"""Whose turn it is among candidate strategies, and who wins: plain numbers, no model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pinn_ext.checks import check_names
from pinn_ext.strategies.auto import successive_halving
from pinn_ext.strategies.auto.saved_race import check_race


class Race:
    """Rounds of pilots by successive halving around an incumbent, who keeps his place in doubt.

    The incumbent takes part in every round; of the others those go on that are before it, the
    better part of them. One of them takes its place after the last round, if it is clearly
    better (`takes_over`); where none is before the incumbent, the race is over at once.

    Args:
        labels: what the candidates are called, distinct.
        period: iterations in a period; blocks are made of whole periods.
        margin: factor by which the score of whoever takes over is smaller than the incumbent's, at
            least 1.

    Attributes:
        incumbent: the candidate that wins unless another is clearly better; None for none.
        rounds: the plan, empty before `begin`.
        running: candidates of the present round, as indices of `labels`.
        round: index of the present round.
        live: the candidate whose state the model has.
        next: the candidate that has to be swapped in before the next step, None for none.
        chosen: the winner, None before the choice.
        reason: of the choice, a sentence without its full stop.
        own: how many periods each candidate has trained `[n]`.
        courses: scores at the ends of each candidate's own periods, by index.
        broken: why a candidate has dropped out, by index.
        rows: one a pilot, and one a candidate that takes no part.
    """

    _KEYS = (
        *("running", "round", "turn", "done", "live", "next", "chosen", "reason", "own"),
        *("scores", "broken", "rows", "incumbent", "courses"),
    )

    def __init__(self, labels: Sequence[str], period: int, margin: float = 1.0) -> None:
        self.labels, self.period, self.margin = list(labels), period, margin
        self.incumbent: int | None = 0
        self.rounds: list[successive_halving.Round] = []
        self.running: list[int] = []
        self.round = self.turn = self.done = self.live = 0
        self.next: int | None = None
        self.chosen: int | None = None
        self.reason = ""
        self.own = [0] * len(labels)
        self.scores: dict[int, float] = {}
        self.courses: dict[int, list[float]] = {}
        self.broken: dict[int, str] = {}
        self.rows: list[dict[str, Any]] = []

    @property
    def under_way(self) -> bool:
        """Whether pilots have begun and nothing is chosen yet."""
        return bool(self.rounds) and self.chosen is None

    @property
    def present(self) -> str:
        """What the candidate is called whose state the model has."""
        return self.labels[self.live]

    @property
    def pilots(self) -> int:
        """How many pilots there are going to be."""
        return sum(one.candidates for one in self.rounds)

    @property
    def periods(self) -> int:
        """How many periods the pilots are going to take, with the first, which is common to all."""
        return 1 + sum(one.candidates * one.periods for one in self.rounds)

    @property
    def periods_of_others(self) -> int:
        """How many of them are not the winner's, who goes on from its own."""
        return self.periods - 1 - sum(one.periods for one in self.rounds)

    def begin(self, usable: Sequence[int], periods: int, part: float, factor: int) -> None:
        """Plan the rounds.

        Args:
            usable: candidates that may take part, the most important first; the first is live, and
                the incumbent.
            periods: of the whole training.
            part: see `successive_halving.plan`.
            factor: likewise.
        """
        self.incumbent = self.live = usable[0]
        self.rounds = successive_halving.plan(len(usable), periods, part, factor)
        if not self.rounds:
            self.choose_current(usable[0], "there is no other candidate")
            return
        self.running = list(usable[: self.rounds[0].candidates])
        for candidate in usable[len(self.running) :]:
            text = f"left out, as the pilots have room for {len(self.running)} candidates"
            self.leave_out(candidate, text)

    def leave_out(self, candidate: int, why: str) -> None:
        """Note a candidate that takes no part."""
        self._add_row(candidate, 0, None, why, 0.0)

    def common_period_over(self) -> None:
        """Count the first period for all candidates; the first of them goes on."""
        self.own = [1] * len(self.labels)
        self.next = self.live

    def period_over(self, score: float) -> bool:
        """Count a period of the present candidate.

        Args:
            score: at its end, smaller is better; not finite for one that has no chance.

        Returns:
            Whether its block is over.
        """
        self.own[self.live] += 1
        self.done += 1
        self.courses.setdefault(self.live, []).append(score)
        return self.done >= self.rounds[self.round].periods or self.live in self.broken

    def end_block(self, seconds: float = 0.0) -> None:
        """End the present candidate's block; see to it whose turn comes next.

        Args:
            seconds: that the block took.
        """
        why = self.broken.get(self.live, "")
        self.scores[self.live] = score = math.inf if why else self.courses[self.live][-1]
        self._add_row(self.live, self.round + 1, score, why, seconds)
        self.done = 0
        if self.turn + 1 < len(self.running):
            self.turn += 1
            self.next = self.running[self.turn]
        else:
            self._end_round()

    def can_drop(self) -> bool:
        """Return whether another candidate is left should the present one break down."""
        return self.under_way and any(c != self.live and c not in self.broken for c in self.running)

    def choose_current(self, winner: int, reason: str) -> None:
        """End the pilots."""
        self.chosen, self.reason = winner, reason
        self.next = winner if winner != self.live else None

    def _end_round(self) -> None:
        scores = [self.scores[c] for c in self.running]
        order = [self.running[i] for i in successive_halving.ranking(scores)]
        kept = self._kept(order)
        places = {self.labels[c]: place for place, c in enumerate(order, start=1)}
        for row in self.rows:
            if row["round"] == self.round + 1 and row["candidate"] in places:
                row["kept"] = row["candidate"] in [self.labels[c] for c in kept]
                row["why"] = f"place {places[row['candidate']]} of {len(self.running)}"
        if not kept:  # none has a finite score: the first is as good as any
            self.choose_current(self.running[0], "no pilot ended with finite losses")
        elif len(kept) == 1:
            self.choose_current(kept[0], self._reason(order, kept[0]))
        else:
            self.round, self.turn = self.round + 1, 0
            self.running = [c for c in self.running if c in kept]
            self.next = self.running[0]

    def _kept(self, order: Sequence[int]) -> list[int]:
        """Return who goes on, of candidates with a finite score, the best first."""
        more = self.round + 1 < len(self.rounds)
        count = self.rounds[self.round + 1].candidates if more else 1
        if self.incumbent is None or self.incumbent not in order:  # it has broken down
            return list(order[:count])
        before = list(order[: order.index(self.incumbent)])
        if more:
            return [*before[: count - 1], self.incumbent]
        courses = [self.courses[candidate] for candidate in (*before[:1], self.incumbent)]
        if before and successive_halving.takes_over(courses[0], courses[1], self.margin):
            return before[:1]
        return [self.incumbent]

    def _reason(self, order: Sequence[int], winner: int) -> str:
        score = f"{self.scores[winner]:.3e} after {self.own[winner] * self.period} iterations"
        others = [c for c in order if c != winner]
        if not others:
            return f"its score {score} is the best (no other pilot ended with finite losses)"
        other = f"{self.labels[others[0]]} with {self.scores[others[0]]:.3e}"
        if winner == order[0]:
            return f"its score {score} is the best, before {other}"
        return f"{other} is not clearly better than its score {score}"

    def _add_row(
        self, candidate: int, number: int, score: float | None, why: str, seconds: float
    ) -> None:
        finite = score is not None and math.isfinite(score)
        self.rows.append(
            {
                "candidate": self.labels[candidate],
                "round": number,
                "iterations": self.own[candidate] * self.period,
                "score": score if finite else None,
                "kept": False,
                "why": why or ("" if finite else "its losses are not finite"),
                "seconds": seconds,
            }
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain numbers, lists and dicts."""
        copies: dict[type, Any] = {list: list, dict: dict}
        state = {key: getattr(self, key) for key in self._KEYS}
        state = {key: copies.get(type(v), lambda same: same)(v) for key, v in state.items()}
        state["rows"] = [dict(row) for row in self.rows]
        state["courses"] = {c: list(course) for c, course in self.courses.items()}
        return {"labels": list(self.labels), "rounds": [list(one) for one in self.rounds], **state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned.

        Args:
            state: the saved state.

        Raises:
            ValueError: if it is incomplete or of other candidates.
        """
        if "courses" not in state:  # written before there was an incumbent: it goes on without
            state = {"incumbent": None, "courses": {}, **state}
        check_names("The saved state of the pilots", self.state_dict(), state)
        if list(state["labels"]) != self.labels:
            raise ValueError(
                f"The saved state must be of the candidates {', '.join(self.labels)}, got "
                f"{', '.join(state['labels'])}."
            )
        check_race(state, len(self.labels))
        for key in self._KEYS:
            setattr(self, key, state[key])
        self.rounds = [successive_halving.Round(*one) for one in state["rounds"]]
        self.own, self.rows = list(state["own"]), [dict(row) for row in state["rows"]]
        self.scores, self.broken = dict(state["scores"]), dict(state["broken"])
        self.courses = {c: list(course) for c, course in state["courses"].items()}
