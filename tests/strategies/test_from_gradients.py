"""What the methods that read gradients or tangent kernels promise, number by number."""

import numpy as np
import pytest

from pinn_ext import strategies
from tests.strategies.recordings import MATRICES, SIZES, statistics

ONES = [1.0] * 12
BIASES = np.repeat(np.logical_not(MATRICES), SIZES)


def terms(*rows):
    """Return terms of `(loss, gradient, condition)`, with the gradient's square as the trace."""
    return [(loss, g, float(np.sum(np.square(g))), 1.0, c) for loss, g, c in rows]


def answer(name, options, rows, weights=None):
    strategy = strategies.create(name, options)
    state = strategy.init([1.0] * len(rows) if weights is None else weights)
    return strategy.update(statistics(terms(*rows), weights), state)[0]


@pytest.mark.parametrize(("denominator", "settled"), [("weighted", 10.0), ("unweighted", 100.0)])
def test_where_learning_rate_annealing_settles(denominator, settled):
    """max |g_r| / mean |g_i| = 100: the weighted denominator ends at its square root."""
    rows = [(1.0, np.full(12, 5.0), False), (1.0, np.full(12, 0.05), True)]
    weights = [1.0, 1.0]
    for _ in range(300):
        targets = answer("lr_annealing", {"denominator": denominator}, rows, weights).targets
        weights = [0.9 * w + 0.1 * new for w, new in zip(weights, targets, strict=True)]
    assert weights == pytest.approx([1.0, settled])


def test_learning_rate_annealing_sees_no_common_factor_of_the_weights():
    rows = [(1.0, np.arange(12.0), False), (1.0, np.arange(12.0) + 3, True)]
    assert (
        answer("lr_annealing", {}, rows, [7.0, 14.0]).targets
        == answer("lr_annealing", {}, rows, [1.0, 2.0]).targets
    )


def test_learning_rate_annealing_of_several_equations_takes_the_gradient_of_their_sum():
    one, two = np.array([3.0, -4.0] * 6), np.array([-3.0, 5.0] * 6)
    rows = [(1.0, one, False), (1.0, two, False), (1.0, np.full(12, 0.5), True)]
    assert answer("lr_annealing", {"variant": "paper"}, rows).targets == [1.0, 1.0, 2.0]


@pytest.mark.parametrize("condition", [False, True])
def test_learning_rate_annealing_without_a_reference_treats_all_alike(condition):
    rows = [(1.0, np.full(12, size), condition) for size in (8.0, 2.0)]
    assert answer("lr_annealing", {}, rows).targets == [1.0, 4.0]
    assert answer("inverse_dirichlet", {"variant": "code"}, rows) is None  # no spread at all


def test_biases_count_in_the_paper_only():
    gradient = np.where(BIASES, 100.0, 1.0)
    rows = [(1.0, gradient, False), (1.0, ONES, True)]
    assert answer("lr_annealing", {"variant": "code"}, rows).targets == [1.0, 1.0]
    assert answer("lr_annealing", {"variant": "paper"}, rows).targets == [1.0, 100.0]


def test_gradients_end_up_equally_long():
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((4, 12)) * [[1e-3], [1.0], [10.0], [1e4]]
    rows = [(1.0, g, i > 1) for i, g in enumerate(gradients)]
    lengths = np.linalg.norm(gradients, axis=1)
    for name, options in (
        ("gradient_balance", {"floor": 0.0}),
        ("db_mtl", {}),
        ("gradnorm", {"solver": "closed"}),  # at the start, where all rates are 1
    ):
        weighted = np.array(answer(name, options, rows).targets) * lengths
        assert weighted == pytest.approx(np.full(4, weighted[0]), rel=1e-12)
    balanced = np.array(answer("gradient_balance", {"floor": 0.0}, rows).targets) * lengths
    assert balanced[0] == pytest.approx(lengths.mean())
    spread = np.array(answer("inverse_dirichlet", {}, rows).targets) * gradients.std(axis=1)
    assert spread == pytest.approx(np.full(4, gradients.std(axis=1).max()))


def test_db_mtl_has_the_scale_of_the_largest_logarithmic_gradient():
    rows = [(0.5, ONES, False), (0.01, 2 * np.array(ONES), False)]
    found = answer("db_mtl", {}, rows).targets
    length = np.sqrt(12)
    assert np.array(found) * [length, 2 * length] == pytest.approx(2 * length / 0.01, rel=1e-5)


def test_db_pinn_shares_the_ratios_by_difficulty():
    """Ratios are summed over conditions, then shared out by losses over their means."""
    strategy = strategies.create("db_pinn")
    gradients = [4.0 * np.array(ONES), ONES, 4.0 * np.array(ONES)]
    state = strategy.init([1.0] * 3)
    for losses in ([1.0, 1.0, 1.0], [1.0, 4.0, 0.25]):
        rows = zip(losses, gradients, [False, True, True], strict=True)
        proposal, state = strategy.update(statistics(terms(*rows)), state)
    assert state["losses"] == [1.0, 2.5, 0.625]
    # At first 5/2 each; then ratios 4/2.5 and 1/2.5 of the weighted gradients, shares 0.8 and 0.2.
    hard = np.array([4.0 / 2.5, 0.25 / 0.625])
    hats = (1.6 + 0.4) * hard / hard.sum()
    assert proposal.targets == pytest.approx([1.0, *(0.5 * (2.5 + hats))])
    assert not proposal.blend


