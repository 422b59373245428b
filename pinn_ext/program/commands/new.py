"""`pinn-ext new FILE`: a problem file to begin with."""

from __future__ import annotations

import os
import re
import shlex
from importlib import resources
from pathlib import Path

from pinn_ext.checks import ArgumentError, check_choice
from pinn_ext.files import exists, make_file, shortened
from pinn_ext.program.commands.options import Options
from pinn_ext.program.terminal.progress import say
from pinn_ext.program.terminal.refusals import Refused, refusals

_FOLDER = "systems/templates"  # in pinn_ext, read as text only
_DEFAULT = "turing_pattern"
_CASE = "__"  # in the name of a file, between a system and its case
FIRST_CASES = {
    "burgers_2d": "fletcher",
    "ginzburg_landau": "plane_wave",
    "gray_scott": "front",
    "schroedinger": "soliton",
}
"""The cases whose files have the name of the system alone, as they are the default there."""


def new(arguments: list[str]) -> int:
    """Write a problem file, never over an existing one.

    Args:
        arguments: of the command line, those after `new`.

    Returns:
        The exit status 0.

    Raises:
        Refused: if the file or the system cannot be used, in one sentence.
    """
    options = Options("new", "Write a problem file to begin with: a Turing pattern, or a system.")
    options.add_argument("file", metavar="FILE", help="to be made, its name ends in .py")
    options.add_argument(
        "--from", dest="source", metavar="NAME", help="a system of pinn_ext, or NAME/CASE"
    )
    given = options.parse_args(arguments)
    path = Path(given.file)
    with refusals():
        text = template(given.source)
        _check_place(path)
    try:
        make_file(path, text)
    except (OSError, ValueError) as error:  # the latter of a name that no file can have
        why = getattr(error, "strerror", None) or error
        raise Refused(f"The file {shortened(path)} cannot be written ({why}).") from None
    say(f"Written: {path}. To train on it:\n\n    pinn-ext problem=from_file {_override(path)}")
    return 0


def names() -> list[str]:
    """Return what `--from` can be, sorted.

    Returns:
        `NAME` for the default case of each system, `NAME/CASE` for the others.
    """
    files = resources.files("pinn_ext").joinpath(_FOLDER).iterdir()
    stems = [file.name.removesuffix(".py") for file in files if file.name.endswith(".py")]
    return sorted(stem.replace(_CASE, "/") for stem in stems if stem != _DEFAULT)


def template(source: str | None) -> str:
    """Return the text of a problem file.

    Args:
        source: one of `names()`, or None for the one to begin with.

    Returns:
        The text, which runs as it is.

    Raises:
        ArgumentError: if there is none; the message lists the names.
    """
    stem = _DEFAULT
    if source is not None:
        name, _, case = source.partition("/")
        own = name if case and FIRST_CASES.get(name) == case else source
        stem = check_choice("--from", own, names()).replace("/", _CASE)
    file = resources.files("pinn_ext").joinpath(f"{_FOLDER}/{stem}.py")
    return file.read_text("utf-8")


def _check_place(path: Path) -> None:
    """Refuse a path at which no problem file can be made."""
    shown = shortened(path)
    if path.suffix != ".py":
        raise ArgumentError("FILE", "have a name that ends in .py", repr(str(shown)))
    if os.path.isdir(path):
        raise ArgumentError("FILE", "be a file", f"the folder {shown}")
    if os.path.lexists(path):
        wanted = "be new, as no file is written over"
        raise ArgumentError("FILE", wanted, f"{shown}, which is there")
    if not exists(path.parent) or not path.parent.is_dir():
        raise ArgumentError("FILE", "lie in a folder that is there", str(shown))


def _override(path: Path) -> str:
    """Return how a command line names the file, so that the shell and Hydra read it as it is."""
    text = str(path)
    if re.fullmatch(r"[\w./-]+", text, re.ASCII):
        return f"problem.file={text}"
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return shlex.quote(f"problem.file='{quoted}'")
