"""`pinn-ext compare-reference RUN FILE`: a trained network beside fields from a file."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pinn_ext.files import replace_file, shortened
from pinn_ext.program.commands.options import (
    Options,
    check_run,
    existing_file,
    load_run,
    refusing,
)
from pinn_ext.program.terminal.progress import say
from pinn_ext.program.terminal.refusals import Refused, refusals
from pinn_ext.program.trained.places import check_targets

_NAMES = {"path": "FILE", "columns": "--columns", "time": "--time"}


def compare_reference(arguments: list[str]) -> int:
    """Print the errors of a trained network against fields of somebody else's.

    Args:
        arguments: of the command line, those after `compare-reference`.

    Returns:
        The exit status 0.

    Raises:
        Refused: if an argument, the run or a file cannot be used, in one sentence.
    """
    given = _options().parse_args(arguments)
    check_run(given)
    if "*" not in given.file:  # which stands for the numbers of a series
        existing_file("FILE", given.file)
    columns = _columns(given.columns)
    out = None if given.out is None else Path(given.out)
    if out is not None:
        with refusals():
            check_targets(out, given.overwrite, (".json",))
    run = load_run(given)
    from pinn_ext.datasets.reference_files import read_reference
    from pinn_ext.program.trained.reference_errors import reference_errors

    with refusing(**_NAMES):
        reference = read_reference(
            given.file, columns=columns, dimension=run.system.dimension, time=given.time
        )
        errors = reference_errors(run, reference)
    for note in (*reference.notes, *errors.left_out):
        say(note)
    say(f"{errors.samples} samples of {reference.source}, network {run.file}:")
    say(errors.table())
    if out is None:
        return 0
    content = {
        "network": str(run.file),
        "reference": reference.source,
        "columns": dict(reference.columns),
        "notes": list(reference.notes),
        **errors.as_dict(),
    }
    try:
        replace_file(out, json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise Refused(f"{shortened(out)} cannot be written ({error.strerror}).") from error
    say(f"Written: {out}.")
    return 0


def _options() -> Options:
    options = Options(
        "compare-reference", "Print errors of a trained network against fields from a file."
    )
    options.add_run()
    options.add_argument("file", metavar="FILE", help="npz, mat, csv, COMSOL's text, vtu, xdmf, …")
    options.add_argument(
        "--columns",
        action="append",
        default=[],
        metavar="KEY=NAME,…",
        help="what the file calls x, y, t, u or v",
    )
    options.add_argument(
        "--time", type=float, metavar="T", help="time of the fields, if the file states none"
    )
    options.add_argument("--out", metavar="FILE", help=".json for the same numbers")
    options.add_overwrite()
    return options


def _columns(texts: list[str]) -> dict[str, str] | None:
    """Return names by role of `u=U1,v=U2`; a comma before anything but KEY= belongs to a name."""
    pairs = [part for text in texts for part in re.split(r",(?=\s*\w+\s*=)", text)]
    columns = {}
    for pair in pairs:
        key, found, name = pair.partition("=")
        if not found:
            raise Refused(f"`--columns` must be KEY=NAME, such as u=U1,v=U2, got {pair!r}.")
        columns[key.strip()] = name.strip()
    return columns or None
