"""Checkpoints of a run: files that are whole or absent, what is in them, and the best network.

`file` writes and reads them and holds the run's folder, `parts` looks at each part before any of it
is used, `best_network` keeps the best network in a file beside.
"""

from pinn_ext.program.checkpoints.file import (
    FILE_NAME,
    FORMAT,
    VERSION,
    load,
    locked,
    save,
    to_bytes,
)

__all__ = ["FILE_NAME", "FORMAT", "VERSION", "load", "locked", "save", "to_bytes"]
