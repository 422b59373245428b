"""Choose a strategy by short pilots: what the pilots are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

from pinn_ext.checks import ArgumentError, check_choice, check_number, check_switch
from pinn_ext.strategies.base.members import member
from pinn_ext.strategies.base.terms import EMA_ALPHA, EPS, Strategy

DEFAULT = ("fixed", "field_scale", "equal_init", "ema")
"""The candidates, unless a user says otherwise; one more name is one more pilot."""
ALWAYS = ("fixed", "field_scale")
"""Those that take part whatever a user lists, and stay where there is room for two."""
SCORES = ("scaled", "geometric")


class Candidate(NamedTuple):
    """A strategy that takes part.

    Attributes:
        name: of the strategy.
        options: of the strategy.
        method: the strategy itself.
    """

    name: str
    options: dict[str, Any]
    method: Strategy


@dataclass(frozen=True)
class Auto:
    """A controller: it keeps to an incumbent unless short pilots show one clearly better.

    The incumbent is `fixed`, the weights that the training has without it, or `field_scale` where
    the sizes of the fields are 10-fold apart. There are no pilots where the gradients of the terms
    are of like size.

    It holds the settings; `pinn_ext.dde.auto` carries the pilots out, so it works in the callback
    `pinn_ext.AdaptiveWeights` and in the program. Successive halving: Jamieson and Talwalkar 2016,
    algorithm 1. Its statistic costs one evaluation of the losses a pilot, without gradients.

    Attributes:
        candidates: names of strategies, or mappings of `strategy` and `options`. `fixed` and
            `field_scale` are always among them.
        budget_part: part of the iterations that pilots may take, in (0, 0.5].
        margin: by which factor the score of one that takes over has to be smaller than the
            incumbent's, at least 1; and by more than the spread of that factor over its periods.
        diagnosis: whether pilots are left out where the weighted gradients of the terms are of like
            size after the first period.
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

    Example:
        >>> from pinn_ext import strategies
        >>> chooser = strategies.create("auto", {"candidates": ["softadapt", "ema"], "margin": 1.5})
        >>> [candidate.name for candidate in chooser.field], chooser.needs_conditions
        (['fixed', 'field_scale', 'softadapt', 'ema'], False)
        >>> steep = {"strategy": "softadapt", "options": {"beta": 0.5}}
        >>> strategies.create("auto", {"candidates": ["softadapt", steep]}).labels[2:]
        ['softadapt', 'softadapt (beta=0.5)']
    """

    candidates: Sequence[str | Mapping[str, Any]] = DEFAULT
    budget_part: float = 0.1
    margin: float = 2.0
    diagnosis: bool = True
    factor: int = 2
    score: str = "scaled"
    condition_factor: float = 10.0
    score_points: int = 500
    seed: int = 0
    ema_alpha: float = EMA_ALPHA
    eps: float = EPS
    name: ClassVar[str] = "auto"
    moves: ClassVar[str] = ""
    needs: ClassVar[frozenset[str]] = frozenset()
    blend_beta: ClassVar[float] = 0.9
    limited: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse values out of range and candidates that are none."""
        check_number("options.budget_part", self.budget_part, 0, 0.5, open_low=True)
        check_number("options.margin", self.margin, 1)
        check_switch("options.diagnosis", self.diagnosis)
        check_number("options.factor", self.factor, 2, integer=True)
        check_choice("options.score", self.score, SCORES)
        check_number("options.condition_factor", self.condition_factor, 0, open_low=True)
        check_number("options.score_points", self.score_points, 10, integer=True)
        check_number("options.seed", self.seed, 0, 2**32 - 1, integer=True)
        needs = frozenset().union(*(candidate.method.needs for candidate in self.field))
        object.__setattr__(self, "needs", needs)  # of this object, before that of the class

    @cached_property
    def field(self) -> list[Candidate]:
        """Everyone who takes part, `ALWAYS` first."""
        given = self.candidates
        if isinstance(given, (str, Mapping)) or not isinstance(given, Sequence):
            raise ArgumentError("options.candidates", "be a list of strategies", repr(given))
        found: list[Candidate] = []
        for i, candidate in enumerate(given):
            own = self._read(f"options.candidates[{i}]", candidate)
            if any(own[:2] == other[:2] for other in found):
                row = {"strategy": own.name, "options": own.options}
                raise ArgumentError("options.candidates", "be distinct", f"{row} twice")
            found.append(own)
        names = [candidate.name for candidate in found]
        missing = [name for name in ALWAYS if name not in names]
        found = [self._read("options.candidates", name) for name in missing] + found
        return sorted(found, key=lambda own: (*ALWAYS, own.name).index(own.name))

    def _read(self, what: str, candidate: Any) -> Candidate:
        """Return what a user has listed, built."""
        row = candidate if isinstance(candidate, Mapping) else {"strategy": candidate}
        for key in row:
            check_choice(what, key, ("strategy", "options"))
        name, options = row.get("strategy"), row.get("options") or {}
        method = member(what, name, options, ema_alpha=self.ema_alpha, eps=self.eps)
        if "ntk" in method.needs:
            wanted = "not read tangent kernels, which pilots do not share"
            raise ArgumentError(what, wanted, repr(name))
        return Candidate(method.name, dict(options), method)

    @property
    def needs_conditions(self) -> bool:
        """Whether a candidate can do nothing without conditions."""
        return any(candidate.method.needs_conditions for candidate in self.field)

    @cached_property
    def labels(self) -> list[str]:
        """What the candidates are called: their names, with the options where names repeat."""
        names = [candidate.name for candidate in self.field]
        labels = []
        for name, options, _ in self.field:
            own = ", ".join(f"{key}={value}" for key, value in options.items())
            labels.append(f"{name} ({own})" if own and names.count(name) > 1 else name)
        return labels
