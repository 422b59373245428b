"""Strategies of our own making that read what is hard to come by, for tests of who measures it."""

from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.strategies import Proposal, Strategy
from pinn_ext.strategies.base.terms import over


class _Plain(Strategy):
    def init(self, initial_weights):
        return {"updates": 0}

    def update(self, statistics, state):
        return Proposal(self.targets(statistics), blend=True), {"updates": state["updates"] + 1}


@dataclass(frozen=True)
class ByNorm(_Plain):
    """Weights inverse to the length of a term's gradient."""

    name: ClassVar[str] = "by_norm"
    needs: ClassVar[frozenset[str]] = frozenset({"losses", "gradients"})

    def targets(self, statistics):
        return over(1.0, statistics.gradients.norms)


@dataclass(frozen=True)
class ByKernel(_Plain):
    """Weights inverse to the trace of a term's tangent kernel."""

    probes: int = 4
    name: ClassVar[str] = "by_kernel"
    needs: ClassVar[frozenset[str]] = frozenset({"losses", "ntk"})

    def targets(self, statistics):
        return over(1.0, statistics.ntk)


@dataclass(frozen=True)
class ByProgress(_Plain):
    """Weights that follow how far the training is."""

    name: ClassVar[str] = "by_progress"

    def targets(self, statistics):
        return [1.0 + (statistics.progress or 0.0)] + [1.0] * (len(statistics.losses) - 1)


MADE_UP = {cls.name: cls for cls in (ByNorm, ByKernel, ByProgress)}
