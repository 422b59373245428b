"""Slow transcriptions of the methods that read gradients or tangent kernels, from whole vectors."""

import math

import numpy as np

from tests.strategies.papers import EPS, slow_blend
from tests.strategies.recordings import MATRICES, SIZES


def layers(gradient):
    """Return the parts of a gradient that belong to weight matrices."""
    parts = np.split(gradient, np.cumsum(SIZES)[:-1])
    return [part for part, matrix in zip(parts, MATRICES, strict=True) if matrix]


def slow_lr_annealing(recording, start, settings):
    """Return lambda_i <- 0.9 lambda_i + 0.1 max |grad L_r| / mean |grad lambda_i L_i| (eq. 2.30).

    L_r is the sum of the equations' losses and has weight 1, so lambda_i is told relative to the
    mean weight of the equations. Without an equation, or without a condition, the largest entry
    of all gradients is the numerator for all.
    """
    beta, k = settings["weight_beta"], len(start)
    of_matrices = settings.get("variant", "code") == "code"
    equations = [i for i in range(k) if not recording.conditions[i]]
    told_apart = 0 < len(equations) < k
    weights, answer = list(start), []
    for seen in recording.epochs:
        residual = [sum(seen.gradients[i] for i in equations)] if told_apart else seen.gradients
        unit = np.mean([weights[i] for i in (equations if told_apart else range(k))])
        new = []
        for i, weight in enumerate(weights):
            gradient = seen.gradients[i]
            if settings.get("denominator", "weighted") == "weighted":
                gradient = gradient * weight / unit
            if of_matrices:  # max_grad_res, mean_grad_bcs of the authors' program
                top = max(np.max(np.abs(part)) for g in residual for part in layers(g))
                mean = np.mean([np.mean(np.abs(part)) for part in layers(gradient)])
            else:
                top = max(np.max(np.abs(g)) for g in residual)
                mean = np.mean(np.abs(gradient))
            hat = 1.0 if told_apart and i in equations else top / mean
            new.append(beta * weight + (1 - beta) * hat)
        weights = new
        answer.append(weights)
    return answer


def slow_gradient_balance(recording, start, settings):
    """Return the blend of mean_j |g_j| / (|g_i| + floor mean) of jaxpi, or with the sum."""
    floor, keep = settings.get("floor", 1e-5), settings.get("average", 0.0)
    hats, norms = [], []
    for t, seen in enumerate(recording.epochs):
        norms.append([np.sqrt(g @ g) for g in seen.gradients])
        shares = keep ** np.arange(t, -1, -1.0)
        lengths = shares @ np.array(norms) / sum(shares)
        mean = sum(lengths) / len(lengths)
        top = sum(lengths) if settings.get("numerator") == "sum" else mean
        hats.append([top / (length + floor * mean) for length in lengths])
    return slow_blend(hats, start, settings["weight_beta"])


def slow_inverse_dirichlet(recording, start, settings):
    """Return the blend of max_j std(g_j) / std(g_i), or of std(g_pde) / std(g_i) of the program."""
    conditions, hats = recording.conditions, []
    apart = settings.get("variant") == "code" and any(conditions) and not all(conditions)
    for seen in recording.epochs:
        spread = np.array([np.std(g, ddof=1) for g in seen.gradients])  # as torch.std
        if apart:
            hats.append(np.where(conditions, max(spread[~conditions]) / spread, 1.0))
        else:
            hats.append(max(spread) / spread)
    return slow_blend(hats, start, settings["weight_beta"])


def rates(recording, t):
    """Return r_i(t), the relative inverse training rate (Chen et al. 2018, section 3.1)."""
    ratio = recording.losses[t] / recording.losses[0]
    return ratio / np.mean(ratio)