def test_averaged_lengths_have_no_favourite_start():
    strategy = strategies.create("gradient_balance", {"average": 0.9})
    state = strategy.init([1.0, 1.0])
    for length in (4.0, 1.0, 2.0):
        rows = [(1.0, [length, *[0.0] * 11], False), (1.0, [1.0, *[0.0] * 11], True)]
        _, state = strategy.update(statistics(terms(*rows)), state)
    assert state["lengths"][0] == pytest.approx((0.81 * 4 + 0.9 * 1 + 2) / (0.81 + 0.9 + 1))
    assert strategies.create("gradient_balance").init([1.0, 1.0]) == {}  # as it was saved before


def test_inner_gradnorm_ends_at_the_closed_form():
    """With alpha = 1, where the targets of all terms can be met at once (their mean is G's)."""
    first = terms((1.0, ONES, False), (1.0, 5 * np.array(ONES), True), (2.0, ONES, True))
    later = terms((0.5, ONES, False), (0.8, 5 * np.array(ONES), True), (0.2, ONES, True))
    found = []
    for options in ({"solver": "closed", "alpha": 1}, {"lr": 2e-4, "steps": 20_000, "alpha": 1}):
        strategy = strategies.create("gradnorm", options)
        _, state = strategy.update(statistics(first), strategy.init([1.0] * 3))
        proposal, _ = strategy.update(statistics(later), state)
        assert sum(proposal.targets) == pytest.approx(3.0)
        found.append(proposal.targets)
    assert found[1] == pytest.approx(found[0], rel=0.01)
    assert found[0][0] > found[0][2]  # the third has come further: it is held back


def test_gradnorm_starts_from_the_ratios_of_the_weights():
    strategy = strategies.create("gradnorm")
    assert strategy.init([1.0, 3.0])["weights"] == [0.5, 1.5]


@pytest.mark.parametrize(
    "name",
    [
        "lr_annealing",
        "gradient_balance",
        "gradnorm",
        "inverse_dirichlet",
        "db_mtl",
        "db_pinn",
        "ntk",
    ],
)
def test_no_gradient_at_all_keeps_the_weights(name):
    assert answer(name, {}, [(1.0, [0.0] * 12, False), (2.0, [0.0] * 12, True)]) is None


def test_a_zero_gradient_asks_for_all_there_is():
    rows = [(1.0, np.arange(12.0), False), (1.0, [0.0] * 12, True)]
    assert answer("gradient_balance", {}, rows).targets[1] == pytest.approx(1e5)
    for name in ("lr_annealing", "inverse_dirichlet", "ntk", "db_mtl"):
        assert answer(name, {}, rows).targets[1] > 1e50


def test_averaged_traces_have_no_favourite_start():
    strategy = strategies.create("ntk")
    state, traces = strategy.init([1.0, 1.0]), []
    for value in (4.0, 1.0, 2.0):
        rows = [(1.0, [value**0.5] + [0.0] * 11, False), (1.0, [1.0] + [0.0] * 11, True)]
        _, state = strategy.update(statistics(terms(*rows)), state)
        traces.append(state["traces"][0])
    assert traces[0] == pytest.approx(4.0)
    assert traces[2] == pytest.approx((0.81 * 4 + 0.9 * 1 + 2) / (0.81 + 0.9 + 1))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lr_annealing", {"variant": "cod"}, r"`options.variant` must be one of code, paper"),
        ("lr_annealing", {"denominator": 1}, r"`options.denominator` must be one of unweighted"),
        ("gradient_balance", {"floor": 1}, r"`options.floor` must be a finite number in \[0, 1\)"),
        ("gradient_balance", {"numerator": "max"}, r"`options.numerator` must be one of mean, sum"),
        ("gradient_balance", {"average": 1}, r"`options.average` must be a finite number in"),
        ("gradnorm", {"alpha": -1}, r"`options.alpha` must be .* in \[0, 10\]"),
        ("gradnorm", {"lr": 0}, r"`options.lr` must be a finite number > 0"),
        ("gradnorm", {"steps": 1.5}, r"`options.steps` must be a whole number >= 1"),
        ("gradnorm", {"solver": "open"}, r"`options.solver` must be one of closed, inner"),
        ("inverse_dirichlet", {"variant": ""}, r"`options.variant` must be one of code, paper"),
        ("db_mtl", {"beta": 1.0}, r"`options.beta` must be a finite number in \[0, 1\)"),
        ("db_pinn", {"measure": "max"}, r"`options.measure` must be one of kurtosis, mean, std"),
        ("ntk", {"estimator": "full"}, r"`options.estimator` must be one of exact, hutchinson"),
        ("ntk", {"probes": 0}, r"`options.probes` must be a whole number >= 1"),
        ("ntk", {"average": 1}, r"`options.average` must be a finite number in \[0, 1\)"),
        ("ntk", {"alpha": 1}, r"among estimator, probes, average.*an option of gradnorm"),
    ],
)
def test_bad_options_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        strategies.create(name, options)
