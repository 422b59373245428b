"""`pinn-ext animate RUN`: u and v over time as a moving picture."""

from __future__ import annotations

import shutil
from pathlib import Path

from pinn_ext.checks import check_number
from pinn_ext.program.commands.options import Options, check_run, load_run
from pinn_ext.program.terminal.progress import Progress, say
from pinn_ext.program.terminal.refusals import Refused, refusals
from pinn_ext.program.trained.places import check_targets

_NAME = "fields.gif"
_ENDINGS = (".gif", ".mp4")
_MOST_FRAMES, _MOST_FPS = 1000, 50  # a GIF counts in hundredths of a second


def animate(arguments: list[str]) -> int:
    """Draw the fields of a trained network over time into a file.

    Args:
        arguments: of the command line, those after `animate`.

    Returns:
        The exit status 0.

    Raises:
        Refused: if an argument, the run or the file cannot be used, in one sentence.
    """
    options = Options("animate", "Draw u and v of a trained network over time.")
    options.add_run()
    options.add_argument(
        "--out", metavar="FILE", help=f".gif or .mp4 (default: {_NAME} in the folder of the run)"
    )
    options.add_argument("--frames", type=int, default=60, metavar="N", help="(default: 60)")
    options.add_argument("--fps", type=int, default=12, metavar="N", help="a second (default: 12)")
    options.add_overwrite()
    given = options.parse_args(arguments)
    file = check_run(given)
    out = file.parent / _NAME if given.out is None else Path(given.out)
    with refusals():
        check_number("--frames", given.frames, 2, _MOST_FRAMES, integer=True)
        check_number("--fps", given.fps, 1, _MOST_FPS, integer=True)
        check_targets(out, given.overwrite, _ENDINGS)
    if out.suffix.lower() == ".mp4" and shutil.which("ffmpeg") is None:
        raise Refused(f"ffmpeg must be installed to write {out.name}: a .gif needs nothing more.")
    run = load_run(given)
    from pinn_ext.reports.field_plots.animation import animate as draw

    with refusals(), Progress() as progress:
        progress.count(given.frames, 0, "frame")
        draw(
            out,
            run.system,
            run.fields,
            frames=given.frames,
            fps=given.fps,
            advance=progress.advance,
        )
    say(f"Written: {out} ({given.frames} frames, {given.fps} a second).")
    return 0
