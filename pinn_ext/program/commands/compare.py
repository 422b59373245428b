"""`pinn-ext compare FOLDER`: the comparison of a sweep, or of the runs in a folder, made again."""

from __future__ import annotations

from pinn_ext.program.commands.options import Options, existing_folder
from pinn_ext.program.terminal.progress import say, say_loading
from pinn_ext.program.terminal.refusals import Refused, refusals


def compare(arguments: list[str]) -> int:
    """Compare the runs in a folder, from what they left.

    Args:
        arguments: of the command line, those after `compare`.

    Returns:
        The exit status: 0 if all runs are done, 1 if one is not.

    Raises:
        Refused: if there is no such folder, or nothing in it to compare.
    """
    options = Options("compare", "Compare the jobs of a sweep, or the runs in a folder.")
    options.add_argument("folder", metavar="FOLDER", help="of a sweep, or one that holds runs")
    folder = existing_folder(options.parse_args(arguments).folder)
    say_loading()
    from pinn_ext.reports.compare import NotWritten
    from pinn_ext.reports.compare import compare as compare_runs

    with refusals():
        try:
            rows, text = compare_runs(folder)
        except NotWritten as error:
            say(error.text)
            raise Refused(str(error)) from None
    say(text)
    return 0 if all(row["status"] == "ok" for row in rows) else 1