def slow_gradnorm(recording, start, settings):
    """Return w of algorithm 1: Adam on L_grad (eq. 2) with its targets constant, then sum w = N.

    torch's Adam, fresh tensors at each step; L_grad is divided by the first mean length, which
    Adam sees in its eps only. The closed form is w_i = mean_j G_j r_i^alpha / |g_i|, scaled.
    """
    alpha, lr, steps = (settings.get(key, value) for key, value in GRADNORM.items())
    count = len(start)
    w = np.array(start) * count / sum(start)
    m, v, step, unit, answer = np.zeros(count), np.zeros(count), 0, None, []
    for t, seen in enumerate(recording.epochs):
        length = np.sqrt(np.sum(seen.gradients**2, axis=1))
        target = rates(recording, t) ** alpha
        if settings.get("solver") == "closed":
            closed = np.mean(w * length) * target / length
            w = closed * count / sum(closed)
            answer.append(w)
            continue
        unit = np.mean(length) if unit is None else unit
        for _ in range(steps):
            step += 1
            norms = w * length  # G_i
            slope = np.sign(norms - np.mean(norms) * target) * length / unit  # d L_grad / d w_i
            m = 0.9 * m + 0.1 * slope
            v = 0.999 * v + 0.001 * slope**2
            w = w - lr * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
            w = np.maximum(w, 0)
            w = w * count / sum(w)
        answer.append(w)
    if settings.get("solver") == "closed":
        return slow_blend(answer, start, settings["weight_beta"])
    return answer


GRADNORM = {"alpha": 1.5, "lr": 0.025, "steps": 1}


def slow_db_mtl(recording, start, settings):
    """Return w_i = (1 / (L_i + eps)) max_j |h_j| / |h_i|, h_i the gradient of log(L_i + eps).

    The lengths are averaged from zero, as LibMTL's gradients are.
    """
    beta, answer = settings.get("beta", 0.0), []
    lengths = []
    for t, seen in enumerate(recording.epochs):
        logs = [g / (loss + EPS) for g, loss in zip(seen.gradients, seen.losses, strict=True)]
        lengths.append([math.sqrt(sum(x * x for x in g)) for g in logs])
        average = [
            sum((1 - beta) * beta ** (t - s) * lengths[s][i] for s in range(t + 1))
            for i in range(len(start))
        ]
        row = zip(seen.losses, average, strict=True)
        answer.append([max(average) / length / (loss + EPS) for loss, length in row])
    return slow_blend(answer, start, settings["weight_beta"])


def slow_ntk(recording, start, settings):
    """Return tr K / tr K_ii (eq. 6.5 and 6.6), per point, of averages with the start taken out."""
    keep, hats = settings.get("average", 0.9), []
    traces = np.array([seen.ntk for seen in recording.epochs])
    for t in range(len(traces)):
        shares = keep ** np.arange(t, -1, -1.0)
        mean = shares @ traces[: t + 1] / sum(shares)
        hats.append(sum(mean) / mean)
    return slow_blend(hats, start, settings["weight_beta"])


def slow_db_pinn(recording, start, settings):
    """Return DB-PINN (Zhou et al. 2025) as its authors' program has it, in one pass.

    Without an equation, or without a condition, every term is a condition and the largest gradient
    of all the reference.
    """
    measure, k = settings.get("measure", "mean"), len(start)
    held = np.array(recording.conditions)
    apart = 0 < held.sum() < k
    held = held if apart else np.ones(k, dtype=bool)

    def spread(g):
        deviation = np.std(g, ddof=1)
        kurtosis = np.mean(((g - g.mean()) / deviation) ** 4)
        return deviation if measure == "std" else deviation / kurtosis

    lam, running, answer = np.ones(k), np.zeros(k), []
    for n, seen in enumerate(recording.epochs, start=1):
        of_equations = sum(seen.gradients[~held])
        if measure == "mean":
            top = np.max(np.abs(of_equations if apart else seen.gradients))
            ratio = top / np.mean(np.abs(lam[:, None] * seen.gradients), axis=1)
        else:
            sizes = np.array([spread(g) for g in seen.gradients])
            ratio = (spread(of_equations) if apart else max(sizes)) / sizes
        running = (1 - 1 / n) * running + 1 / n * seen.losses
        hard = seen.losses / running
        hat = ratio[held].sum() * hard / hard[held].sum()
        average = lam if n > 1 else np.zeros(k)
        lam = average + (hat - average) / n
        answer.append(np.where(held, lam, 1.0).tolist())
    return answer
