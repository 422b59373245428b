"""A sketch of the rows of a Jacobian: S J, of far fewer rows, made block by block."""

from __future__ import annotations

import itertools
import math
from numbers import Integral

import torch
from torch import Tensor

from ...checks import require

Rows = int | str | None
"""What users say of a sketch: None for none, "auto", or its number of rows."""

_SIGNS = 4  # entries of a column of S
_PER_COLUMN = 4  # rows of a sketch by default, in units of the columns of J


class RowSketch:
    """A random matrix S [s, m] with E S^T S = 1, of which places and signs alone are kept.

    Each row of J goes, with a random sign and half of its size, into one row of each quarter of
    S J, so that none is drawn twice: Kane and Nelson, Sparser Johnson-Lindenstrauss transforms
    (2014), the block construction, with four entries a column. For orthonormal columns of J the
    eigenvalues of `(S J)^T S J` lie near `(1 +- sqrt(n / s))^2`.

    Args:
        num_rows: m.
        size: s.
        seed: Of the places and signs: the same on all devices, whatever the blocks.
        like: A tensor whose dtype and device to take.

    Example:
        >>> sketch = RowSketch(6, 4, 0, torch.zeros(1))
        >>> out = torch.zeros(4, 1)
        >>> sketch.fold(torch.arange(6), torch.ones(6, 1), out)
        >>> bool((out.abs() <= 3.0).all())
        True
    """

    def __init__(self, num_rows: int, size: int, seed: int, like: Tensor) -> None:
        self.size = size
        count = min(_SIGNS, size)
        ends = [size * k // count for k in range(count + 1)]
        generator = torch.Generator("cpu").manual_seed(seed)
        places = [
            torch.randint(low, high, (num_rows,), generator=generator, device="cpu")
            for low, high in itertools.pairwise(ends)
        ]
        signs = torch.randint(0, 2, (count, num_rows), generator=generator, device="cpu")
        self._places = torch.stack(places).to(like.device)
        self._factors = (2 * signs - 1).to(like) / math.sqrt(count)

    def fold(self, rows: Tensor, block: Tensor, out: Tensor) -> None:
        """Add the part of S J that some rows of J make.

        Args:
            rows: [b], their numbers.
            block: [b, n], the rows; not modified.
            out: [s, n].
        """
        scaled = torch.empty_like(block)
        for places, factors in zip(self._places, self._factors, strict=True):
            torch.mul(block, factors[rows, None], out=scaled)
            out.index_add_(0, places[rows], scaled)


def size_of(sketch: Rows, solver: str, columns: int) -> int:
    """Return the number of rows of a sketch, or refuse what is none.

    Args:
        sketch: None, "auto" or a number.
        solver: That users ask for along with it.
        columns: n, of J.

    Returns:
        The number; the default where none is given.

    Raises:
        ValueError: If it is of another kind, has fewer rows than J has columns, or the solver makes
            no sketch.

    Example:
        >>> size_of("auto", "auto", 10), size_of(25, "sketched", 10)
        (40, 25)
    """
    default = _PER_COLUMN * columns
    if sketch is None:
        return default
    number = isinstance(sketch, Integral) and not isinstance(sketch, bool)
    legal = sketch == "auto" if isinstance(sketch, str) else number and sketch >= columns
    require(
        None
        if legal
        else f"`sketch` must be None, 'auto' or a whole number of rows, at least as many as the "
        f"{columns} parameters, got {sketch!r}.",
        None
        if solver in ("auto", "sketched")
        else f"`sketch` must be None for solver={solver!r}, which makes none, got {sketch!r}.",
    )
    return default if isinstance(sketch, str) else int(sketch)
