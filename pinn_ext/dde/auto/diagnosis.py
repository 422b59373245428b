"""Whether other weights can help a training at all, from the gradients of its terms."""

from __future__ import annotations

from pinn_ext.adaptive_weights import AdaptiveLossWeights
from pinn_ext.measurements.gradient_verdict import SIZE
from pinn_ext.measurements.meter import compared
from pinn_ext.strategies import Gradients


def why_needless(gradients: Gradients | None, manager: AdaptiveLossWeights | None) -> str | None:
    """Return why pilots would be lost on this training, None where weights may help.

    Weights cure gradients of different size; where those of all terms, weighted, are less than
    `SIZE`-fold apart, no candidate has anything to put right.

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
        f"(cosine {conflict:.2f}): weights have nothing to put right"
    )
