"""How near `stable_step` comes to the largest stable step, over random operators.

Advection, diffusion and reaction of two fields with cell Peclet numbers from 0.05 to 20, on 32 to
256 nodes in one dimension and 8^2 to 20^2 in two: periodic and Dirichlet grids of orders 2, 4, 6,
clouds of orders 2 and 4. The limit is the largest step h with `|R(h z)| <= 1` at all eigenvalues z
that do not grow, from numpy's dense spectrum, R that of RK4. Ratios are `stable_step` over it;
above 1 is unstable, counted in `unstable`.

`grows` are operators with an eigenvalue in the right half plane. `non_normal` are those whose
eigenvectors have a condition above 1e4: there many steps at the limit may amplify a state by orders
of magnitude before it decays, so a safe step is shorter. `plain` are all others, `decays` is both.
`by` "default" is `stable_step` as it is; "products" is what it does with more than 512 unknowns, on
all sizes (of every `--products-every`-th seed). `large` are periodic grids of 1,000 to 16,384
nodes, whose eigenvalues are known from the Fourier transforms of the stencils.

`most_calls` is the largest number of calls of the right-hand side: one for each product with the
Jacobian, and a few to find its entries. `seconds` is the median of the time of a call.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import _common
import numpy as np
import torch
from _stability.limits import eigenvector_condition, growth, largest_step
from _stability.operators import Operator, draw, make

from solvers.rk4 import RK4, SemiDiscrete, UnstableOperatorError, stable_step
from solvers.rk4.spectrum.jacobian import Jacobian
from solvers.rk4.stability import estimate

START = time.perf_counter()
GROWS, NON_NORMAL = 1e-9, 1e4
LARGE = ((1000,), (4000,), (64, 64), (128, 128))


def samples_of(seed: int, alone: bool) -> list[dict[str, Any]]:
    """Measure one random operator, by default and, if asked to, by products alone."""
    operator = draw(seed)
    values, condition = eigenvector_condition(operator.transport.matrix(operator.operators))
    group = "non_normal" if condition > NON_NORMAL else "plain"
    if growth(values) > GROWS:
        group = "grows"
    return [
        measured(operator, values, by) | {"group": group, "seed": seed}
        for by in (["default", "products"] if alone else ["default"])
    ]


def samples_of_large(seed: int) -> list[dict[str, Any]]:
    """Measure large periodic grids, by products alone as all of their size."""
    samples = []
    for shape in LARGE:
        rng = np.random.default_rng(seed)
        operator = make(rng, "periodic", shape, int(rng.choice([2, 4, 6])))
        values = operator.transport.symbols(operator.operators, shape)
        found = measured(operator, values, "default")
        samples.append(found | {"group": "large", "seed": seed, "by": "products"})
    return samples


def measured(operator: Operator, values: np.ndarray, by: str) -> dict[str, Any]:
    """Step over limit, calls of the right-hand side and seconds."""
    system = operator.system
    calls, rhs = [0], system.rhs

    def counted(u: Any, v: Any, d: Any) -> Any:
        calls[0] += 1
        return rhs(u, v, d)

    system = SemiDiscrete(counted, operator.operators)
    state = torch.zeros(operator.operators.num_nodes, 2, dtype=torch.float64)
    start = time.perf_counter()
    if by == "default":
        step = stable_step(system, state)
    else:
        step = estimate(Jacobian(system, state, 0.0, system.constrain), RK4, dense=0).step
    seconds = time.perf_counter() - start
    return {
        "by": by,
        "nodes": f"{operator.nodes} {len(operator.shape)}d",
        "ratio": step / largest_step(values),
        "calls": calls[0],
        "seconds": seconds,
    }


def row_of(by: str, group: str, nodes: str, samples: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return what a group of operators has in common."""
    chosen = list(samples)
    ratios = np.array([sample["ratio"] for sample in chosen])
    return {
        "by": by,
        "operators": group,
        "nodes": nodes,
        "count": len(chosen),
        "unstable": int((ratios > 1.0).sum()),
        "maximum": round(float(ratios.max()), 4),
        "median": round(float(np.median(ratios)), 4),
        "tenth": round(float(np.quantile(ratios, 0.1)), 4),
        "minimum": round(float(ratios.min()), 4),
        "most_calls": max(sample["calls"] for sample in chosen),
        "seconds": float(np.median([sample["seconds"] for sample in chosen])),
    }


def rows_of(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each group, and of those that decay for each kind of nodes."""
    rows = []
    for by in ("default", "products"):
        own = [sample for sample in samples if sample["by"] == by]
        parts = {
            "decays": [s for s in own if s["group"] in ("plain", "non_normal")],
            **{g: [s for s in own if s["group"] == g] for g in ("plain", "non_normal", "grows")},
            "large": [s for s in own if s["group"] == "large"],
        }
        rows += [row_of(by, group, "all", part) for group, part in parts.items() if part]
        kinds = sorted({sample["nodes"] for sample in parts["plain"]})
        for kind in kinds:
            part = [sample for sample in parts["plain"] if sample["nodes"] == kind]
            rows.append(row_of(by, "plain", kind, part))
    return rows


def main() -> None:
    """Measure every seed."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1000, metavar="N", help="0 to N - 1")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first of them")
    parser.add_argument("--products-every", type=int, default=5, metavar="N")
    parser.add_argument("--large", type=int, default=10, metavar="N", help="seeds of large grids")
    args = parser.parse_args()
    if min(args.seeds, args.products_every) < 1 or min(args.first, args.large) < 0:
        sys.exit("`--seeds` and `--products-every` must be at least 1, the others at least 0.")
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", RuntimeWarning)  # of growth, which is a row
    samples, refused = [], 0
    for seed in range(args.first, args.first + args.seeds):
        try:
            samples += samples_of(seed, seed % args.products_every == 0)
        except UnstableOperatorError:
            refused += 1  # a Laplacian with growing modes has no stable step
        if seed % 50 == 49:
            print(f"{time.perf_counter() - START:6.0f} s  seed {seed}", file=sys.stderr, flush=True)
    for seed in range(args.large):
        samples += samples_of_large(seed)
    facts = _common.machine(problem="advection, diffusion, reaction", refused=refused)
    _common.report(rows_of(samples), args.out, facts)


if __name__ == "__main__":
    main()
