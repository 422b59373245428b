"""What a user owns stays: files of a run's names, links, and the run of another process."""

import os

import pytest

from pinn_ext.files import (
    OWN_FILES,
    FolderTaken,
    open_own,
    refuse_taken,
    replace_file,
    replacing,
)
from pinn_ext.program import checkpoints


@pytest.mark.parametrize("name", [*OWN_FILES, "report.json.part"])
def test_a_folder_with_such_a_file_is_refused(tmp_path, name):
    refuse_taken(tmp_path)
    (tmp_path / "notes.txt").write_text("of the user\n")
    refuse_taken(tmp_path)
    (tmp_path / name).symlink_to(tmp_path / "nowhere")
    with pytest.raises(FolderTaken, match=f"The folder {tmp_path} must not hold"):
        refuse_taken(tmp_path)


def test_a_run_leaves_the_file_of_a_user(run, tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "events.csv").write_text("of the user\n")
    done = run("training.epochs=1", f"hydra.run.dir={folder}")
    assert done.status == 2 and "got events.csv: choose another one" in done.err
    assert [file.name for file in folder.iterdir()] == ["events.csv"]
    assert (folder / "events.csv").read_text() == "of the user\n"


def test_a_link_is_replaced_and_its_target_stays(tmp_path):
    target, path = tmp_path / "target", tmp_path / "a.csv"
    for link in (path, tmp_path / "a.csv.part"):
        target.write_text("precious\n")
        link.symlink_to(target)
        replace_file(path, "new\n")
        assert target.read_text() == "precious\n"
        assert path.read_text() == "new\n" and not path.is_symlink()


def test_links_and_pipes_are_not_appended_to(tmp_path):
    (tmp_path / "target").write_text("precious\n")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(OSError):
            open_own(tmp_path / name)
    with pytest.raises(ValueError, match="`mode` must be"):
        open_own(tmp_path / "target", "w")
    assert (tmp_path / "target").read_text() == "precious\n"


def test_a_lock_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "target").write_text("precious\n")
    (tmp_path / "run.lock").symlink_to(tmp_path / "target")
    refused = pytest.raises(RuntimeError, match=r"cannot be written \(run.lock is a link\)")
    with refused, checkpoints.locked(tmp_path):
        pass
    assert (tmp_path / "target").read_text() == "precious\n"


def test_a_file_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), replacing(tmp_path / "a") as part:
        part.write_text("half")
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_a_process_that_was_held_up_finds_the_other_run(run, tmp_path, monkeypatch):
    """The folder is free when it is chosen and holds a run once the lock is had."""
    locked = checkpoints.locked

    def held_up(folder):
        (folder / "checkpoint.pt").write_text("of the other process\n")
        return locked(folder)

    monkeypatch.setattr(checkpoints, "locked", held_up)
    done = run("training.epochs=1", f"hydra.run.dir={tmp_path / 'a'}")
    assert done.status == 1 and "must not hold a run yet" in done.err
    assert (tmp_path / "a" / "checkpoint.pt").read_text() == "of the other process\n"
    assert not (tmp_path / "a" / "config.yaml").exists()
