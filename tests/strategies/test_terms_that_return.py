"""Terms that are solved for a while: what they have in averages stands still, then they go on."""

import pytest

from pinn_ext import AdaptiveLossWeights, strategies
from tests.strategies.recordings import sums_over, term_strategies

NAMES = ["heat", "wall", "data"]
ENTRIES = [0.3, -0.1, 0.2, 0.4, -0.6, 0.1, 0.5, -0.2, 0.3, 0.7, -0.4, 0.2]
OPTIONS = [
    ("relobralo", {}),
    ("relobralo", {"rho": 0.5}),
    ("relobralo", {"alpha": 0.5}),
    *(("softadapt", {"variant": v}) for v in ("normalized", "normalized_by_sum", "plain")),
    ("dwa", {"window": 3}),
    ("brdr_terms", {"steps": 500}),
    ("cov", {"decay": 0.9}),
    ("gradnorm", {"solver": "closed"}),
    ("gradient_balance", {"numerator": "sum"}),
    ("gradient_balance", {"average": 0.9}),
    ("db_mtl", {"beta": 0.9}),
    ("inverse_dirichlet", {"variant": "code"}),
    ("lr_annealing", {"variant": "paper"}),
    ("ntk", {"average": 0.0}),
]
CAPPED = [name for name in term_strategies() if name != "capu"]  # no cap, so no pause for it
CASES = [*((name, {}) for name in CAPPED), *OPTIONS]


def trained(name, options, away, normalization):
    """Return the weights after each of 14 updates; the last term is solved in those of `away`."""
    needs = strategies.create(name, **options).needs
    weights = AdaptiveLossWeights(
        NAMES,
        dict.fromkeys(NAMES, 1.0),
        name,
        options=options,
        field_scales=dict.fromkeys(NAMES, 1.0),
        max_ratio=100.0,
        normalization=normalization,
    )
    rows = []
    for update in range(14):
        last = 0.0 if update in away else 1.0
        row = [ENTRIES, ENTRIES, [last * x for x in ENTRIES]]
        found = weights.update(
            update + 1,
            dict(zip(NAMES, [1.0, 1.0, last], strict=True)),
            gradients=sums_over(row) if needs & {"gradients", "gradient_vectors"} else None,
            ntk=[1.0, 1.0, last] if "ntk" in needs else None,
            progress=update / 14,
        )
        rows.append([found[one] for one in NAMES])
    return rows


@pytest.mark.parametrize("away", [range(5), range(4, 9)], ids=["first", "later"])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_term_returns_to_the_weights_without_the_pause(name, options, away):
    """All losses and gradients are alike, so that nothing but the pause can move the weights."""
    compare(name, options, away, "mean")


@pytest.mark.parametrize("away", [range(5), range(4, 9)], ids=["first", "later"])
@pytest.mark.parametrize("name", ["relobralo", "softadapt", "dwa", "cov", "brdr_terms"])
def test_so_it_does_where_weights_have_their_own_sum(name, away):
    compare(name, {}, away, "none")


def compare(name, options, away, normalization):
    paused = trained(name, options, away, normalization)
    always = trained(name, options, (), normalization)
    for row, other in zip(paused[away.stop :], always[away.stop :], strict=True):
        relative = [weight / row[0] for weight in row]
        assert relative == pytest.approx([weight / other[0] for weight in other], rel=0.02)
    assert sum(paused[-1]) == pytest.approx(sum(always[-1]), rel=0.3)


def test_without_a_cap_the_papers_formula_stays():
    weights = AdaptiveLossWeights(NAMES, dict.fromkeys(NAMES, 1.0), "relobralo", max_ratio=None)
    for update in range(3):
        found = weights.update(update + 1, {"heat": 1.0, "wall": 1.0, "data": 0.0})
    assert found["data"] < 0.5 * found["heat"]
