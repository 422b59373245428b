"""Checkpoints are whole or absent."""

import resource

import pytest
import torch

from pinn_ext.files import RunError
from pinn_ext.program import checkpoints
from tests.program.conftest import SMALL


def test_what_is_saved_is_loaded(tmp_path):
    content = {"a": torch.arange(5), "b": [1, 2.5, None, "text"], "c": {"d": (1, 2)}}
    checkpoints.save(tmp_path / "c.pt", content)
    loaded = checkpoints.load(tmp_path / "c.pt")
    assert torch.equal(loaded["a"], content["a"])
    assert loaded["b"] == content["b"] and loaded["c"] == content["c"]
    assert [path.name for path in tmp_path.iterdir()] == ["c.pt"]


def test_a_full_disk_keeps_the_former_checkpoint(tmp_path):
    """The limit on file sizes makes writing fail as a full disk does."""
    path = tmp_path / "c.pt"
    checkpoints.save(path, {"epoch": 1})
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, former[1]))
    try:
        with pytest.raises(RunError, match=r"cannot be written .* former one is whole"):
            checkpoints.save(path, {"epoch": 2, "large": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert checkpoints.load(path)["epoch"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]


def test_a_run_on_a_full_disk_ends_in_one_line(run_script, tmp_path):
    script = tmp_path / "on_a_full_disk.py"
    script.write_text(
        "import resource, sys; from pinn_ext.cli import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000));"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = run_script(script, *SMALL, folder=tmp_path)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert (
        done.stderr.startswith("pinn-ext: The checkpoint ") and "cannot be written" in done.stderr
    )


def test_a_folder_is_held_by_one_process(run_script, tmp_path):
    script = tmp_path / "hold.py"
    script.write_text(
        "from pathlib import Path; from pinn_ext.program import checkpoints\n"
        "with checkpoints.locked(Path('held')): pass"
    )
    (tmp_path / "held").mkdir()
    with checkpoints.locked(tmp_path / "held"):
        done = run_script(script, folder=tmp_path)
        assert done.returncode == 1 and "Another process is running in" in done.stderr
    assert run_script(script, folder=tmp_path).returncode == 0
