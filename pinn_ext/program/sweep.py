"""Sweeps: several jobs by Hydra, then one table."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import traceback
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pinn_ext import schema
from pinn_ext.files import FolderTaken, RunError, refuse_taken, replace_file
from pinn_ext.program import sweepers
from pinn_ext.program.composition import (
    by_hydra,
    chosen_folder,
    compose,
    config_loader,
    job_folder,
    new_folder,
)
from pinn_ext.program.hydra_errors import one_line
from pinn_ext.program.interrupts import Interrupts, SweepEnd
from pinn_ext.program.problem import refuse_unnamed
from pinn_ext.program.run_info import Info
from pinn_ext.program.terminal.progress import say, say_loading
from pinn_ext.program.terminal.refusals import Refused, refusals
from pinn_ext.program.workers import ended_with_parent
from pinn_ext.schema import Config

_END = SweepEnd()


def sweep(options: Namespace, arguments: list[str]) -> int:
    """Run the jobs of a sweep and compare them, whatever became of each.

    Args:
        options: of the command line, as Hydra's parser returns them.
        arguments: of the command line.

    Returns:
        The exit status: 0 if all jobs went well, else 1, or 130 or 143 if interrupted.

    Raises:
        Refused: if a job cannot be composed; then none is started.
    """
    jobs, basic = _jobs(options)
    if not jobs:
        raise Refused("A sweep must have at least one job, got a key without values.")
    places, cfg, hydra_part = _composed(options, jobs)
    chosen = _chosen(places, hydra_part)
    say_loading()
    folder = new_folder("multirun", cfg.experiment.name, chosen)
    status = 0
    quoted = str(folder).replace("'", "\\'")
    try:
        with _END.caught():  # between jobs; each catches its own
            by_hydra([*arguments, f"hydra.sweep.dir='{quoted}'"], job)
            _END.raise_again()
    except KeyboardInterrupt:
        status = 130
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except Exception as error:  # a launcher whose workers died, say
        print(f"pinn-ext: {one_line(error)}", file=sys.stderr)
        status = _END.exit_status or 1
    rows, written = _table(folder, jobs if basic else None, places if basic else ())
    if not basic:
        say(f"\n{sweepers.best_line(rows)}")
    return status or written or (0 if all(row["status"] == "ok" for row in rows) else 1)


def _jobs(options: Namespace) -> tuple[list[list[str]], bool]:
    """Return the overrides of all jobs, and whether Hydra's own sweeper runs them.

    Of another sweeper, which chooses the values itself, they are those of some jobs that it may
    come to.

    Raises:
        Refused: if they cannot be read, or a package is not installed.
    """
    from pinn_ext.reports.planned_jobs import expand

    try:
        loader = config_loader(options.config_dir)
        some = sweepers.samples(options.overrides, loader)
        if not some:
            return [], True
        hydra_part = _hydra_part(options, some[0])
        sweepers.check_installed(hydra_part)
        params = hydra_part.sweeper.get("params") or {}
        overrides = [*(f"{key}={value}" for key, value in params.items()), *options.overrides]
        if sweepers.is_basic(hydra_part):
            return expand(overrides, loader), True
        found = sweepers.samples(overrides, loader)
        return found * 2 if len(found) == 1 else found, False
    except Refused:
        raise
    except Exception as error:
        raise Refused(one_line(error)) from None


def _hydra_part(options: Namespace, overrides: list[str]) -> Any:
    return compose(overrides, search=options.config_dir, name=options.config_name or "config")[1]


def _composed(options: Any, jobs: list[list[str]]) -> tuple[list[str], Config, Any]:
    """Compose every job; return names of their folders, and the last job's two configurations."""
    places: list[str] = []
    for number, overrides in enumerate(jobs):
        # What Hydra's launchers give to a job, and its folder may be named after.
        own = [f"hydra.job.num={number}", f"hydra.job.id={number}"]
        cfg, hydra_part = compose(
            [*overrides, *own], search=options.config_dir, name=options.config_name or "config"
        )
        with refusals():
            refuse_unnamed(cfg, overrides)
        if cfg.training.resume is not None:
            raise Refused("`training.resume` goes on with one run, it cannot be used with -m.")
        if str(hydra_part.mode).endswith("RUN") and "MULTI" not in str(hydra_part.mode):
            raise Refused("`hydra.mode` cannot be RUN with -m (--multirun).")
        places.append(job_folder(hydra_part))
    if len(set(places)) < len(places):
        raise Refused(
            "`hydra.sweep.subdir` must give each job a folder of its own, such as "
            f"'${{hydra.job.num}}', got {places[0]!r} more than once."
        )
    size = hydra_part.sweeper.get("max_batch_size")
    if size is not None and not (isinstance(size, int) and size >= 1):
        raise Refused(f"`hydra.sweeper.max_batch_size` must be a whole number >= 1, got {size!r}.")
    return places, cfg, hydra_part


