"""Methods that read losses alone: numbers that their authors print, and what must come of them."""

import math

import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveLossWeights, strategies
from pinn_ext.strategies import Statistics
from pinn_ext.strategies.base import scalar_optimizer
from pinn_ext.strategies.relobralo import splitmix64, uniform
from pinn_ext.strategies.softadapt import forward_difference

# Losses and answers of the examples in the README of github.com/dr-aheydari/SoftAdapt, beta = 0.1.
FALLING = [[1, 2, 3, 4, 5], [150, 100, 50, 10, 0.1], [1500, 1000, 500, 100, 1]]
WITH_FOURTH = [*FALLING, [10, 20, 30, 40, 50]]
PRINTED = [
    ("plain", FALLING, [9.9343e-01, 6.5666e-03, 3.8908e-22]),
    ("normalized_by_sum", FALLING, [0.3221, 0.3251, 0.3528]),
    ("loss_weighted", FALLING, [8.7978e-01, 1.2022e-01, 7.1234e-20]),
    ("plain", WITH_FOURTH, [2.8850e-01, 1.9070e-03, 1.1299e-22, 7.0959e-01]),
    ("normalized_by_sum", WITH_FOURTH, [0.2436, 0.2459, 0.2673, 0.2432]),
    ("loss_weighted", WITH_FOURTH, [3.8861e-02, 5.3104e-03, 3.1465e-21, 9.5583e-01]),
]


def answers(name, rows, **options):
    """Return what a strategy proposes to each row of losses."""
    strategy = strategies.create(name, options)
    state, found = strategy.init([1.0] * len(rows[0])), []
    for losses in rows:
        proposal, state = strategy.update(Statistics(losses), state)
        found.append(proposal)
    return found


@pytest.mark.parametrize(("variant", "columns", "printed"), PRINTED)
def test_softadapt_gives_the_weights_that_its_authors_print(variant, columns, printed):
    rows = list(zip(*columns, strict=True))
    last = answers("softadapt", rows, variant=variant)[-1]
    assert last.targets == pytest.approx(printed, rel=3e-4)  # they print four or five digits


def test_softadapt_has_the_coefficients_of_its_authors():
    third, fifth = [-11 / 6, 3, -3 / 2, 1 / 3], [-137 / 60, 5, -5, 10 / 3, -5 / 4, 1 / 5]
    assert forward_difference(1) == [-1.0, 1.0]
    assert forward_difference(3) == pytest.approx(third, rel=1e-15)
    assert forward_difference(5) == pytest.approx(fifth, rel=1e-15)
    # Their tenth order, from the package findiff, is tested on straight lines only.
    assert sum(c * k for k, c in enumerate(forward_difference(10))) == pytest.approx(1, rel=1e-12)


def test_softadapt_normalized_favours_the_slowest_and_by_the_sum_the_fastest():
    rows = [[10.0 - t, 10.0 - 2 * t] for t in range(5)]
    slow, fast = answers("softadapt", rows, variant="normalized")[-1].targets
    assert slow > fast
    slow, fast = answers("softadapt", rows, variant="normalized_by_sum")[-1].targets
    assert slow < fast


def test_softadapt_keeps_the_weights_until_there_is_a_slope():
    manager = AdaptiveLossWeights(["a", "b"], {"a": 1.0, "b": 3.0}, "softadapt")
    assert manager.update(1, {"a": 1.0, "b": 2.0}) == {"a": 1.0, "b": 3.0}
    assert manager.update(2, {"a": 1.0, "b": 2.0})["b"] == pytest.approx(4 * 2 / 3)


def test_splitmix_has_the_published_sequence():
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]  # of seed 1234567
    assert [splitmix64(1234567, n) for n in range(1, 6)] == published


def test_uniform_is_uniform():
    draws = [uniform(3, n) for n in range(1, 4001)]
    assert all(0 <= draw < 1 for draw in draws)
    assert sum(draws) / 4000 == pytest.approx(0.5, abs=0.02)
    assert sum(draw < 0.1 for draw in draws) / 4000 == pytest.approx(0.1, abs=0.02)


def test_relobralo_starts_from_ones_and_then_compares_with_the_first_losses():
    first, second, third = answers("relobralo", [[1.0, 2.0], [1.0, 1.0], [1.0, 1.0]])
    assert first.targets == [1.0, 1.0]
    e, root = math.e, math.exp(0.5)
    balanced = [2 * e / (e + root), 2 * root / (e + root)]
    assert second.targets == pytest.approx(balanced, rel=1e-11)
    assert third.targets == pytest.approx([0.999 * w + 0.001 for w in balanced], rel=1e-11)


