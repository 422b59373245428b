"""Commands of the program beside training, a file each: `pinn-ext NAME …`.

The command `a-b` is the function `a_b` in the file `a_b.py`: it takes the arguments that follow its
name and returns the exit status. A file is loaded when its command is called, and loads torch only
after `options` has read the arguments and the paths among them are known to be there, so that a
typo is answered at once.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

NAMES = ("compare",)
"""Every command, in the order of the alphabet."""


def run(name: str, arguments: Sequence[str]) -> int:
    """Carry out a command.

    Args:
        name: one of `NAMES`.
        arguments: those after its name.

    Returns:
        The exit status.

    Raises:
        Refused: if the arguments cannot be used; the message is one sentence.
    """
    own = name.replace("-", "_")
    command: Callable[[list[str]], int] = getattr(
        importlib.import_module(f"{__name__}.{own}"), own
    )
    try:
        return command(list(arguments))
    except SystemExit:  # argparse ends so once it has printed its help
        return 0