def _chosen(places: list[str], hydra_part: Any) -> Path | None:
    """Return the folder that the user asked for, if nothing in it would be written over."""
    chosen, records = chosen_folder(hydra_part.sweep), hydra_part.output_subdir
    if chosen is not None:
        for place in (chosen / name for name in places):
            if place.is_symlink():
                raise Refused(f"The folder {place} of a job must not be a link.")
            if records is not None and os.path.lexists(place / str(records)):
                raise Refused(
                    f"The folder {place} must not hold {records} yet, which Hydra writes."
                )
            with refusals():
                refuse_taken(place)
    return chosen


def _table(
    folder: Path, jobs: list[list[str]] | None, places: Sequence[str]
) -> tuple[list[dict[str, Any]], int]:
    """Print the comparison of a sweep; return its rows, and 1 if its files cannot be written."""
    from pinn_ext.reports.compare import NotWritten, compare

    try:
        rows, text = compare(folder, jobs, places)
    except NotWritten as error:
        say(f"\n{error.text}")
        print(f"pinn-ext: {error}", file=sys.stderr)
        return error.rows, 1
    except RunError as error:  # the sweeper has ended before its first job
        print(f"pinn-ext: {error}", file=sys.stderr)
        return [], 1
    say(f"\n{text}")
    return rows, 0


def job(cfg: Config) -> float:
    """Run one job of a sweep; whatever happens, it leaves a report and lets the others run.

    Args:
        cfg: the job's configuration.

    Returns:
        The held-out score of its network, for sweepers that minimise one: by raw losses on
        snapshots that are not trained on, so that no solution need be known. Infinite for a job
        that failed.

    Raises:
        KeyboardInterrupt: if it was interrupted, after its report was written.
        SystemExit: if it was terminated, after its report was written.
    """
    import torch
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    _END.raise_again()
    own = HydraConfig.get()
    job_id = None if OmegaConf.is_missing(own.job, "id") else str(own.job.id)
    choices = {k: v for k, v in own.runtime.choices.items() if "hydra" not in k}
    info = Info(list(own.overrides.task), choices, own.job.num, job_id)
    torch.set_num_threads(1)  # jobs share the cores; threads that wait for each other are slow
    with ended_with_parent(), Interrupts().caught() as interrupts:
        content = attempt(cfg, Path(own.runtime.output_dir), info, interrupts)
    if content["status"] == "failed":
        print(f"pinn-ext: job {info.job} failed: {content['message']}", file=sys.stderr)
    if interrupts.signal == signal.SIGINT:
        raise KeyboardInterrupt
    if interrupts.signal:
        raise SystemExit(interrupts.exit_status)
    _END.raise_again()
    score = content.get("held_out_score") if content["status"] == "ok" else None
    return math.inf if score is None else float(score)


def attempt(
    cfg: Config, folder: Path, info: Info, interrupts: Interrupts, always: bool = False
) -> dict[str, Any]:
    """Run a job, or go on with it; return its report, also of one that raised.

    Args:
        cfg: the job's configuration.
        folder: of the job, which exists.
        info: how it was started, with the job's name where it may be run again.
        interrupts: signals that were caught.
        always: whether it goes on from its own checkpoint wherever there is one, and not only
            where its cluster may have queued it again.

    Returns:
        The report, as written to `report.json` where that can be written.
    """
    from pinn_ext.program import requeued, run
    from pinn_ext.reports import report

    try:
        find = requeued.checkpoint_left if always else requeued.own_checkpoint
        source = find(folder, cfg, info)
        if source is not None:
            again = "is run again" if always else "was queued again"
            name = info.job_id if info.job is None else info.job
            say(f"Job {name} {again}: it goes on from its checkpoint.")
        return run.run(cfg, folder, info=info, source=source, interrupts=interrupts)
    except Exception as error:
        if not isinstance(error, (ValueError, RunError)):
            with contextlib.suppress(OSError):  # the report says the essential
                replace_file(folder / "error.log", traceback.format_exc())
        content = report.failure(
            one_line(error),
            strategy=schema.strategy_of(cfg.training.loss.adaptive),
            problem=cfg.problem.name,
            seed=cfg.seed,
            overrides=info.overrides,
            job=info.job,
        )
        if not isinstance(error, FolderTaken):  # what lies there belongs to someone else
            with contextlib.suppress(RunError):  # a full disk, say: the other jobs go on
                report.write(folder, content)
        return content
