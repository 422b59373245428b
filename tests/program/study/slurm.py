"""A SLURM of one node, of Debian's packages, in a temporary folder."""

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}
AuthType=auth/munge
AuthInfo=cred_expire=10,socket={folder}/munge.socket
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
KillWait=5
MinJobAge=300
SchedulerParameters=sched_interval=2,batch_sched_delay=1
NodeName={host} CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not():
    """Return why no SLURM can be started here, empty if one can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"SLURM is not installed ({', '.join(missing)})"
    try:
        plugin = importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher")
    except ModuleNotFoundError:
        plugin = None
    if plugin is None:
        return "hydra-submitit-launcher is not installed"
    return "" if os.geteuid() == 0 else "the daemons of SLURM must be started as root"


@contextlib.contextmanager
def running(folder: Path):
    """Start munge and SLURM; yields the path of the configuration, for `SLURM_CONF`."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    configuration = folder / "slurm.conf"
    host = socket.gethostname().partition(".")[0]
    configuration.write_text(CONFIGURATION.format(host=host, folder=folder))
    environment = {**os.environ, "SLURM_CONF": str(configuration)}
    munge = [f"--{n}={folder / f'munge.{n[:-5]}'}" for n in ("pid-file", "log-file", "seed-file")]
    munge += [f"--key-file={key}", f"--socket={folder / 'munge.socket'}", "--foreground", "--force"]
    started = []
    with open(folder / "daemons.log", "w") as log:
        try:
            for call in (
                ["munged", *munge],
                ["slurmctld", "-D", "-f", str(configuration)],
                ["slurmd", "-D", "-f", str(configuration)],
            ):
                started.append(subprocess.Popen(call, env=environment, stdout=log, stderr=log))
                time.sleep(2)
            _wait_until_idle(environment, folder)
            yield configuration
        finally:
            # What a failed test has left would go on without the daemons.
            subprocess.run(["scancel", "--full", "--signal=KILL", "--user=root"], env=environment)
            for process in reversed(started):
                process.terminate()
                process.wait()


def _wait_until_idle(environment, folder, patience=120):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        call = ["sinfo", "-h", "-o", "%t"]
        done = subprocess.run(call, env=environment, capture_output=True, text=True)
        if done.stdout.strip() == "idle":
            return
        time.sleep(1)
    logs = "\n".join(path.read_text()[-1500:] for path in folder.glob("*.log"))
    raise RuntimeError(f"The node of SLURM did not come up:\n{done.stderr}\n{logs}")
