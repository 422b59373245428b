"""Commands of the program beside training, a file each: `pinn-ext NAME …`.

The command `a-b` is the function `a_b` in the file `a_b.py`: it takes the arguments that follow its
name and returns the exit status. A file is loaded when its command is called, and loads torch only
after `options` has read the arguments and the paths among them are known to be there, so that a
typo is answered at once.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence

from pinn_ext.checks import check_choice
from pinn_ext.program.terminal.refusals import refusals

NAMES = (
    "animate",
    "compare",
    "compare-reference",
    "new",
    "predict",
    "rollout",
    "study",
)
"""Every command, in the order of the alphabet."""


def is_meant(arguments: Sequence[str]) -> bool:
    """Return whether a command line begins with a plain word, as only those of commands do.

    Args:
        arguments: of the command line.

    >>> is_meant(["compare", "multirun"]), is_meant(["predcit"]), is_meant(["seed=1"])
    (True, True, False)
    """
    return bool(arguments) and re.fullmatch(r"[A-Za-z][A-Za-z_-]*", arguments[0]) is not None


def run(name: str, arguments: Sequence[str]) -> int:
    """Carry out a command.

    Args:
        name: one of `NAMES`.
        arguments: those after its name.

    Returns:
        The exit status.

    Raises:
        Refused: if there is no such command, or the arguments cannot be used; one sentence.
    """
    with refusals():
        check_choice("command", name, NAMES)
    own = name.replace("-", "_")
    module = importlib.import_module(f"{__name__}.{own}")
    command: Callable[[list[str]], int] = getattr(module, own)
    try:
        return command(list(arguments))
    except SystemExit:  # argparse ends so once it has printed its help
        return 0
