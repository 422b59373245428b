"""Slow transcriptions of the methods that read losses alone, see `papers.py`.

Softmaxes are written out in extended precision, without a shift; statistics are taken anew from
the whole past at every epoch.
"""

from fractions import Fraction
from math import prod

import numpy as np


def wide_softmax(exponents, factors=1.0):
    """Return f_i exp(x_i) / sum_j f_j exp(x_j), in numbers wide enough for both."""
    shares = np.longdouble(factors) * np.exp(np.asarray(exponents, dtype=np.longdouble))
    return [float(share / shares.sum()) for share in shares]


def lagrange_slope(values):
    """Return the derivative at the first value of the polynomial through values 1 apart.

    With the nodes 0 … n it is the sum over k of f_k times the derivative at 0 of the Lagrange
    polynomial of node k, here in fractions.
    """
    nodes, total = range(len(values)), 0.0
    for k in nodes:
        others = [j for j in nodes if j != k]
        slope = sum(prod(-j for j in others if j != m) for m in others)
        total += float(Fraction(slope, prod(k - j for j in others))) * values[k]
    return total


def slow_softadapt(recording, start, settings):
    """Return SoftAdapt (Heydari et al. 2019, section 3.1) of a window that grows at the start."""
    losses, window = recording.losses, settings.get("window", 5)
    order = settings.get("accuracy_order") or window - 1
    beta, variant = settings.get("beta", 0.1), settings.get("variant", "loss_weighted")
    answer = [list(start)]
    for t in range(1, len(losses)):
        seen = losses[max(t + 1 - window, 0) : t + 1]
        slopes = np.array([lagrange_slope(column[-order - 1 :]) for column in seen.T])
        if variant == "normalized":
            slopes = slopes / np.abs(slopes).sum()
        if variant == "normalized_by_sum":
            slopes = slopes / slopes.sum()
        factors = seen.mean(axis=0) if variant == "loss_weighted" else 1.0
        answer.append(wide_softmax(beta * slopes, factors))
    return answer


def slow_splitmix(seed, count):
    """Return the output number `count` of SplitMix64, step by step in unsigned 64 bits."""
    with np.errstate(over="ignore"):
        state = np.uint64(seed)
        for _ in range(count):
            state = state + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return int(state ^ (state >> np.uint64(31)))


def slow_relobralo(recording, start, settings):
    """Return ReLoBRaLo (Bischof and Kraus) with alpha = 1, 0, a, a, … from weights of one.

    The first epoch has nothing to look back to.
    """
    losses, k = recording.losses, len(start)
    temperature, seed = settings.get("temperature", 1.0), settings.get("seed", 0)

    def balanced(t, s):
        return k * np.array(wide_softmax(losses[t] / (temperature * losses[s] + 1e-12)))

    weights = np.ones(k)
    answer = [weights.tolist()]
    for t in range(1, len(losses)):
        alpha = 0.0 if t == 1 else settings.get("alpha", 0.999)
        draw = slow_splitmix(seed, t + 1) // 2**11 / 2**53
        rho = float(draw < settings.get("rho", 1.0))
        history = rho * weights + (1 - rho) * balanced(t, 0)
        weights = alpha * history + (1 - alpha) * balanced(t, t - 1)
        answer.append(weights.tolist())
    return answer


def slow_cov(recording, start, settings):
    """Return CoV-Weighting (Groenendijk et al. 2021, section 3) from the whole past."""
    losses, decay = recording.losses, settings.get("decay")

    def mean(values):
        if decay is None:
            return np.mean(values, axis=0)
        powers = [decay ** (len(values) - 1 - s) * (1 - decay) for s in range(len(values))]
        powers[0] = decay ** (len(values) - 1)
        return sum(p * v for p, v in zip(powers, values, strict=True))

    ratios = [np.ones(len(start))]
    ratios += [losses[t] / mean(losses[:t]) for t in range(1, len(losses))]
    answer = [[1 / len(start)] * len(start)]
    for t in range(1, len(losses)):
        seen = np.array(ratios[: t + 1])
        if decay is None:
            variance = np.var(seen, axis=0)
        else:  # the authors sum (l - old mean) (l - new mean) from the second ratio on
            variance = sum(
                (seen[s] - mean(seen[:s])) * (seen[s] - mean(seen[: s + 1]))
                for s in range(1, t + 1)
            ) / (t + 1)
        variation = np.sqrt(variance + 1e-8) / mean(seen)
        answer.append((variation / variation.sum()).tolist())
    return answer


