"""The compiled sums, made once in a process."""

from __future__ import annotations

import ctypes
import functools
import logging
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

log = logging.getLogger("solvers")

SOURCE = Path(__file__).with_name("sums.cpp")
_COMPILERS = ("c++", "g++", "clang++")
# Each product is rounded before it is added, as torch does it.
_FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC", "-std=c++17")
_NUMPY = {torch.float32: np.float32, torch.float64: np.float64}
_TIMEOUT = 120.0  # seconds
_POINTER, _LONG, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
_ARGUMENTS = (
    *(_POINTER, _POINTER, _LONG, _LONG),
    *(_POINTER, _POINTER, _POINTER, _LONG, _LONG, _LONG, _LONG),
    *(_POINTER, _POINTER, _POINTER, _POINTER, _INT),
)


class Library:
    """The compiled functions, one for each floating-point type.

    Args:
        path: Of the shared library.
    """

    def __init__(self, path: Path) -> None:
        loaded = ctypes.CDLL(str(path))
        self._functions = {}
        for dtype in (torch.float32, torch.float64):
            function = getattr(loaded, f"sums_{str(dtype).removeprefix('torch.')}")
            function.argtypes, function.restype = _ARGUMENTS, None
            self._functions[dtype] = function

    def __call__(
        self,
        fields: Tensor,
        neighbours: Tensor,
        weights: Tensor,
        long: Sequence[Tensor],
        centre: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Weighted sums of both fields.

        Args:
            fields: [N, 2], contiguous.
            neighbours: [N, k] int32, contiguous.
            weights: [N, k], contiguous.
            long: `rows` [R + 1], `long_neighbours` and `long` weights [K, R + 1], of the same
                strides; empty where there are no long rows.
            centre: As of `Weights`, [N].

        Returns:
            Two fields [N].
        """
        count, slots = neighbours.shape
        first, second = _empty(count, fields), _empty(count, fields)
        rows, *tables = long or (None, None, None)
        shape = (0, 0, 0, 0) if tables[0] is None else (*tables[0].shape, *tables[0].stride())
        self._functions[fields.dtype](
            *(neighbours.data_ptr(), weights.data_ptr(), slots, count),
            *(_address(rows), *map(_address, tables), *shape),
            *(_address(centre), fields.data_ptr(), first.data_ptr(), second.data_ptr()),
            torch.get_num_threads(),
        )
        return first, second


def _empty(count: int, like: Tensor) -> Tensor:
    """An array [count] of the type of another one."""
    # numpy asks glibc for its length alone, torch for an array aligned to 64 bytes, which does not
    # fit into the place of another one of that length: the heap grew to twice of what it held.
    return torch.from_numpy(np.empty(count, _NUMPY[like.dtype]))


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


@functools.cache
def library() -> Library | None:
    """Compile and load the sums; None, and one line in the log, where that is not possible."""
    compiler = _compiler()
    if compiler is None:
        log.info("No C++ compiler was found: sums on meshes go on without.")
        return None
    try:
        # The file may go once it is loaded: nothing stale is ever found on another processor.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            return Library(_compile(compiler, Path(folder) / "sums.so"))
    except (OSError, subprocess.SubprocessError, AttributeError) as error:
        text = getattr(error, "stderr", None) or str(error)
        lines = text.strip().splitlines() or [type(error).__name__]
        log.warning("The sums on meshes cannot be compiled, going on without: %s", lines[0])
        return None


def _compiler() -> list[str] | None:
    """The command that compiles C++: what the environment says, or one that is there."""
    if chosen := shlex.split(os.environ.get("CXX", "")):
        return chosen
    found = next(filter(None, map(shutil.which, _COMPILERS)), None)
    return None if found is None else [found]


def _compile(compiler: Sequence[str], target: Path) -> Path:
    """Compile for several threads, or for one where the compiler cannot do that."""
    for threads in (("-fopenmp",), ()):
        command = [*compiler, *_FLAGS, *threads, "-o", str(target), str(SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT)
        if done.returncode == 0:
            return target
    raise subprocess.CalledProcessError(done.returncode, compiler[0], stderr=done.stderr)
