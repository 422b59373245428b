"""Files that are replaced whole."""

import os

import pytest

from pinn_ext.files import replace_file


def test_a_file_is_replaced(tmp_path):
    path = tmp_path / "a.csv"
    for text in ("first\n", "second\n"):
        replace_file(path, text)
        assert path.read_text() == text
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]


def test_a_failure_leaves_the_former_file(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    replace_file(path, "first\n")

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, "second\n")
    assert path.read_text() == "first\n"
