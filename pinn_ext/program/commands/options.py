"""Reading the arguments of a command: argparse, whose errors are one sentence."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pinn_ext.checks import ArgumentError
from pinn_ext.files import exists, shortened
from pinn_ext.program.terminal.progress import say_loading
from pinn_ext.program.terminal.refusals import Refused, refusals
from pinn_ext.program.trained.places import checkpoint_of

if TYPE_CHECKING:
    from pinn_ext.program.trained.trained_run import TrainedRun


class Options(argparse.ArgumentParser):
    """The arguments of one command; -h prints them.

    Args:
        command: its name.
        purpose: what it does, one sentence.
    """

    def __init__(self, command: str, purpose: str) -> None:
        super().__init__(prog=f"pinn-ext {command}", description=purpose, allow_abbrev=False)
        self.command = command

    def error(self, message: str) -> NoReturn:
        """Refuse the command line in one sentence; argparse would print ten lines and exit.

        Raises:
            Refused: always.
        """
        raise Refused(
            f"`{self.command}` cannot be read: {message} (pinn-ext {self.command} -h shows how)."
        )

    def add_run(self) -> None:
        """Ask for a run, and for which network of it."""
        self.add_argument("run", metavar="RUN", help="folder of a run, or a checkpoint")
        self.add_argument(
            "--best",
            action="store_true",
            help="the best network by validation losses",
        )
        self.add_argument(
            "--dtype",
            choices=("float32", "float64"),
            help="float type to compute in (default: that of the run)",
        )
        self.add_argument(
            "--problem-file",
            metavar="FILE",
            help="the Python file of a run with problem=from_file",
        )

    def add_overwrite(self) -> None:
        """Let existing files be replaced where the user says so."""
        self.add_argument("--overwrite", action="store_true", help="replace existing files")


@contextlib.contextmanager
def refusing(**options: str) -> Iterator[None]:
    """Turn what a user can cause into one sentence that has the option's name.

    Args:
        **options: as users write them, by the names of arguments in Python.

    Yields:
        Nothing.

    Raises:
        Refused: in the place of errors that users can cause.
    """
    with refusals():
        try:
            yield
        except ArgumentError as error:
            raise error.renamed(options.get(error.name, error.name)) from None


def check_run(given: argparse.Namespace) -> Path:
    """Return the checkpoint that arguments of `Options.add_run` name, without loading torch.

    Args:
        given: the arguments.

    Returns:
        A file that exists.

    Raises:
        Refused: if there is none.
    """
    with refusals():
        file = checkpoint_of(given.run, given.best)
    if given.problem_file is not None:
        existing_file("--problem-file", given.problem_file)
    return file


def load_run(given: argparse.Namespace) -> TrainedRun:
    """Return the run that arguments of `Options.add_run` name.

    Args:
        given: the arguments.

    Returns:
        Network and system.

    Raises:
        Refused: if it cannot be loaded.
    """
    say_loading()
    from pinn_ext.program.trained.load import load

    with refusing(problem_file="--problem-file"):
        return load(given.run, best=given.best, dtype=given.dtype, problem_file=given.problem_file)


def existing_folder(name: str) -> Path:
    """Return the path of a folder that there is.

    Args:
        name: as on the command line.

    Returns:
        Its path.

    Raises:
        Refused: if there is none.
    """
    folder = Path(name)
    if not exists(folder) or not folder.is_dir():
        raise Refused(f"There is no folder {shortened(folder)}.")
    return folder


def existing_file(option: str, name: str) -> Path:
    """Return the path of a file that there is.

    Args:
        option: that names it.
        name: as on the command line.

    Returns:
        Its path.

    Raises:
        Refused: if there is none.
    """
    path = Path(name)
    if not exists(path) or not path.is_file():
        raise Refused(f"`{option}` must name a file, got nothing at {shortened(path)}.")
    return path
