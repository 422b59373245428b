"""Digits that least squares reaches in NIST's nonlinear regressions, beside scipy's.

The 27 problems of NIST StRD, each from both of its starts. A figure is the number of digits of the
certified sum of squares, `-log10 |S / certified - 1|`, at most the 11 that are certified and at
least 0; it stands beside whether the method said `success`. `ours` is `solvers.least_squares` with
all defaults; `lm` and `trf` are those of `scipy.optimize.least_squares` with all of its defaults,
differences for the Jacobian among them; `_5000` is the same with `max_nfev=5000`, and `trf_jac`
that with `x_scale="jac"`.

Lanczos1 has residuals of 8e-14 beside observations of 2.5, so that rounding leaves two digits to
any method in float64.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import _common
import numpy as np
import scipy.optimize
import torch

from solvers import least_squares
from tests.solvers.gauss_newton.nist_problems import PROBLEMS, Problem

# NIST's numbers have 11 digits.
CERTIFIED_DIGITS = 11.0


def digits(sum_of_squares: float, certified: float) -> float:
    """Return how many digits of a certified number another one has."""
    error = abs(sum_of_squares / certified - 1)
    if not math.isfinite(error):
        return 0.0
    return min(max(-math.log10(max(error, 1e-300)), 0.0), CERTIFIED_DIGITS)


def ours(problem: Problem, start: torch.Tensor) -> Any:
    """Fit with all defaults."""
    return least_squares(problem.residual, start)


def scipys(**options: Any) -> Callable[[Problem, torch.Tensor], Any]:
    """Return a fit by scipy with these options, all others at their defaults."""

    def fit(problem: Problem, start: torch.Tensor) -> Any:
        def residual(b: np.ndarray) -> np.ndarray:
            return problem.residual(torch.from_numpy(b)).numpy()

        return scipy.optimize.least_squares(residual, start.numpy(), **options)

    return fit


METHODS: dict[str, Callable[[Problem, torch.Tensor], Any]] = {
    "ours": ours,
    "lm": scipys(method="lm"),
    "trf": scipys(method="trf"),
    "lm_5000": scipys(method="lm", max_nfev=5000),
    "trf_5000": scipys(method="trf", max_nfev=5000),
    "trf_jac_5000": scipys(method="trf", x_scale="jac", max_nfev=5000),
}


def row_of(name: str, start: int, methods: list[str]) -> dict[str, Any]:
    """Fit one problem from one start by all methods."""
    problem = PROBLEMS[name]
    row: dict[str, Any] = {"problem": name, "start": start}
    for method in methods:
        try:
            fit = METHODS[method](problem, problem.starts[start - 1].clone())
        except ValueError:  # scipy's end where the residual is not finite
            found, success = 0.0, False
        else:
            found, success = digits(2 * float(fit.cost), problem.sum_of_squares), bool(fit.success)
        row[method], row[f"{method}_success"] = round(found, 1), success
    return row


def main() -> None:
    """Fit all problems."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--problems", default=",".join(PROBLEMS), metavar="NAME[,NAME]")
    parser.add_argument("--methods", default=",".join(METHODS), metavar="NAME[,NAME]")
    args = parser.parse_args()
    problems = _common.chosen("--problems", args.problems, PROBLEMS)
    methods = _common.chosen("--methods", args.methods, METHODS)
    torch.set_num_threads(1)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # overflows on the way
        rows = [row_of(name, start, methods) for name in problems for start in (1, 2)]
    _common.report(rows, args.out, _common.machine())


if __name__ == "__main__":
    main()
