"""A signal between two jobs of a sweep ends it, also where its exception is lost."""

import contextlib
import os
import signal

import pytest

from pinn_ext.program.interrupts import Interrupts, SweepEnd
from tests.program.conftest import SMALL


def test_the_next_job_does_not_start(run, monkeypatch):
    """The first job ends with a signal whose exception somebody else swallows."""
    from pinn_ext.program import sweep

    attempt, made = sweep.attempt, []

    def attempt_and_swallow(cfg, folder, info, interrupts):
        content = attempt(cfg, folder, info, interrupts)
        made.append(info.job)
        between = signal.signal(signal.SIGTERM, sweep._END._end)
        with contextlib.suppress(BaseException):  # as code does that takes every exception
            os.kill(os.getpid(), signal.SIGTERM)
        signal.signal(signal.SIGTERM, between)
        return content

    monkeypatch.setattr(sweep, "attempt", attempt_and_swallow)
    done = run("-m", *SMALL, "training.epochs=1", "seed=0,1")
    assert done.status == 143 and made == [0]
    assert "lost" in done.out


@pytest.fixture
def sighup_by_default():
    """As it is unless the tests were started by nohup."""
    outside = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, outside)


@pytest.mark.usefixtures("sighup_by_default")
def test_handlers_come_back():
    before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]
    with SweepEnd().caught(), Interrupts().caught():
        assert signal.getsignal(signal.SIGHUP) not in before
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)] == before


def test_sighup_stays_ignored():
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with SweepEnd().caught() as end, Interrupts().caught() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
        assert not end.exit_status and not interrupts.exit_status
    finally:
        signal.signal(signal.SIGHUP, former)
