"""Jobs of a study through a launcher of Hydra's: joblib, submitit on a cluster, Ray.

A launcher is handed all jobs of a stage and returns when they are over; each job appends its row
itself, and a thread here tells of rows as they come.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pinn_ext.files import RunError, replace_file
from pinn_ext.program.composition import (
    config_dir,
    config_loader,
    register_schema,
    version_base,
)
from pinn_ext.program.hydra_errors import one_line
from pinn_ext.program.interrupts import Interrupts
from pinn_ext.program.study.job import JOBS
from pinn_ext.program.study.workers import Task
from pinn_ext.program.terminal.progress import say
from pinn_ext.program.terminal.refusals import Refused
from pinn_ext.reports.study.records import Row, read_rows
from pinn_ext.schema import Config

_TASKS = "tasks"
_LOOK = 2.0  # seconds between two looks for rows


class Launched:
    """Runs tasks by a launcher of Hydra's.

    Args:
        study: folder of the study, which all machines see.
        launcher: name of a configuration under `hydra/launcher`.
        options: overrides of its settings, such as `hydra.launcher.partition=main`.
    """

    def __init__(self, study: Path, launcher: str, options: Sequence[str]) -> None:
        self._study = study.resolve()
        self._overrides = [f"hydra/launcher={launcher}", *options]

    def run(
        self, tasks: Sequence[Task], interrupts: Interrupts, done: Callable[[Row], None]
    ) -> None:
        """Run all tasks. An error of the launcher is printed: rows say what became of jobs.

        Args:
            tasks: to be run.
            interrupts: signals that were caught.
            done: is handed each row that has been written.

        Raises:
            RunError: if the rows cannot be read.
        """
        folder = self._study / _TASKS
        folder.mkdir(exist_ok=True)
        batch = []
        for task in tasks:
            own = {"job": asdict(task.job), "pilots": list(task.pilots)}
            replace_file(folder / f"{task.job.name}.json", json.dumps(own))
            batch.append([*task.overrides, f"hydra.sweep.subdir={task.job.name}"])
        wanted, over = {task.job.name for task in tasks}, threading.Event()
        told: set[str] = set()

        def tell() -> None:
            rows = read_rows(self._study)
            for name in sorted(wanted & set(rows) - told):
                told.add(name)
                done(rows[name])

        def watch() -> None:
            while not over.wait(_LOOK):
                tell()
                if interrupts.signal is not None:  # launchers wait for jobs, whatever comes
                    os.kill(os.getpid(), signal.SIGINT)
                    return

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            launch(self._study, self._overrides, batch)
        except (KeyboardInterrupt, SystemExit):  # of a job that a signal has ended
            interrupts.signal = interrupts.signal or signal.SIGTERM
        except Exception as error:  # a job's, or the launcher's
            say(f"The launcher ended with an error: {one_line(error)}")
        finally:
            over.set()
            watching.join()
            tell()

    def close(self) -> None:
        """Nothing stays."""


def launch(study: Path, options: Sequence[str], batch: Sequence[Sequence[str]]) -> None:
    """Hand jobs to a launcher of Hydra's.

    Args:
        study: folder of the study.
        options: overrides that choose the launcher and its settings.
        batch: overrides of each job.
    """
    from hydra.core.plugins import Plugins
    from hydra.types import HydraContext

    callbacks, cfg = _sweep_config(study, options)
    launcher = Plugins.instance().instantiate_launcher(
        config=cfg,
        hydra_context=HydraContext(config_loader=config_loader(), callbacks=callbacks),
        task_function=task,
    )
    launcher.launch([list(job) for job in batch], initial_job_idx=0)


def check_launcher(options: Sequence[str]) -> None:
    """Refuse a launcher that is not installed, or settings that it does not have.

    Args:
        options: overrides that choose the launcher and its settings.

    Raises:
        Refused: in one sentence.
    """
    _, cfg = _sweep_config(Path("study"), options)
    from hydra.core.plugins import Plugins
    from omegaconf import OmegaConf

    known = Plugins.instance().class_name_to_class
    target = OmegaConf.select(cfg, "hydra.launcher._target_")
    if target not in known:
        name = options[0].partition("=")[2]
        raise Refused(
            f"The launcher {name} is not installed ({target}); docs/studies.md says what is."
        )


def _sweep_config(study: Path, options: Sequence[str]) -> tuple[Any, Any]:
    """Return Hydra's callbacks and a configuration from which a launcher makes those of jobs."""
    import hydra
    from hydra._internal.callbacks import Callbacks
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode

    register_schema()
    quoted = str(study / JOBS).replace("'", "\\'")
    try:
        with hydra.initialize_config_dir(str(config_dir()), job_name="pinn-ext", **version_base()):
            loaded: Any = GlobalHydra.instance().hydra
            loaded.config_loader = config_loader()
            cfg = loaded.compose_config(
                config_name="config",
                overrides=[*options, f"hydra.sweep.dir='{quoted}'"],
                run_mode=RunMode.MULTIRUN,
                with_log_configuration=False,
            )
            return Callbacks(cfg), cfg
    except Exception as error:
        raise Refused(one_line(error)) from None


def task(cfg: Config) -> None:
    """Run one job of a study where a launcher has put it; whatever happens, it leaves a row.

    Args:
        cfg: the job's configuration, which it composes again from its overrides.

    Raises:
        RunError: if the launcher was not given the job by a study.
        SystemExit: if it was terminated; it goes on when the study is run again.
    """
    import torch
    from hydra.core.hydra_config import HydraConfig

    from pinn_ext.program.study.job import run_job
    from pinn_ext.program.workers import ended_with_parent
    from pinn_ext.reports.study.records import Job

    own = HydraConfig.get()
    name = str(own.sweep.subdir)
    study = Path(own.runtime.output_dir).parent.parent
    try:
        given = json.loads((study / _TASKS / f"{name}.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"The job {name} has no task to read ({error}).") from None
    torch.set_num_threads(1)  # jobs share the cores
    with ended_with_parent(), Interrupts().caught() as interrupts:
        run_job(study, Job(**given["job"]), list(own.overrides.task), given["pilots"], interrupts)
    if interrupts.signal:
        raise SystemExit(interrupts.exit_status)
