"""What every benchmark shares: the machine, one table, one JSON file."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _devices

if TYPE_CHECKING:
    import torch


def parser(description: str) -> argparse.ArgumentParser:
    """Return a parser that has `--out FILE`."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--out", type=Path, metavar="FILE", help="write the rows as JSON")
    return result


def machine(device: torch.device | None = None, **more: Any) -> dict[str, Any]:
    """Return what the figures depend on: processor, cores, versions, threads, device.

    `device` is where the work was done; None is the CPU.
    """
    import torch

    from pinn_ext import __version__

    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "pinn_ext": __version__,
        "python": platform.python_version(),
        **{name: version_of(name) for name in ("torch", "deepxde", "numpy", "scipy")},
        "threads": torch.get_num_threads(),
        **_devices.facts(device or torch.device("cpu")),
        **more,
    }


def report(rows: Sequence[Mapping[str, Any]], out: Path | None, facts: Mapping[str, Any]) -> None:
    """Print the rows as one table and, if asked to, write `{"machine": ..., "rows": ...}`."""
    print(table(rows))
    if out is not None:
        write(rows, out, facts)


def write(rows: Sequence[Mapping[str, Any]], out: Path, facts: Mapping[str, Any]) -> None:
    """Write `{"machine": ..., "rows": ...}` and say where."""
    out.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": dict(facts), "rows": [dict(row) for row in rows]}
    out.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    print(f"written: {out}")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return flat rows as text in columns, in the order of the first row's keys."""
    keys = list(rows[0])
    cells = [keys, *([cell(row.get(key)) for key in keys] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(keys))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def median_row(group: Sequence[Mapping[str, Any]], figures: Iterable[str]) -> dict[str, Any]:
    """Return the medians over seeds; a figure that is None or NaN counts as the largest.

    Args:
        group: rows of one training with several seeds.
        figures: keys of what is measured; of all else the first row's values stand.

    Returns:
        A row, infinite where the larger half has no figure.
    """
    row = {**group[0], "seed": "median"}
    for key in figures:
        row[key] = statistics.median(known(each[key] for each in group))
    return row


def spread(
    values: Iterable[float | None], names: Sequence[str] = ("median", "smallest", "largest")
) -> dict[str, float]:
    """Return median, smallest and largest of figures over seeds; None or NaN counts as the largest.

    Args:
        values: one a seed.
        names: of the three columns.
    """
    figures = known(values)
    return dict(zip(names, (statistics.median(figures), min(figures), max(figures)), strict=True))


def worse(errors: Mapping[str, float | None]) -> float:
    """Return the error of the worse field, infinite where that of one is None or NaN."""
    return max(known(errors.values()))


def known(values: Iterable[float | None]) -> list[float]:
    """Return numbers that can be compared: infinity in the place of None and NaN."""
    return [math.inf if value is None or math.isnan(value) else value for value in values]


def version_of(name: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def chosen(flag: str, text: str, legal: Collection[str]) -> list[str]:
    """Split a list of names; end the program if one is unknown."""
    names = [name for name in text.split(",") if name]
    if unknown := [name for name in names if name not in legal] if names else ["none"]:
        sys.exit(f"`{flag}` must be among {', '.join(legal)}, got {', '.join(unknown)}.")
    return list(dict.fromkeys(names))


def numbers(flag: str, text: str, least: int) -> list[int]:
    """Split a list of whole numbers; end the program if one is too small."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) >= least for part in parts):
        sys.exit(f"`{flag}` must be whole numbers of at least {least}, got {text}.")
    return list(dict.fromkeys(map(int, parts)))


def cell(value: Any) -> str:
    """Return a value as the tables show it."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return "" if value is None else str(value)


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