def slow_dwa(recording, start, settings):
    """Return the dynamic weight average (Liu et al. 2019) of whole windows."""
    losses, k = recording.losses, len(start)
    window, temperature = settings.get("window", 1), settings.get("temperature", 2.0)
    answer = []
    for t in range(1, len(losses) + 1):
        whole = t // window
        if whole < 2:
            answer.append([1.0] * k)
            continue
        last = losses[(whole - 1) * window : whole * window].mean(axis=0)
        before = losses[(whole - 2) * window : (whole - 1) * window].mean(axis=0)
        answer.append([k * share for share in wide_softmax(last / before / temperature)])
    return answer


def slow_scales(recording, settings, slope, stationary):
    """Return s_i after each epoch: Adam (Kingma and Ba 2015, algorithm 1), descent or exact."""
    losses, optimizer = recording.losses, settings.get("optimizer", "adam")
    if optimizer == "exact":
        return stationary(losses)
    rate, steps = settings.get("learning_rate", 1e-3), settings.get("inner_steps", 100)
    answer = np.empty_like(losses)
    for i in range(losses.shape[1]):
        s, m, v, t = settings.get("start", 0.0), 0.0, 0.0, 0
        for epoch in range(len(losses)):
            for _ in range(steps):
                g, t = slope(s, losses[epoch, i]), t + 1
                m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
                adam = (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8)
                s -= rate * (adam if optimizer == "adam" else g)
            answer[epoch, i] = s
    return answer


def slow_uncertainty(recording, start, settings):
    """Return exp(-s) / 2, s minimising exp(-s) L / 2 + s / 2 (Kendall et al. 2018, eq. 7)."""
    s = slow_scales(recording, settings, lambda s, loss: 0.5 * (1 - np.exp(-s) * loss), np.log)
    return (0.5 * np.exp(-s)).tolist()


def slow_imtl_l(recording, start, settings):
    """Return exp(s), s minimising exp(s) L - s (Liu et al. 2021, section 3.2)."""
    s = slow_scales(recording, settings, lambda s, loss: np.exp(s) * loss - 1, lambda x: -np.log(x))
    return np.exp(s).tolist()


def slow_brdr_terms(recording, start, settings):
    """Return BRDR (Chen et al. 2024) of terms, both averages summed out over the whole past.

    The weights begin in the ratios of the initial ones, with the mean 1.
    """
    losses, k = recording.losses, len(start)
    steps, floor = settings.get("steps", 100), settings.get("floor", 1e-14)
    decay = settings.get("decay", 0.999) ** steps
    kept = settings.get("kept", 0.999) ** steps
    references, answer = [], []
    for t in range(len(losses)):
        shares = decay ** np.arange(t, -1, -1.0)
        mean_square = (1 - decay) * shares @ losses[: t + 1] ** 2
        rates = losses[t] / (np.sqrt(mean_square / (1 - decay ** (t + 1))) + floor)
        references.append(rates / rates.mean())
        weights = kept ** (t + 1) * np.array(start) * k / sum(start)
        for s, reference in enumerate(references):
            weights = weights + (1 - kept) * kept ** (t - s) * reference
        answer.append(weights.tolist())
    return answer


def slow_capu(recording, start, settings):
    """Return lam + mu C of PECANN with CAPU (Hu et al. 2025) step by step, equations 1."""
    eta, omega = settings.get("eta", 0.01), settings.get("omega", 0.999)
    zeta, held = settings.get("zeta", 0.99) ** settings.get("steps", 100), recording.conditions
    lam, mu, v = np.ones(held.sum()), np.ones(held.sum()), np.zeros(held.sum())
    previous, answer = np.inf, []
    for losses in recording.losses:
        c = losses[held]
        loss = losses[~held].sum() + (lam * c).sum() + 0.5 * (mu * c**2).sum()
        v = zeta * v + (1 - zeta) * c**2
        if loss >= omega * previous:
            lam = lam + mu * c
            mu = np.maximum(eta / np.sqrt(v + 1e-16), mu)
        previous = loss
        weights = np.ones(len(losses))
        weights[held] = lam + mu * c
        answer.append(weights.tolist())
    return answer


def slow_random(recording, start, settings):
    """Return k times samples of the Dirichlet distribution (1, ..., 1): exponentials, normalized.

    Number n of the splitmix sequence makes draw n, all terms of an update after one another.
    """
    k, answer = len(start), []
    for t in range(len(recording.epochs)):
        draws = [slow_splitmix(settings.get("seed", 0), t * k + i + 1) for i in range(k)]
        sizes = -np.log1p(-(np.array(draws) // 2**11 / 2**53))
        answer.append((k * sizes / sizes.sum()).tolist())
    return answer
