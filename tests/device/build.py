"""The library of the make-believe device, compiled once for each torch and each of its versions."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from torch.utils import cpp_extension

SOURCES = Path(__file__).parent / "backend"
WRITTEN_FOR = "2.13"
"""The torch whose interfaces for devices the sources use; others may do as well."""


class UnavailableError(RuntimeError):
    """The device cannot be had here; the message says why."""


def library() -> Path:
    """Return the compiled library, compiling it where that has not been done yet.

    It lies where torch builds extensions, outside of the checkout.

    Raises:
        UnavailableError: there is nothing to compile it with, or another torch than it is for.
        RuntimeError: the compiler refuses it.
    """
    if not sys.platform.startswith("linux"):
        raise UnavailableError(f"it is built on Linux only, this is {sys.platform}")
    compiler = shutil.which(cpp_extension.get_cxx_compiler())
    if compiler is None:
        raise UnavailableError(f"no C++ compiler: {cpp_extension.get_cxx_compiler()} is not found")
    root = os.environ.get("TORCH_EXTENSIONS_DIR") or cpp_extension.get_default_build_root()
    folder = Path(root, "pinn_ext_pretend")
    path = folder / f"pretend-{_key(compiler)}.so"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with _only_one(folder / "lock"):
            if not path.exists():  # another process may have been faster
                _compile(compiler, path)
    return path


def _key(compiler: str) -> str:
    """Return what tells libraries apart: the sources, the flags and the build of torch."""
    digest = hashlib.sha256(repr((torch.__version__, torch.__file__, compiler, _flags())).encode())
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _flags() -> list[str]:
    """Return the compiler's flags; only sizes matter for the speed of what is run by torch."""
    return [
        "-shared",
        "-fPIC",
        "-O1",
        "-std=c++20",
        f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}",
        *(f"-isystem{folder}" for folder in cpp_extension.include_paths()),
        *(f"-L{folder}" for folder in cpp_extension.library_paths()),
    ]


@contextlib.contextmanager
def _only_one(lock: Path):
    """Let one process at a time into a block; the lock goes with the process that holds it."""
    import fcntl

    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile(compiler: str, path: Path) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}")
    libraries = ["-lc10", "-ltorch_cpu"]
    source = str(SOURCES / "backend.cpp")
    command = [compiler, source, "-o", str(unfinished), *_flags(), *libraries]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and not torch.__version__.startswith(f"{WRITTEN_FOR}."):
        raise UnavailableError(
            f"it is written for torch {WRITTEN_FOR}, with {torch.__version__} it does not compile"
        )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    unfinished.replace(path)
