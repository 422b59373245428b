"""Whether pilots are worth their cost, from the gradients of the terms."""

from __future__ import annotations

from pinn_ext.adaptive_weights import AdaptiveLossWeights
from pinn_ext.measurements.gradient_verdict import SIZE
from pinn_ext.measurements.meter import compared
from pinn_ext.strategies import Gradients


def why_needless(gradients: Gradients | None, manager: AdaptiveLossWeights | None) -> str | None:
    """Return why this training has no pilots, None where it has some.

    Where the weighted gradients of all terms are less than `SIZE`-fold apart, candidates were
    mostly within the cost of their pilots of one another (`docs/methods.md` has the measurement).

    Args:
        gradients: of the raw loss terms, or groups of terms, with their vectors; None where
            they could not be measured.
        manager: of the weights in force.

    Returns:
        A reason without full stop, or None.
    """
    if gradients is None or manager is None:
        return None
    found = compared(gradients, manager)
    ratio, conflict = found["size_ratio"], found["conflict"]
    if ratio is None or conflict is None or ratio >= SIZE:
        return None
    what = "and point against each other" if conflict < 0 else "and agree"
    return (
        f"the weighted gradients of the terms are {ratio:.2g}-fold apart {what} "
        f"(cosine {conflict:.2f}): pilots seldom gain what they cost there"
    )
