"""Settings of the documentation; `make docs` builds it without a network connection."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]
os.environ.setdefault("DDE_BACKEND", "pytorch")  # the API pages import DeepXDE
os.environ.setdefault("MPLBACKEND", "Agg")

import pinn_ext  # noqa: E402

project = "pinn_ext"
author = "pinn_ext developers"
copyright = f"2026 {author}"
version = release = pinn_ext.__version__

extensions = [
    "mathml",  # docs/mathml.py: formulas need no network
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
default_role = "code"  # `x` in a docstring is code, as in Markdown

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

# Without "members": a default would come before the names that a directive gives.
autodoc_default_options = {"show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # an "Attributes:" section must not describe dataclass fields twice

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_title = f"pinn_ext {release}"

linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_anchors_ignore_for_url = [r"https://github\.com/.*"]  # made by a script
