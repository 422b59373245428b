"""A user's problem in one Python file: `rhs`, `initial`, `BOUNDARY` and a few numbers.

In comes a path, out comes a `FileSystem`. The file is code: it is run when `from_file` is called,
and by nothing else. `build` says what must stand in it, open it first; `source` reads and runs it,
`functions` gives its functions their parameters, `trial` calls them at a few points and says what
is wrong, and `file_system` is the system that all others take.
"""

from pinn_ext.systems.problem_files.build import from_file
from pinn_ext.systems.problem_files.file_system import FileSystem
from pinn_ext.systems.problem_files.source import ProblemFileError, Source, read

__all__ = ["FileSystem", "ProblemFileError", "Source", "from_file", "read"]
