"""Processes that work in turns, each with the package of its own checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Worker:
    """A process that halts until it is told to go on; with each line that it writes it has halted.

    It takes a JSON object as its argument and writes others, the first with `package`, the file
    that it has loaded `pinn_ext` from.

    Args:
        script: that it runs.
        root: checkout whose package it is to use.
        task: its argument.
        environment: its variables; `PYTHONPATH` and `DDE_BACKEND` are added.
        folder: that it runs in.

    Attributes:
        root: as given.
    """

    def __init__(
        self,
        script: Path,
        root: Path,
        task: Mapping[str, Any],
        environment: Mapping[str, str],
        folder: Path | str,
    ) -> None:
        self.root = root
        # A file: a pipe that nobody reads would stop the process once it is full.
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, str(script), json.dumps(task)],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(root), "DDE_BACKEND": "pytorch"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def answer(self) -> dict[str, Any]:
        """Wait until it halts; return what it says, or end this program with its last word."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            told = self._errors.read().strip().splitlines()
            sys.exit(f"The work in {self.root} ended early: {told[-1] if told else 'no word'}")
        found: dict[str, Any] = json.loads(line)
        return found

    def first_answer(self) -> dict[str, Any]:
        """Wait until it halts for the first time; refuse a package from another place."""
        found = self.answer()
        loaded = Path(found["package"]).resolve().parents[1]
        if loaded != self.root:
            sys.exit(f"The package must be loaded from {self.root}, got {loaded}.")
        return found

    def go_on(self) -> None:
        """Let it work until it halts again."""
        print(file=self._process.stdin, flush=True)

    def end(self) -> None:
        """Stop it wherever it is."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()
