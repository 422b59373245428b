"""`pinn-ext study FILE`: systems x strategies x seeds, run or gone on with, and its page."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from pinn_ext.checks import check_number
from pinn_ext.program.commands.options import Options
from pinn_ext.program.terminal.progress import say, say_loading
from pinn_ext.program.terminal.refusals import refusals

if TYPE_CHECKING:
    from pinn_ext.program.study.conduct import Settings
    from pinn_ext.reports.study.records import Record


def study(arguments: list[str]) -> int:
    """Run a study, or go on with it, and make its page.

    Args:
        arguments: of the command line, those after `study`.

    Returns:
        The exit status: 0 if all jobs are done, 1 if one has failed, 130 or 143 if interrupted.

    Raises:
        Refused: if file, folder or a job cannot be used, in one sentence.
    """
    given = _options().parse_args(arguments)
    if given.page_only:
        return _page_only(given.study)
    return _run(given)


def _options() -> Options:
    options = Options("study", "Run systems x strategies x seeds, and show what came of it.")
    options.add_argument(
        "study", metavar="STUDY", help="a study file, the name of one of the package, or a folder"
    )
    options.add_argument("--folder", metavar="DIR", help="of the results (default: the file's)")
    options.add_argument("--jobs", type=int, metavar="N", help="how many run at once")
    options.add_argument("--launcher", metavar="NAME", help="of Hydra, such as submitit_slurm")
    options.add_argument("--retry", action="store_true", help="run failed jobs again")
    options.add_argument("--plan", action="store_true", help="list the jobs and run none")
    options.add_argument(
        "--page-only", action="store_true", help="make the page of a FOLDER again from its rows"
    )
    return options


def _page_only(name: str) -> int:
    from pinn_ext.program.commands.options import existing_folder
    from pinn_ext.reports.study.records import read_record

    folder = existing_folder(name)
    with refusals():
        record = read_record(folder)
        say_loading()
        from pinn_ext.program.study.conduct import make_page

        say(make_page(record, folder))
    return 0


def _run(given: Namespace) -> int:
    from pinn_ext.program.study import study_file
    from pinn_ext.program.study.folder import check_place
    from pinn_ext.program.study.plan import plan

    asked = study_file.read(study_file.find(given.study))
    folder = Path(given.folder or asked.folder)
    jobs = asked.jobs if given.jobs is None else given.jobs
    launcher = given.launcher or asked.launcher
    with refusals():
        check_number("--jobs", jobs, 1, 1024, integer=True)
        check_place(folder)
    planned = plan(asked, _checked_before(folder))
    if given.plan:
        for job in planned:
            say(f"{job.name}: {' '.join(job.overrides)}")
        say(f"{len(planned)} jobs.")
        return 0
    if launcher is not None:
        from pinn_ext.program.study.launch import check_launcher

        check_launcher([f"hydra/launcher={launcher}", *asked.launcher_options])
    say_loading()
    from pinn_ext.program.study.conduct import Settings, record_of

    settings = Settings(folder, jobs, launcher, asked.launcher_options, given.retry)
    return _carry_out(record_of(asked, planned), settings)


def _checked_before(folder: Path) -> frozenset[tuple[str, ...]]:
    """Return what need not be checked again where the folder holds a study."""
    from pinn_ext.files import RunError
    from pinn_ext.program.study.plan import checked_before
    from pinn_ext.reports.study.records import read_record

    try:
        return checked_before(read_record(folder))
    except RunError:  # said when the folder is taken up, if it is no new one
        return frozenset()


def _carry_out(record: Record, settings: Settings) -> int:
    from pinn_ext.program.interrupts import Interrupts
    from pinn_ext.program.study.conduct import conduct, make_page
    from pinn_ext.reports.study.records import read_rows

    with refusals(), Interrupts().caught() as interrupts:
        over = conduct(record, settings, interrupts)
    with refusals():
        rows = read_rows(settings.folder)
        if rows:
            say(make_page(record, settings.folder))
    done = [job for job in record.jobs if job.name in rows]
    if interrupts.signal:
        say(f"Interrupted after {len(done)} of {len(record.jobs)} jobs: the same command goes on.")
        return interrupts.exit_status
    if len(done) < len(record.jobs):
        say(f"{len(record.jobs) - len(done)} jobs have no row: the same command goes on.")
    return 0 if over and all(rows[job.name]["status"] == "ok" for job in done) else 1
