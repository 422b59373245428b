"""What the processes of a job tell each other, seen from one that takes itself for several."""

import os
import signal

import pytest

from pinn_ext.measurements import processes
from pinn_ext.program.interrupts import Interrupts
from pinn_ext.program.ranks import environment, group


@pytest.fixture
def together(monkeypatch):
    """Be one of several processes, whose largest number is the own one unless said otherwise."""
    monkeypatch.setattr(processes, "is_running", lambda: True)
    said = []

    def largest(value):
        said.append(value)
        return max(value, 0)

    monkeypatch.setattr(processes, "largest", largest)
    return said


def test_alone_nothing_is_shared():
    assert type(group.interrupts()) is Interrupts
    assert group.in_turn(lambda: 5) == 5
    group.hand_out(lambda: pytest.fail("nobody follows"))
    assert processes.from_first(3) == 3 and processes.everyone(3) == [3]
    assert processes.largest(3) == 3 and processes.rank_and_count() == (0, 1)
    assert processes.weighted_means([1.0, 2.0], [3, 4]) == [1.0, 2.0]


@pytest.mark.parametrize(("turn", "before"), [(0, 0), (1, 1), (2, 2)])
def test_files_are_made_one_after_the_other(together, monkeypatch, turn, before):
    monkeypatch.setattr(environment, "turn", lambda: turn)
    assert group.in_turn(lambda: len(together)) == before
    assert len(together) == 3


def test_a_signal_counts_once_all_know_of_it(together):
    own = group.JobInterrupts()
    with own.caught():
        os.kill(os.getpid(), signal.SIGTERM)
        assert own.signal is None
        os.kill(os.getpid(), signal.SIGTERM)  # torchrun sends it once more
        own.agree()
    assert own.signal == signal.SIGTERM and own.exit_status == 143


def test_the_signal_of_another_process_counts(together, monkeypatch):
    monkeypatch.setattr(processes, "largest", lambda value: signal.SIGINT)
    own = group.JobInterrupts()
    own.agree()
    assert own.exit_status == 130


def test_configurations_are_compared_key_by_key():
    found = group._by_key({"a": 1, "b": {"c": [2], "d": {}, "e": {"f": None}}})
    assert found == {"a": 1, "b.c": [2], "b.d": {}, "b.e.f": None}
