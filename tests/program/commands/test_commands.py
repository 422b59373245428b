"""The table of commands, and what all of them share (`pinn_ext.program.commands`)."""

from pathlib import Path

import pytest

from pinn_ext.program import commands


def test_each_file_is_a_command():
    files = {file.stem for file in Path(commands.__file__).parent.glob("*.py")}
    own = [name.replace("-", "_") for name in commands.NAMES]
    assert files - {"__init__", "options"} == set(own)
    assert list(commands.NAMES) == sorted(commands.NAMES)


@pytest.mark.parametrize("name", commands.NAMES)
def test_help_is_printed(run, name):
    done = run(name, "-h")
    assert done.status == 0 and done.out.startswith(f"usage: pinn-ext {name} ") and not done.err


def test_an_unknown_command(run):
    done = run("predcit", "outputs")
    assert done.status == 2 and done.err.count("\n") == 1
    assert "`command` must be one of animate, compare" in done.err
    assert "got 'predcit' (did you mean 'predict'?)." in done.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["predict"], "`predict` cannot be read: the following arguments are required: RUN, --out"),
        (["predict", "a", "--out"], "argument --out: expected one argument"),
        (["predict", "a", "--out", "b.npz", "--tims", "1"], "unrecognized arguments: --tims 1"),
        (["predict", "a", "--out", "b.npz", "--times", "1,x"], "must be numbers with commas"),
        (["predict", "a", "--out", "b.npz", "--grid", "x"], "invalid int value: 'x'"),
        (["predict", "a", "--out", "b.npz", "--grid", "3", "--mesh", "m"], "not allowed with"),
        (["predict", "a", "--out", "b.npz", "--dtype", "half"], "invalid choice: 'half'"),
        (["animate", "a", "b"], "unrecognized arguments: b (pinn-ext animate -h shows how)."),
        (["compare-reference", "a"], "the following arguments are required: FILE"),
    ],
    ids=" ".join,
)
def test_arguments_that_cannot_be_read(run, tmp_path, arguments, sentence):
    done = run(*arguments)
    assert done.status == 2 and done.out == "" and done.err.count("\n") == 1
    assert done.err.startswith("pinn-ext: ") and sentence in done.err
    assert list(tmp_path.iterdir()) == []
