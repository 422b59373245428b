"""What everything in the registry of strategies has in common."""

from __future__ import annotations

from typing import ClassVar, Protocol


class Method(Protocol):
    """A strategy of terms, one of points, or one that chooses.

    Attributes:
        name: the name users write.
        moves: what it moves: `"terms"`, `"points"`, or nothing by itself (`""`).
        needs: statistics of the terms that it reads, among `STATISTICS`.
        blend_beta: part of the old weights that is kept when targets are blended in, unless the
            user says otherwise.
        limited: whether ratio cap and clamps hold its weights.

    Example:
        >>> from pinn_ext import strategies
        >>> for name in ("ema", "rba", "auto"):
        ...     method: Method = strategies.create(name)
        ...     print(method.name, method.moves or "chooses", sorted(method.needs))
        ema terms ['losses']
        rba points []
        auto chooses ['field_scales', 'losses']
    """

    name: ClassVar[str]
    moves: ClassVar[str]
    needs: ClassVar[frozenset[str]]
    blend_beta: ClassVar[float]
    limited: ClassVar[bool]
