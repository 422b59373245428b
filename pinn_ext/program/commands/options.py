"""Reading the arguments of a command: argparse, whose errors are one sentence."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from pinn_ext.files import exists, shortened
from pinn_ext.program.composition import Refused


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
