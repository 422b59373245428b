"""Choose a strategy by short pilots: what the pilots are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from pinn_ext.checks import check_choice, check_number
from pinn_ext.strategies.base.members import member
from pinn_ext.strategies.base.terms import Strategy

DEFAULT = ("fixed", "field_scale", "equal_init", "ema")
"""The candidates, unless a user says otherwise; one more name is one more pilot."""
ALWAYS = ("fixed", "field_scale")
"""Those that take part whatever a user lists, and stay where there is room for two."""
SCORES = ("scaled", "geometric")


@dataclass(frozen=True)
class Auto:
    """A controller: it lets candidates train for a while and goes on with the best of them.

    It holds the settings; `pinn_ext.dde.auto` carries the pilots out, so it works in the callback
    `pinn_ext.AdaptiveWeights` and in the program. Successive halving: Jamieson and Talwalkar 2016,
    algorithm 1. Its statistic costs one evaluation of the losses a pilot, without gradients.

    Attributes:
        candidates: names of strategies, or mappings of `strategy` and `options`. `fixed` and
            `field_scale` are always among them.
        budget_part: part of the iterations that pilots may take, in (0, 0.5].
        factor: of which one candidate goes on from each round.
        score: what decides, smaller is better. `"scaled"`: the sum of the raw losses over the
            squared sizes of their fields, conditions times `condition_factor`. `"geometric"`: the
            geometric mean over terms of the raw loss over its value at step 0.
        condition_factor: weight of a condition over that of an equation in the score.
        score_points: how many points the score is measured on, drawn once inside the geometry; a
            fifth of it on its boundary.
        seed: of those points.
        ema_alpha: of those candidates that have it, dimensionless.
        eps: likewise, in the units of the losses.
    """

    candidates: Sequence[str | Mapping[str, Any]] = DEFAULT
    budget_part: float = 0.3
    factor: int = 2
    score: str = "scaled"
    condition_factor: float = 10.0
    score_points: int = 500
    seed: int = 0
    ema_alpha: float = 0.9
    eps: float = 1e-8
    name: ClassVar[str] = "auto"
    moves: ClassVar[str] = ""
    needs: ClassVar[frozenset[str]] = frozenset()
    blend_beta: ClassVar[float] = 0.9
    equalizes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse values out of range and candidates that are none."""
        check_number("options.budget_part", self.budget_part, 0, 0.5, open_low=True)
        check_number("options.factor", self.factor, 2, integer=True)
        check_choice("options.score", self.score, SCORES)
        check_number("options.condition_factor", self.condition_factor, 0, open_low=True)
        check_number("options.score_points", self.score_points, 10, integer=True)
        check_number("options.seed", self.seed, 0, 2**32 - 1, integer=True)
        needs = frozenset().union(*(method.needs for method in self._methods))
        object.__setattr__(self, "needs", needs)  # of this object, before that of the class

    @cached_property
    def settings(self) -> list[dict[str, Any]]:
        """`strategy` and `options` of each candidate, `ALWAYS` first."""
        given = self.candidates
        if isinstance(given, (str, Mapping)) or not isinstance(given, Sequence):
            raise ValueError(f"`options.candidates` must be a list of strategies, got {given!r}.")
        rows: list[dict[str, Any]] = []
        for i, candidate in enumerate(given):
            rows.append(self._read(f"options.candidates[{i}]", candidate))
            if rows[-1] in rows[:-1]:
                raise ValueError(f"`options.candidates` must be distinct, got {rows[-1]} twice.")
        names = [row["strategy"] for row in rows]
        rows = [{"strategy": n, "options": {}} for n in ALWAYS if n not in names] + rows
        return sorted(rows, key=lambda row: (*ALWAYS, row["strategy"]).index(row["strategy"]))

    def _read(self, what: str, candidate: Any) -> dict[str, Any]:
        """Return `strategy` and `options` of what a user has listed."""
        row = candidate if isinstance(candidate, Mapping) else {"strategy": candidate}
        for key in row:
            check_choice(what, key, ("strategy", "options"))
        name, options = row.get("strategy"), dict(row.get("options") or {})
        method = member(what, name, options, ema_alpha=self.ema_alpha, eps=self.eps)
        if "ntk" in method.needs:
            raise ValueError(
                f"`{what}` must not read tangent kernels, which pilots do not share, got {name!r}."
            )
        return {"strategy": name, "options": options}

    @cached_property
    def labels(self) -> list[str]:
        """What the candidates are called: their names, with the options where names repeat."""
        names = [row["strategy"] for row in self.settings]
        labels = []
        for row in self.settings:
            own = ", ".join(f"{key}={value}" for key, value in row["options"].items())
            name = row["strategy"]
            labels.append(f"{name} ({own})" if own and names.count(name) > 1 else name)
        return labels

    @property
    def _methods(self) -> list[Strategy]:
        return [member("", row["strategy"], row["options"]) for row in self.settings]