def test_relobralo_looks_back_as_often_as_rho_says():
    # With alpha = 1 an update keeps the weights, or replaces them by those of the first losses.
    rows = [[1.0 + t, 1.0] for t in range(400)]
    found = [p.targets for p in answers("relobralo", rows, alpha=1.0, rho=0.8, seed=2)]
    kept = sum(now == before for now, before in zip(found[2:], found[1:], strict=False))
    assert kept / 398 == pytest.approx(0.8, abs=0.06)
    assert found != [p.targets for p in answers("relobralo", rows, alpha=1.0, rho=0.8, seed=3)]


def test_cov_gives_more_to_the_loss_that_varies_more():
    rows = [[1.0, 1.0], [1.0, 0.5], [1.0, 1.0], [1.0, 0.25]]
    found = answers("cov", rows)
    assert found[0].targets == [0.5, 0.5]
    assert found[-1].targets[1] > 0.99
    assert all(sum(p.targets) == pytest.approx(1) for p in found)


def test_dwa_weighs_by_the_fall_of_the_windows():
    found = answers("dwa", [[2.0, 2.0], [4.0, 4.0], [3.0, 2.0], [3.0, 1.0]], window=2)
    assert found[0].targets == [1.0, 1.0]
    assert found[1:3] == [None, None]
    share = math.exp(0.5) / (math.exp(0.5) + math.exp(0.25))  # ratios 1 and 1/2, temperature 2
    assert found[3].targets == pytest.approx([2 * share, 2 - 2 * share], rel=1e-14)


LOSSES = [0.02, 1.0, 30.0]
STEADY = [
    {"optimizer": "exact"},
    {"optimizer": "sgd", "learning_rate": 0.1},
    {"optimizer": "adam", "learning_rate": 1e-2},
]


@pytest.mark.parametrize("options", STEADY, ids=str)
def test_steady_losses_lead_to_the_stationary_points(options):
    kendall = answers("uncertainty", [LOSSES] * 60, **options)[-1]
    assert kendall.targets == pytest.approx([1 / (2 * loss) for loss in LOSSES], rel=1e-9)
    logs = math.fsum(math.log(loss) for loss in LOSSES)
    assert kendall.penalty == pytest.approx(0.5 * logs, rel=1e-8)
    impartial = answers("imtl_l", [LOSSES] * 60, **options)[-1]
    assert impartial.targets == pytest.approx([1 / loss for loss in LOSSES], rel=1e-9)
    assert impartial.penalty == pytest.approx(logs, rel=1e-8)


def test_the_penalty_completes_the_objective():
    """The weighted sum and the penalty are Kendall's objective, whose minimum is known."""
    for losses in ([0.02, 1.0, 30.0], [5.0, 5.0, 1e-6]):
        best = answers("uncertainty", [losses], optimizer="exact")[0]
        total = sum(w * loss for w, loss in zip(best.targets, losses, strict=True)) + best.penalty
        assert total == pytest.approx(sum(0.5 + 0.5 * math.log(loss) for loss in losses))
        other = answers("uncertainty", [losses], inner_steps=20)[0]
        more = sum(w * loss for w, loss in zip(other.targets, losses, strict=True)) + other.penalty
        assert more > total


def test_the_penalty_reaches_the_manager():
    manager = AdaptiveLossWeights(
        ["a", "b"], {"a": 1.0, "b": 1.0}, "uncertainty", options={"optimizer": "exact"}
    )
    manager.update(1, {"a": 2.0, "b": 3.0})
    assert manager.penalty == pytest.approx(0.5 * math.log(6))
    assert manager.state_dict()["penalty"] == manager.penalty


