"""`pinn-ext new`: what it writes, what it says, and that it writes over nothing."""

import os
import shlex

import pytest

from pinn_ext.program.commands import new
from pinn_ext.program.composition import compose
from tests.program.conftest import SMALL, read_report


def test_it_writes_a_file_and_says_how_to_run_it(run, tmp_path):
    done = run("new", "mine.py")
    assert done.status == 0, done.err
    assert (tmp_path / "mine.py").read_text("utf-8") == new.template(None)
    last = done.out.rstrip().splitlines()[-1]
    assert last.strip() == "pinn-ext problem=from_file problem.file=mine.py"
    command = shlex.split(last)[1:]
    trained = run(*command, *SMALL[1:], "training.epochs=2", "problem.reference=rk4")
    assert trained.status == 0, trained.err
    assert read_report(trained.folder)["reference"] == "RK4 on the graph"


@pytest.mark.parametrize("source", ["gray_scott", "gray_scott/pulse", "schroedinger/soliton"])
def test_it_writes_a_system_as_a_file(run, tmp_path, source):
    done = run("new", tmp_path / "its.py", "--from", source)
    assert done.status == 0, done.err
    assert (tmp_path / "its.py").read_text("utf-8") == new.template(source)


@pytest.mark.parametrize("name", ["a b.py", "it's.py", "x=[1,2].py", "ü.py", "$HOME.py", "(a).py"])
def test_the_line_that_it_says_is_read_by_shell_and_hydra_as_it_is(run, name):
    done = run("new", name)
    assert done.status == 0, done.err
    command = shlex.split(done.out.rstrip().splitlines()[-1])[1:]
    assert compose(command)[0].problem.file == name


def test_nothing_is_written_over(run, tmp_path):
    (tmp_path / "there.py").write_text("precious")
    (tmp_path / "folder.py").mkdir()
    os.symlink("nowhere", tmp_path / "link.py")
    for name, got in [
        ("there.py", "must be new, as no file is written over, got there.py, which is there."),
        ("folder.py", "must be a file, got the folder folder.py."),
        ("link.py", "must be new, as no file is written over, got link.py, which is there."),
    ]:
        done = run("new", name)
        assert (done.status, done.out) == (2, "")
        assert done.err == f"pinn-ext: `FILE` {got}\n"
    assert (tmp_path / "there.py").read_text() == "precious"
    assert os.readlink(tmp_path / "link.py") == "nowhere"
    assert {path.name for path in tmp_path.iterdir()} == {"there.py", "folder.py", "link.py"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine"], "`FILE` must have a name that ends in .py, got 'mine'."),
        (["mine.txt"], "`FILE` must have a name that ends in .py, got 'mine.txt'."),
        ([".py"], "`FILE` must have a name that ends in .py, got '.py'."),
        (["no/mine.py"], "`FILE` must lie in a folder that is there, got no/mine.py."),
        (["a" * 300 + ".py"], "cannot be written (File name too long)."),
        (["a\0.py"], "cannot be written (embedded null byte)."),
        (["mine.py", "--from", "gray_scot"], "(did you mean 'gray_scott'?)"),
        (["mine.py", "--from", "gray_scott/wave"], "`--from` must be one of belousov_zhabotinsky,"),
        (["mine.py", "--from", "turing_pattern"], "`--from` must be one of"),
        (["mine.py", "--from", "../new"], "`--from` must be one of"),
        ([], "FILE"),
        (["a.py", "b.py"], "b.py"),
        (["a.py", "--overwrite"], "--overwrite"),
    ],
)
def test_one_sentence_and_no_file(run, tmp_path, arguments, message):
    done = run("new", *arguments)
    assert done.status == 2 and message in done.err and done.err.count("\n") == 1, done.err
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_whole_is_not_there(run, tmp_path, monkeypatch):
    from pinn_ext import files

    opened = files.open_own

    def full(path, mode):
        file = opened(path, mode)

        class Full:
            def __enter__(self):
                return self

            def __exit__(self, *error):
                file.close()

            def write(self, content):
                raise OSError(28, "No space left on device")

        return Full()

    monkeypatch.setattr(files, "open_own", full)
    done = run("new", "mine.py")
    assert done.status == 2 and "cannot be written (No space left on device)." in done.err
    assert not (tmp_path / "mine.py").exists()
