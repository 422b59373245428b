"""The program on a problem small enough to be run many times."""

import contextlib
import csv
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure

from pinn_ext.cli import main
from pinn_ext.reports import plots

SMALL = (
    "problem=coupled_burgers",
    "dataset.num_graphs=6",
    "dataset.batch_size=2",
    "dataset.nodes_per_side=8",
    "dataset.num_validation=2",
    "network.hidden=[8]",
    "training.epochs=3",
)


def read_rows(folder):
    """Return the history of a run as text, without the seconds."""
    with open(Path(folder) / "history.csv", newline="") as file:
        return [row[:-1] for row in csv.reader(file)]


def read_report(folder):
    return json.loads((Path(folder) / "report.json").read_text())


@pytest.fixture
def rendered():
    """Ask for pictures as they are; `unrendered` explains."""


@pytest.fixture(autouse=True)
def unrendered(request, monkeypatch):
    """Make pictures of the history up to their last axis, but write empty files; none of fields.

    Rendering takes three quarters of a short run, the fields half of the rest, and they show the
    network only. Tests that look into a picture ask for `rendered`; `--thorough` renders all.
    """
    if "rendered" in request.fixturenames or request.config.getoption("thorough"):
        return

    def write_nothing(file):
        file.write(b"")

    monkeypatch.setattr(Figure, "savefig", lambda figure, file, **_: write_nothing(file))
    monkeypatch.setattr(plots, "fields", lambda file, *_: write_nothing(file))


@pytest.fixture
def small():
    return list(SMALL)


class Stop(BaseException):
    """Ends a run like a kill: nothing of ours runs after it."""


@pytest.fixture
def stopping(monkeypatch):
    """End training like a kill at its n-th step: `with stopping(n):`."""
    from pinn_ext.dde.phases import Phase

    @contextlib.contextmanager
    def call(step):
        count, original = 0, Phase.on_epoch_end

        def counting(self):
            nonlocal count
            count += 1
            if count == step:
                raise Stop
            original(self)

        with monkeypatch.context() as patch:
            patch.setattr(Phase, "on_epoch_end", counting)
            with pytest.raises(Stop):
                yield

    return call


@pytest.fixture
def run_killed(run, stopping):
    """Run the program and end it at the n-th training step: `run_killed(step, *arguments)`."""

    def call(step, *arguments):
        with stopping(step):
            run(*arguments)

    return call


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the program in an empty folder: `run(*arguments)` gives status, out, err and folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        before = set(tmp_path.glob("*/*-*/"))
        status = main([str(a) for a in arguments])
        new = set(tmp_path.glob("*/*-*/")) - before
        assert len(new) <= 1
        text = capsys.readouterr()
        folder = new.pop() if new else None
        return SimpleNamespace(status=status, out=text.out, err=text.err, folder=folder)

    return call


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Give a finished run that nobody changes: its folder, and its network in memory."""
    from pinn_ext.program.run import state

    folder, kept, build = tmp_path_factory.mktemp("trained") / "run", [], state.build

    def keeping(*arguments):
        kept.append(build(*arguments))
        return kept[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "build", keeping)
        patch.setattr(Figure, "savefig", lambda figure, file, **_: file.write(b""))
        patch.setattr(plots, "fields", lambda file, *_: file.write(b""))
        assert main([*SMALL, f"hydra.run.dir={folder}"]) == 0
    return SimpleNamespace(folder=folder, network=kept[0].network)
