"""What the program says of a command that it cannot carry out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pinn_ext.files import RunError


class Refused(Exception):
    """The command cannot be carried out; the message is one sentence."""


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Turn what a user can cause into one sentence; anything else is ours and keeps its trace."""
    try:
        yield
    except (ValueError, RunError) as error:
        raise Refused(str(error)) from None
