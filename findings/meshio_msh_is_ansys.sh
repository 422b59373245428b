#!/bin/sh
# meshio: a file written as .msh is one of ANSYS, without any field, and not one of Gmsh.
# Documentation:
#   https://github.com/nschloe/meshio#readme (.msh is listed for both; the format is inferred from
#   the extension)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    meshio==5.3.5 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import contextlib
import io
import sys
import warnings
from pathlib import Path

import meshio
import numpy as np

points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
plate = meshio.Mesh(
    points,
    [("triangle", np.array([[0, 1, 2], [0, 2, 3]]))],
    point_data={"temperature": np.array([20.0, 30.0, 40.0, 50.0])},
    cell_data={"conductivity": [np.array([1.5, 2.5])]},
)


def there_and_back(name, **how):
    """Write and read a mesh; return what the file begins with, its fields, and what was said."""
    output = io.StringIO()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            plate.write(name, **how)
            back = meshio.read(name)
    first = Path(name).read_bytes().split(b"\n")[0].decode()
    return first, sorted({*back.point_data, *back.cell_data}), [*said, *output.getvalue().split()]


print("meshio", meshio.__version__)
print("expected: plate.write('plate.msh') writes what Gmsh reads, with temperature, conductivity")
first, fields, said = there_and_back("plate.msh")
print(f"seen:     first line {first!r}, fields read back {fields}, said: {said}")
asked, kept, _ = there_and_back("gmsh.msh", file_format="gmsh")
print(f"          with file_format='gmsh': first line {asked!r}, fields read back {kept}")
wanted = {"temperature", "conductivity"}
stands = first.startswith("(1 ") and not fields and not said and wanted <= set(kept)
print("stands: another format, the fields are gone, no word is said" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
