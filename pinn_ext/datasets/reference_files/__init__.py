"""Reference fields u and v that somebody else computed or measured, read from files.

In comes the path of a file, out comes `ReferenceData`: positions `[N, d]`, times `[T]` and the two
fields `[T, N]`, or samples `[M]` where the points are not the same at all times. Read `data` first,
then `reading`, which chooses the reader by the ending of the file's name. `text` reads tables (CSV,
COMSOL's export), `npz` and `mat` list named arrays, `series` asks meshio for fields on a mesh.
`names` finds columns by their names; `tables`, `arrays` and `samples` put what was found into shape
and refuse what does not fit, each in one sentence that names the line, the column or the array.

Nothing here needs torch; h5py (MATLAB 7.3) and meshio (VTU, XDMF) are imported when needed.
"""

from __future__ import annotations

from pinn_ext.datasets.reference_files.data import FieldErrors, ReferenceData, field_errors
from pinn_ext.datasets.reference_files.reading import ENDINGS, read_reference

__all__ = ["ENDINGS", "FieldErrors", "ReferenceData", "field_errors", "read_reference"]
