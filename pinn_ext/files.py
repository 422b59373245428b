"""Files of a run: written whole or not at all, and the error of a run that cannot go on."""

from __future__ import annotations

import os
from pathlib import Path


class RunError(RuntimeError):
    """A run cannot start or go on; the message is one sentence for the user."""


def replace_file(path: Path, text: str) -> None:
    """Write a file such that a crash leaves the former one or the new one, never a part.

    Args:
        path: of the file.
        text: its content.
    """
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)
