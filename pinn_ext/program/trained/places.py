"""Where a run lies and where its fields go: paths looked at before torch is loaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from pinn_ext.files import BEST, CHECKPOINT, LONGEST_NAME, OWN_FILES, RunError, exists, shortened

ENDINGS = (".npz", ".csv", ".vtu")
"""Endings of files that fields are written to."""
_LONGER = 20  # bytes that numbers and the mark of an unfinished file add to a name


def checkpoint_of(run: str | Path, best: bool = False) -> Path:
    """Return the checkpoint of a run.

    Args:
        run: its folder, or a checkpoint.
        best: whether the best network is wanted, which lies in a file of its own.

    Returns:
        A file that exists.

    Raises:
        RunError: if there is none.
    """
    path = Path(run)
    if not exists(path):
        raise RunError(f"There is no run at {shortened(path)}.")
    if path.is_dir():
        folder, file = path, path / CHECKPOINT
    else:
        folder, file = path.parent, path
    if not file.is_file():
        raise RunError(_no_run(path))
    if not best or file.name == BEST:
        return file
    if not (folder / BEST).is_file():
        raise RunError(
            f"The best network must lie in {shortened(folder / BEST)}, got nothing there: a run "
            "of at least one epoch leaves it."
        )
    return folder / BEST


def _no_run(path: Path) -> str:
    """Return why a path that exists is no run."""
    if not path.is_dir():
        return f"{shortened(path)} is neither the folder of a run nor a checkpoint."
    inner = sorted(file.parent for file in path.glob(f"*/{CHECKPOINT}"))
    hint = f"; it holds runs, such as {shortened(inner[0])}" if inner else ""
    return f"The folder {shortened(path)} holds no {CHECKPOINT}, it is no run{hint}."


def targets(path: Path, times: int) -> list[Path]:
    """Return the files that fields go to.

    Args:
        path: that was asked for.
        times: number of times of the fields.

    Returns:
        The path, or of several times in VTU a file each and, last, one that lists them.

    >>> [file.name for file in targets(Path("fields.vtu"), 2)]
    ['fields_0000.vtu', 'fields_0001.vtu', 'fields.pvd']
    """
    if times == 1 or path.suffix.lower() != ".vtu":
        return [path]
    digits = max(4, len(str(times - 1)))
    names = [f"{path.stem}_{number:0{digits}d}{path.suffix}" for number in range(times)]
    return [path.with_name(name) for name in (*names, f"{path.stem}.pvd")]


def check_targets(
    path: Path, overwrite: bool, endings: Sequence[str] = ENDINGS, times: int = 1
) -> None:
    """Refuse files that cannot be written, or would replace something of the user's.

    Args:
        path: that was asked for.
        overwrite: whether existing files may be replaced.
        endings: that its name may have.
        times: as in `targets`.

    Raises:
        RunError: in one sentence that names the file.
    """
    if path.suffix.lower() not in endings:
        *most, last = endings
        listed = f"{', '.join(most)} or {last}" if most else last
        raise RunError(f"`--out` must end in {listed}, got {shortened(path)}.")
    if path.suffix.lower() == ".vtu" and find_spec("meshio") is None:
        raise RunError(
            "meshio must be installed to write .vtu files: pip install 'pinn-ext[mesh]'."
        )
    if len(os.fsencode(path.name)) > LONGEST_NAME - _LONGER:
        raise RunError(f"`--out` must be a shorter name, got {shortened(path)}.")
    folder = path.parent
    if not exists(folder) or not folder.is_dir():
        raise RunError(f"There is no folder {shortened(folder)} to write into.")
    if not os.access(folder, os.W_OK):
        raise RunError(f"The folder {shortened(folder)} cannot be written.")
    for file in targets(path, times):
        if not os.path.lexists(file):
            continue
        if file.is_dir():
            raise RunError(f"`--out` must name a file, got the folder {shortened(file)}.")
        if file.name in OWN_FILES:
            raise RunError(f"{shortened(file)} is a file that a run or a sweep writes itself.")
        if not overwrite:
            raise RunError(f"There is a file {shortened(file)}: add --overwrite to replace it.")
