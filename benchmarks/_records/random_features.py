"""Least-squares fits of random waves by fastlsq (Sulc 2026, arXiv:2602.10541), where it is there.

A field is a sum of waves `sin(w . x + b)` with random w and b; its coefficients are found by
Newton's method, each step a linear least-squares problem over the points.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from _records import feature_breather, feature_kovasznay

MISSING = (
    "Without fastlsq the row of random features is left out: pip install --no-deps fastlsq adds it."
)

Solver = Callable[[np.ndarray, int], tuple[np.ndarray, dict[str, Any]]]
"""Takes points [N, d] and a seed; returns fields [N, k] and facts for the table."""

SOLVERS: dict[str, Solver] = {
    "kovasznay": feature_kovasznay.solve,
    "schroedinger": feature_breather.solve,
}


def installed() -> bool:
    """Return whether fastlsq can be imported."""
    return importlib.util.find_spec("fastlsq") is not None
