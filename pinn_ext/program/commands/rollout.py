"""`pinn-ext rollout RUN steps=N`: a network that steps, from its own states, on unseen problems."""

from __future__ import annotations

import io
from pathlib import Path

from pinn_ext.checks import check_number
from pinn_ext.files import replace_file, shortened
from pinn_ext.program.commands.options import Options, check_run, refusing
from pinn_ext.program.terminal.progress import Progress, say, say_loading
from pinn_ext.program.terminal.refusals import Refused, refusals
from pinn_ext.program.trained.places import check_targets

_NAME = "rollout.png"
_MOST = 10_000


def rollout(arguments: list[str]) -> int:
    """Print the errors of a roll-out over time, and write them and a picture into files.

    Args:
        arguments: of the command line, those after `rollout`.

    Returns:
        The exit status 0.

    Raises:
        Refused: if an argument, the run or a file cannot be used, in one sentence.
    """
    given = _options().parse_intermixed_args(arguments)  # steps=N may stand behind options
    file, steps = check_run(given), _steps(given.settings)
    out = file.parent / _NAME if given.out is None else Path(given.out)
    beside = out.with_suffix(".csv")
    with refusals():
        check_targets(out, given.overwrite, (".png",))
        check_targets(beside, given.overwrite, (".csv",))
    say_loading()
    from pinn_ext.program.families import stepper
    from pinn_ext.reports.field_plots import rollouts
    from pinn_ext.reports.growing_file import csv_line

    with refusing(problem_file="--problem-file"):
        own = stepper.load_stepper(
            given.run, best=given.best, dtype=given.dtype, problem_file=given.problem_file
        )
    with refusals():
        steps = own.family.steps if steps is None else steps
        with Progress() as progress:
            progress.count(own.config.dataset.num_test, 0, "reference")
            domains = [name for name in (given.domains or "").split(",") if name]
            problems = own.test_problems(steps, progress.advance, domains)
        found = stepper.compare(own, problems)
    rows, picture = stepper.table(found), io.BytesIO()
    say(problems.family.text()[0])
    say(f"{len(problems)} unseen problems, steps of {own.family.horizon:g}, network {own.file}:")
    for line in stepper.lines(found, rows):
        say(line)
    rollouts.draw(picture, found.rollout)
    table = csv_line(list(rows[0])) + "".join(csv_line(list(row.values())) for row in rows)
    for path, content in ((out, picture.getvalue()), (beside, table)):
        try:
            replace_file(path, content)
        except OSError as error:
            raise Refused(f"{shortened(path)} cannot be written ({error.strerror}).") from error
    say(f"Written: {out} and {beside.name}.")
    return 0


def _options() -> Options:
    options = Options("rollout", "Print errors of a network that steps, from its own states.")
    options.add_run()
    options.add_argument(
        "settings", nargs="*", metavar="steps=N", help="length (default: that of the references)"
    )
    options.add_argument(
        "--domains",
        metavar="NAME[,NAME]",
        help="domains or mesh files that the problems lie on (default: those of the training)",
    )
    options.add_argument(
        "--out", metavar="FILE", help=f".png (default: {_NAME} in the folder of the run)"
    )
    options.add_overwrite()
    return options


def _steps(settings: list[str]) -> int | None:
    """Return the number in `steps=N`, None if there is none.

    Raises:
        Refused: if it is none, or something else is set.
    """
    steps = None
    for setting in settings:
        key, _, value = setting.partition("=")
        if key != "steps":
            raise Refused(f"`rollout` has the setting steps=N, got {setting!r}.")
        if not value.isdecimal():
            raise Refused(f"`steps` must be a whole number in [1, {_MOST}], got {value!r}.")
        with refusals():
            steps = int(check_number("steps", int(value), 1, _MOST, integer=True))
    return steps