def test_uncertainty_and_imtl_l_are_mirror_images():
    rows = [[0.5, 40.0], [0.4, 3.0], [7.0, 1.0]]
    mirrored = answers("uncertainty", rows, optimizer="sgd", learning_rate=2e-3)
    plain = answers("imtl_l", rows, optimizer="sgd", learning_rate=1e-3)
    for one, other in zip(mirrored, plain, strict=True):
        assert [2 * w for w in one.targets] == pytest.approx(other.targets, rel=1e-12)
        assert 2 * one.penalty == pytest.approx(other.penalty, rel=1e-12)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_inner_optimizer_makes_the_steps_of_torch(optimizer):
    kind = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[optimizer]
    start = [0.3, -2.0, 1.0]
    x = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    theirs = kind([x], lr=0.01)
    state = scalar_optimizer.fresh(start)
    for factor in (1.0, 5.0, 0.1):
        for _ in range(50):
            theirs.zero_grad()
            (factor * torch.exp(x) - x).sum().backward()
            theirs.step()
        slopes = [lambda s, factor=factor: factor * math.exp(s) - 1.0] * 3
        state = scalar_optimizer.minimize(slopes, state, optimizer, 0.01, 50)
        assert state["values"] == pytest.approx(x.tolist(), rel=1e-12)


@pytest.mark.parametrize("name", ["uncertainty", "imtl_l"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "exact"])
def test_a_solved_term_leaves_finite_weights(name, optimizer):
    options = {"optimizer": optimizer, "learning_rate": 1.0}
    for proposal in answers(name, [[0.0, 1e300, 5e-324]] * 20, **options):
        assert all(0 < target < math.inf for target in proposal.targets)


REFUSED = [
    ("softadapt", {"variant": "weighted"}, "options.variant` must be one of loss_weighted, norm"),
    ("softadapt", {"window": 1}, "options.window` must be a whole number >= 2, got 1"),
    ("softadapt", {"beta": math.nan}, "options.beta` must be a finite number"),
    ("softadapt", {"window": 4, "accuracy_order": 4}, r"accuracy_order` .* in \[1, 3\], got 4"),
    ("relobralo", {"temperature": 0}, "options.temperature` must be a finite number > 0"),
    ("relobralo", {"alpha": 1.5}, r"options.alpha` must be a finite number in \[0, 1\]"),
    ("relobralo", {"rho": -1}, "options.rho`"),
    ("relobralo", {"seed": -1}, "options.seed`"),
    ("cov", {"decay": 1.0}, r"options.decay` must be a finite number in \(0, 1\), got 1.0"),
    ("dwa", {"temperature": 0.0}, "options.temperature`"),
    ("dwa", {"window": 1.5}, "options.window` must be a whole number"),
    ("uncertainty", {"optimizer": "lbfgs"}, "optimizer` must be one of adam, exact, sgd, got 'lb"),
    ("uncertainty", {"inner_steps": 0}, "options.inner_steps`"),
    ("random", {"seed": -1}, r"options.seed` must be a whole number in \[0, "),
    ("brdr_terms", {"steps": 0}, "options.steps` must be a whole number >= 1"),
    ("brdr_terms", {"decay": 1}, r"options.decay` must be a finite number in \[0, 1\)"),
    ("imtl_l", {"learning_rate": 0}, "options.learning_rate`"),
    ("imtl_l", {"start": 1e4}, r"options.start` must be a finite number in \[-700, 700\]"),
    ("imtl_l", {"temperature": 1}, r"among optimizer, .*'temperature' \(an option of dwa, rel"),
]


@pytest.mark.parametrize(("name", "options", "message"), REFUSED)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        strategies.create(name, options)


def test_random_weights_have_their_sum_and_the_moments_of_the_distribution():
    rows = np.array([one.targets for one in answers("random", [[1.0, 1e-9, 1e9]] * 4000, seed=3)])
    assert rows.sum(axis=1) == pytest.approx(3.0, rel=1e-12) and (rows > 0).all()
    # Of a Dirichlet (1, 1, 1) sample times 3: mean 1, variance 9 * 2 / (9 * 4).
    assert rows.mean(axis=0) == pytest.approx(1.0, abs=0.04)
    assert rows.var(axis=0) == pytest.approx(0.5, abs=0.03)
    assert np.corrcoef(rows[:-1, 0], rows[1:, 0])[0, 1] == pytest.approx(0.0, abs=0.05)


def test_a_saved_state_of_random_weights_goes_on_with_its_own_seed():
    strategy, other = (strategies.create("random", {"seed": seed}) for seed in (1, 2))
    seen = Statistics([1.0, 2.0])
    _, state = strategy.update(seen, strategy.init([1.0, 1.0]))
    assert other.update(seen, state) == strategy.update(seen, state)
    assert other.update(seen, other.init([1.0, 1.0])) != strategy.update(seen, state)
