"""A process that runs jobs of a study one after the other, as its parent hands them over.

Lines of JSON come in and go out: a job, and whether it has a row now. The end of the input, which
comes with the end of the parent however that ends, ends the job at work in order: it goes on from
its checkpoint when the study is run again.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

LOGS = "logs"
"""Folder of what the jobs print, a file each."""


def main(study: Path) -> int:
    """Run jobs until the input ends.

    Args:
        study: folder of the study.

    Returns:
        The exit status 0.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what others print is no answer
    jobs: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    import torch

    torch.set_num_threads(1)  # jobs share the cores
    while (given := jobs.get()) is not None:
        answers.write(json.dumps(_answer(study, given)) + "\n")
    return 0


def _read(jobs: queue.Queue[dict[str, Any] | None]) -> None:
    for line in sys.stdin:
        jobs.put(json.loads(line))
    jobs.put(None)
    os.kill(os.getpid(), signal.SIGTERM)  # a job at work saves and reports, see `Interrupts`


def _answer(study: Path, given: dict[str, Any]) -> dict[str, Any]:
    from pinn_ext.files import RunError
    from pinn_ext.program.interrupts import Interrupts
    from pinn_ext.program.study.job import run_job
    from pinn_ext.reports.study.records import Job

    job = Job(**given["job"])
    (study / LOGS).mkdir(exist_ok=True)
    with (
        open(study / LOGS / f"{job.name}.txt", "a", encoding="utf-8", buffering=1) as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
        Interrupts().caught() as interrupts,
    ):
        try:
            row = run_job(study, job, given["overrides"], given["pilots"], interrupts)
        except RunError as error:
            return {"error": str(error)}
        except Exception as error:
            traceback.print_exc()
            return {"error": f"{type(error).__name__}: {error}"}
    return {"row": row, "interrupted": row is None}


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
