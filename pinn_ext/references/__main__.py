"""`python -m pinn_ext.references NAME`: builds references again and compares them.

Exit status: 0 if all agree with the stored ones, 1 if one does not or has none to agree with,
2 for a name that there is not.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from pinn_ext.checks import ArgumentError
from pinn_ext.references import recipes, table
from pinn_ext.references.build import build, relative
from pinn_ext.references.store import Reference, load, save


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: of the command line, None for those of the process.

    Returns:
        The exit status.
    """
    options = _parser().parse_args(arguments)
    if options.list:
        print(table.markdown(), end="")
        return 0
    chosen = recipes.names() if options.all else options.names
    try:
        for name in chosen:
            recipes.find(name)
    except ArgumentError as error:
        print(error, file=sys.stderr)
        return 2
    if not chosen:
        print(f"Name one or more of {', '.join(recipes.names())}, or --all.", file=sys.stderr)
        return 2
    return max(_rebuild(name, options) for name in chosen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pinn_ext.references",
        description="Build reference solutions again and compare them with the stored ones.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="system/case")
    parser.add_argument("--all", action="store_true", help="all of them, about half an hour")
    parser.add_argument("--list", action="store_true", help="print the table of the stored ones")
    parser.add_argument("--out", metavar="FOLDER", help="write the files there")
    parser.add_argument(
        "--independent", action="store_true", help="solve by the method of lines too"
    )
    return parser


def _rebuild(name: str, options: argparse.Namespace) -> int:
    print(f"{name}: building …", flush=True)
    made = build(name, independent=options.independent)
    print(f"  accuracy {table.numbers(made.accuracy)}; {made.about['seconds']:.0f} s")
    if options.independent:
        run = made.about["independent"]
        print(f"  {run['method']} differ by {table.numbers(run['difference'])}")
    status = _compare(made, expected=not options.out)
    if options.out:
        try:
            print(f"  written to {save(made, Path(options.out))}")
        except (OSError, ValueError) as error:
            print(f"  not written: {error}", file=sys.stderr)
            return 1
    return status


def _compare(made: Reference, expected: bool) -> int:
    """Say how far a reference is from the stored one; it may be missing where none is expected."""
    try:
        stored = load(made.name)
    except (FileNotFoundError, ValueError) as error:
        print(f"  nothing to compare with: {error}", file=sys.stderr if expected else sys.stdout)
        return int(expected)
    if stored.values.shape != made.values.shape or not np.allclose(stored.times, made.times):
        print("  the stored one has another grid or other times", file=sys.stderr)
        return int(expected)
    found = relative(made.values[1:].astype(float), stored.values[1:].astype(float))
    differences = dict(zip(made.about["fields"], map(float, found), strict=True))
    wrong = [name for name, number in differences.items() if number > stored.accuracy[name]]
    verdict = f"more than stated in {' and '.join(wrong)}" if wrong else "within what is stated"
    print(f"  from the stored one {table.numbers(differences)}: {verdict}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
