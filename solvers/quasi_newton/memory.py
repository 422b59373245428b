"""What a problem takes, said before anything is allocated."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from ..checks import number_problem, require
from ..devices import asked_for, available_memory, is_out_of_memory

_GIB = 2.0**30
_PART = 0.75  # of the memory that is free: it is one array, and little beside it
_VECTORS = 40  # directions, gradients of trials, updates that wait
INSTEAD = "take fewer parameters, or L-BFGS, which keeps some vectors only"


def needs(n: int) -> float:
    """Return the bytes that the inverse Hessian of n parameters takes, in float64.

    Args:
        n: Number of parameters.

    Returns:
        Bytes of the array and of the vectors beside it.

    Example:
        >>> needs(20_000) / 1e9  # GB
        3.2064
    """
    return 8.0 * n * (n + _VECTORS)


def check(n: int, device: torch.device, limit_gb: float | None, instead: str = INSTEAD) -> None:
    """Refuse a problem for which there is no room.

    Args:
        n: Number of parameters.
        device: Where the array will lie.
        limit_gb: Memory to use at most, in GiB; three quarters of what is free if None.
        instead: What the caller's user can do.

    Raises:
        ValueError: If the limit is not positive.
        MemoryError: If there is none, with what is needed.
    """
    if limit_gb is not None:
        require(number_problem("memory_limit_gb", limit_gb, "positive", above=0.0, infinite=True))
    limit = _PART * available_memory(device) if limit_gb is None else limit_gb * _GIB
    if needs(n) > limit:
        raise MemoryError(
            f"`memory_limit_gb` must leave room for the inverse Hessian of {n:,} parameters, "
            f"{needs(n) / _GIB:.3g} GiB ({needs(n):,.0f} bytes), got {limit / _GIB:.3g} GiB: "
            f"{instead}."
        )


@contextlib.contextmanager
def told(n: int, instead: str = INSTEAD) -> Iterator[None]:
    """Say what was needed where memory runs out all the same.

    Args:
        n: Number of parameters.
        instead: What the caller's user can do.

    Yields:
        Nothing.

    Raises:
        MemoryError: In the place of a device's own error, or the system's.
        Exception: Any other, as it came.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error) or type(error) is MemoryError:
            raise
        asked = asked_for(error)
        more = "" if asked is None else f", tried to allocate {' '.join(asked)}"
        raise MemoryError(
            f"Memory ran out with {n:,} parameters{more}: their inverse Hessian takes "
            f"{needs(n) / _GIB:.3g} GiB, beside what the function itself does; {instead}."
        ) from error
