"""Processes that run the jobs of a study, several at once; one that dies takes no other along."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from pinn_ext.files import RunError
from pinn_ext.program.interrupts import Interrupts
from pinn_ext.reports.study import rows
from pinn_ext.reports.study.records import Job, Row, append_row

_LOOK = 0.2  # seconds between two looks for signals
_ATTEMPTS = 2
"""A job whose process dies goes on from its checkpoint once; then it has failed."""


class Task(NamedTuple):
    """A job with what it is run with: its overrides, and the rows that they were chosen from."""

    job: Job
    overrides: tuple[str, ...]
    pilots: Sequence[Row] = ()


class Workers:
    """Runs tasks in processes that stay for the whole study, as each needs seconds to load torch.

    Args:
        study: folder of the study.
        count: how many processes.
        lock: descriptor that they hold as well, so that a study is locked while one of them works.
    """

    def __init__(self, study: Path, count: int, lock: int) -> None:
        self._study, self._count, self._lock = study, count, lock
        self._stopping = False
        self._events: queue.Queue[Row | BaseException | None] = queue.Queue()
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._guard = threading.Lock()

    def run(
        self, tasks: Sequence[Task], interrupts: Interrupts, done: Callable[[Row], None]
    ) -> None:
        """Run all tasks, or until a signal comes; then the jobs at work save and end.

        Args:
            tasks: to be run, in this order.
            interrupts: signals that were caught.
            done: is handed each row that has been written.

        Raises:
            RunError: if a row cannot be written, or a worker cannot work at all.
        """
        waiting = deque(tasks)
        count = min(self._count, len(tasks))
        threads = [
            threading.Thread(target=self._serve, args=(number, waiting), daemon=True)
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        failure: BaseException | None = None
        while count:
            try:
                event = self._events.get(timeout=_LOOK)
            except queue.Empty:
                event = {}
            if interrupts.signal is not None or failure is not None:
                self._stop()
            if event is None:
                count -= 1
            elif isinstance(event, BaseException):
                failure = failure or event
            elif event:
                done(event)
        if failure is not None:
            raise failure

    def close(self) -> None:
        """End the processes and wait for them."""
        self._stop()
        for process in self._processes.values():
            process.wait()

    def _stop(self) -> None:
        with self._guard:
            self._stopping = True
            for process in self._processes.values():
                if process.stdin and not process.stdin.closed:
                    process.stdin.close()

    def _serve(self, number: int, waiting: deque[Task]) -> None:
        """Hand tasks to one process until there are none."""
        try:
            while not self._stopping:
                try:
                    task = waiting.popleft()
                except IndexError:
                    break
                self._finish(number, task)
        except BaseException as error:
            self._events.put(error)
        finally:
            self._events.put(None)

    def _finish(self, number: int, task: Task) -> None:
        answer, how = None, ""
        for _ in range(_ATTEMPTS):
            answer = self._ask(number, task)
            if answer is not None:
                break
            if self._stopping:
                return
            status = self._processes.pop(number).wait()
            how = f"signal {-status}" if status < 0 else f"status {status}"
        if answer is None:
            message = f"Its process has ended {_ATTEMPTS} times, at last by {how}."
            answer = {"row": rows.failed(task.job, task.overrides, message)}
            append_row(self._study, answer["row"])
        if "error" in answer:
            raise RunError(f"The job {task.job.name} has left no row: {answer['error']}")
        if answer["row"] is not None:
            self._events.put(answer["row"])

    def _ask(self, number: int, task: Task) -> dict[str, Any] | None:
        """Return the answer to a task, None if the process is gone without one."""
        process = self._process(number)
        if process is None or process.stdin is None or process.stdout is None:
            return None
        given = {
            "job": asdict(task.job),
            "overrides": list(task.overrides),
            "pilots": list(task.pilots),
        }
        try:
            process.stdin.write(json.dumps(given) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except (OSError, ValueError):  # a pipe whose other end is gone, or that was closed
            return None
        return json.loads(line) if line.endswith("\n") else None

    def _process(self, number: int) -> subprocess.Popen[str] | None:
        with self._guard:
            if self._stopping:
                return None
            if number not in self._processes:
                self._processes[number] = subprocess.Popen(
                    command(self._study),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=_environment(),
                    text=True,
                    pass_fds=(self._lock,),
                    start_new_session=True,  # Ctrl-C in a terminal reaches the parent alone
                )
            return self._processes[number]


def command(study: Path) -> list[str]:
    """Return how a worker is started."""
    return [sys.executable, "-m", "pinn_ext.program.study.worker", str(study)]


def _environment() -> dict[str, str]:
    """Return the environment of a worker: one thread, and this package to import from."""
    root = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), root]))
    own = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    return {**os.environ, **own}
