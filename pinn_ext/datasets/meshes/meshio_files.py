"""Files that meshio reads, without its habits: it prints, and ends the program where it fails."""

from __future__ import annotations

import contextlib
import io
import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.outside_files import FileError, check_count, optional

FORMATS = {
    ".msh": "gmsh",  # which meshio also takes for a file of ANSYS, the first it tries
    ".vtu": "vtu",
    ".vtk": "vtk",
    ".xdmf": "xdmf",
    ".xmf": "xdmf",
    ".med": "med",
    ".inp": "abaqus",
    ".mesh": "medit",
    ".meshb": "medit",
    ".bdf": "nastran",
    ".nas": "nastran",
    ".su2": "su2",
    ".e": "exodus",
    ".exo": "exodus",
    ".cgns": "cgns",
    ".xml": "dolfin-xml",
    ".stl": "stl",
    ".ply": "ply",
    ".obj": "obj",
    ".off": "off",
}
"""What the ending of a file's name stands for, of meshio's formats."""

_HALF_GROUPED = "Incompatible cell data 'gmsh:physical'"  # of meshio, on version 4.1
_HEAD = 1 << 20  # bytes in which sizes are looked for
_SIZES = re.compile(
    rb'NumberOf(?:Points|Cells)="\s*(\d+)|Dimensions="([\d\s]+)"|'
    rb"\$Nodes\s+(?:\d+ +)?(\d+)|POINTS (\d+) "
)


def read_quietly(path: Path) -> Any:
    """Return the `meshio.Mesh` of a file.

    Args:
        path: of a file that exists.

    Raises:
        ArgumentError: if meshio does not read such files or this one; the message has what meshio
            said of it.
        ValueError: if meshio, or h5py where it is needed, is not installed.
    """
    meshio = optional("meshio", f"{path.suffix or 'mesh'} files")
    name = FORMATS.get(path.suffix.lower())
    if name is None:
        endings = ", ".join(FORMATS)
        raise ArgumentError("path", f"end in one of {endings}", f"{path.suffix!r} of {path.name}")
    if name in ("med", "cgns", "exodus"):
        optional("netCDF4" if name == "exodus" else "h5py", f"{path.suffix} files")
    check_sizes(path)
    with refusing_damage(path, name):
        return meshio.read(path, file_format=name)


def check_sizes(path: Path) -> None:
    """Refuse a file that says near its beginning that it holds more than is read."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for match in _SIZES.finditer(head):
        said = next(group for group in match.groups() if group is not None)
        check_count(path, "its points or cells", math.prod(int(n) for n in said.split()))


@contextlib.contextmanager
def refusing_damage(path: Path, name: str) -> Iterator[None]:
    """Turn whatever meshio does on a file that it cannot read into one error.

    Args:
        path: of the file.
        name: of its format.

    Yields:
        Nothing; output in the block goes nowhere.

    Raises:
        ArgumentError: as the block raises it.
        FileError: if something else is raised in the block, the program is told to end, or meshio
            says that the file ends before its time.
        ValueError: if a package is not installed.
    """
    heard = io.StringIO()
    wanted = f"be a whole {name} file that meshio reads"
    try:
        with (
            contextlib.redirect_stdout(heard),
            contextlib.redirect_stderr(heard),
            warnings.catch_warnings(),
        ):
            # Where text stands among numbers numpy stops reading, and says so like this only.
            warnings.filterwarnings("error", "string or file could not be read")
            warnings.simplefilter("ignore", RuntimeWarning)  # of its guess at the size of an STL
            yield
    except ArgumentError:
        raise
    except SystemExit:
        said = " ".join(heard.getvalue().split()) or "nothing more is said"
        raise FileError(path, wanted, f"an end ({said[:120]})") from None
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{error.name} must be installed to read {path.name}: pip install 'pinn-ext[mesh]'."
        ) from None
    except Exception as error:  # of any kind: formats differ
        if _HALF_GROUPED in str(error):
            wanted = "have all cells in physical groups (Gmsh: Mesh.SaveAll=0) or none"
            raise FileError(path, wanted, "some in none") from None
        lines = str(error).strip().rstrip(".").splitlines()
        got = f"{type(error).__name__} ({lines[0][:120] if lines else 'no more is said'})"
        raise FileError(path, wanted, got) from None
    if "not closed by" in heard.getvalue():
        raise FileError(path, wanted, "an end before its time")
