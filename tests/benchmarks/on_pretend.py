"""A benchmark on the make-believe device of `tests/device`: `… on_pretend SCRIPT ARGUMENTS`."""

import os
import runpy
import sys

from tests.device import build, pretend

if __name__ == "__main__":
    try:
        pretend.register()
    except build.UnavailableError as reason:
        sys.exit(f"no make-believe device: {reason}")
    sys.argv = sys.argv[1:]
    sys.path.insert(0, os.path.dirname(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")
