"""The library of the device is built once, by one process at a time, or it is said why not."""

import os
import stat

import pytest
import torch

from tests.device import build

FAKE_COMPILER = """#!/bin/sh
# Takes note of each call, and a while; what it makes is the text of its arguments.
echo call >> "$CALLS"
sleep 0.2
while [ "$1" != "-o" ]; do shift; done
echo library > "$2"
"""


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Put a compiler that only takes notes in the place of the real one; return the notes' path."""
    path, calls = tmp_path / "compiler", tmp_path / "calls"
    path.write_text(FAKE_COMPILER)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", str(path))
    monkeypatch.setenv("CALLS", str(calls))
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "built"))
    return calls


def test_processes_at_once_build_once(compiler, start_script, tmp_path):
    script = tmp_path / "build_it.py"
    script.write_text("from tests.device import build; print(build.library())")
    started = [start_script(script, folder=tmp_path) for _ in range(4)]
    assert [process.wait() for process in started] == [0] * 4
    paths = {process.text("out") for process in started}
    assert len(paths) == 1 and compiler.read_text() == "call\n"
    path = paths.pop().strip()
    assert os.path.dirname(path).endswith("built/pinn_ext_pretend")
    assert sorted(os.listdir(os.path.dirname(path))) == ["lock", os.path.basename(path)]


def test_other_sources_or_another_torch_are_another_library(compiler, monkeypatch, tmp_path):
    first = build.library()
    assert build.library() == first
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "backend.cpp").write_text("int x;")
    monkeypatch.setattr(build, "SOURCES", sources)
    second = build.library()
    monkeypatch.setattr(torch, "__version__", "3.0")
    assert len({first, second, build.library()}) == 3
    assert compiler.read_text().count("call") == 3


def test_where_it_cannot_be_built_it_is_said_why(compiler, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(build.UnavailableError, match=r"no C\+\+ compiler: no-such-compiler"):
        build.library()
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(build.UnavailableError, match="on Linux only, this is win32"):
        build.library()


def test_what_the_compiler_says_is_shown(compiler, monkeypatch, tmp_path):
    path = tmp_path / "compiler"
    path.write_text("#!/bin/sh\necho 'no such header' >&2; exit 1\n")
    with pytest.raises(RuntimeError, match=r"(?s)backend.cpp.* failed:\nno such header"):
        build.library()
    monkeypatch.setattr(torch, "__version__", "2.4.1")
    wanted = r"written for torch 2\.13, with 2\.4\.1 it does not compile"
    with pytest.raises(build.UnavailableError, match=wanted):
        build.library()
