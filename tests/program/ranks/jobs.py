"""Jobs of several processes, each with the variables that torchrun gives it."""

import os
import signal
import socket
from types import SimpleNamespace

from tests import scripts
from tests.program.test_families import FEW

HELD = scripts.ROOT / "tests" / "program" / "ranks" / "held.py"
"""The program; each process then writes down the parameters and loss weights that it holds."""
SHORT = (*FEW, "dataset.batch_size=3", "dtype=float64")
"""Two mini-batches of three graphs an epoch, so that two processes have shares of another size."""


def free_port():
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return str(own.getsockname()[1])


def start(ranks, *arguments, folder, script=HELD, fresh=False):
    """Start a job in a folder; return its processes in their order."""
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": str(ranks)}
    return [
        scripts.start(
            script,
            *arguments,
            folder=folder,
            fresh=fresh,
            **where,
            RANK=str(rank),
            LOCAL_RANK=str(rank),
        )
        for rank in range(ranks)
    ]


def ended(job):
    """Wait for all processes of a job as torchrun does: the first one that fails ends the rest."""
    left = dict(enumerate(job))
    statuses = [None] * len(job)
    while left:
        for rank, script in list(left.items()):
            status = statuses[rank] = script.wait() if len(left) == 1 else script.poll()
            if status is None:
                continue
            del left[rank]
            if status:
                for other in left.values():
                    os.kill(other.pid, signal.SIGTERM)
    return SimpleNamespace(
        statuses=statuses,
        out=[script.text("out") for script in job],
        err=[script.text("err") for script in job],
    )


def run(ranks, *arguments, folder, **how):
    """Run a job to its end: its statuses, and what each process has printed."""
    return ended(start(ranks, *arguments, folder=folder, **how))
