"""The lines that a run prints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pinn_ext.choices import FAMILY
from pinn_ext.reports import term_sizes
from pinn_ext.reports.history import PHASES
from pinn_ext.systems import FIELDS

RULE = "=" * 50


def short(name: str) -> str:
    """Return a loss term's short name: `PI1` for `PI_loss1`, `RK4_1` for `RK4_loss1`."""
    kind, number = name.split("_loss")
    return f"{kind}_{number}" if kind[-1].isdigit() else kind + number


def banner(strategy: str, initial_weights: Mapping[str, float]) -> str:
    """Return what is printed before the first epoch.

    Args:
        strategy: its name.
        initial_weights: by term.

    Returns:
        The strategy and the initial weights, in a frame if they are going to move.
    """
    weights = ", ".join(f"{name!r}: {float(weight)}" for name, weight in initial_weights.items())
    if strategy == "fixed":
        return f"Fixed loss weights: {{{weights}}}"
    return "\n".join(
        [
            "Adaptive loss weighting enabled",
            f"Strategy: {strategy}",
            f"Initial weights: {{{weights}}}",
            RULE,
        ]
    )


def equalized(epoch: int, losses: Mapping[str, float], weights: Mapping[str, float]) -> str:
    """Return the block that is printed once the weighted losses have been made equal.

    Args:
        epoch: number of the epoch.
        losses: raw losses that the update saw, by term.
        weights: after the update, by term.

    Returns:
        One line a term, closed by a rule.
    """
    lines = [f"Equalized weights at epoch {epoch}:"]
    for name, loss in losses.items():
        weight = weights[name]
        weighted = weight * loss
        lines.append(f"  {name}: loss={loss:.3e}, weight={weight:.3e}, weighted={weighted:.3e}")
    return "\n".join([*lines, RULE])


def epoch_line(
    epoch: int,
    total: float,
    losses: Mapping[str, float],
    errors: Mapping[str, float],
    *,
    phase: str = "Epoch",
) -> str:
    """Return the line of an epoch.

    Args:
        epoch: number of the epoch, or of the L-BFGS iteration.
        total: weighted sum of the losses with the weights in force during the epoch.
        losses: raw losses by term.
        errors: relative L2 error by field.
        phase: what is counted.

    Returns:
        `Epoch 001 | Train … | PI1 … | … | u … | v …`.
    """
    parts = [f"{phase} {epoch:03d}", f"Train {total:.3e}"]
    parts += [f"{short(name)} {loss:.3e}" for name, loss in losses.items()]
    parts += [f"{field} {error:.2e}" for field, error in errors.items()]
    return " | ".join(parts)


def weights_line(weights: Mapping[str, float]) -> str:
    """Return the indented line of weights: `Weights: PI1=8.10e+02, …`."""
    text = ", ".join(f"{short(name)}={weight:.2e}" for name, weight in weights.items())
    return f"        Weights: {text}"


def event_line(event: Mapping[str, Any]) -> str | None:
    """Return the indented line of an event of the weights.

    Args:
        event: with its epoch, term, what and why.

    Returns:
        `Weights, epoch 012: …`; None for what happens too often to be said (weights that reach a
        limit or leave it), which `events.csv` has.
    """
    if event["what"] not in ("unusable", "rolled_back", "note", "frozen"):
        return None
    term = f"{short_or_same(event['term'])} " if event["term"] else ""
    verb = "rolled back: " if event["what"] == "rolled_back" else ""
    return f"        Weights, epoch {event['epoch']:03d}: {term}{verb}{event['why']}"


def short_or_same(name: str) -> str:
    """Return a loss term's short name, and a group's own name."""
    return short(name) if "_loss" in name else name


def slab_ended(row: Mapping[str, Any], count: int) -> str:
    """Return the line at the end of a slab of time, before the next one begins.

    Args:
        row: of the report, see `pinn_ext.program.slabs.report.row`.
        count: how many slabs there are.
    """
    errors = _listed(row["relative_l2"])
    known = f" ({errors})" if errors else ""
    return (
        f"Slab {row['slab']} of {count}, t = {row['lower']:g} to {row['upper']:g}, is trained"
        f"{known}: the next one starts where it ends."
    )


def _listed(errors: Mapping[str, float] | None) -> str:
    return ", ".join(f"{field} {errors[field]:.2e}" for field in FIELDS) if errors else ""


def _slabs(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the table of slabs."""
    lines = ["Relative L2 error in each slab of time:"]
    lines.append(f"  {'slab':6}{'times':22}{FIELDS[0]:>10}{FIELDS[1]:>10}{'seconds':>10}")
    for row in rows:
        errors = row["relative_l2"] or {}
        cells = "".join(f"{errors[f]:10.2e}" if f in errors else f"{'-':>10}" for f in FIELDS)
        times = f"{row['lower']:g} to {row['upper']:g}"
        lines.append(f"  {row['slab']:<6}{times:22}{cells}{row['seconds']:10.1f}")
    return lines


def summary(content: Mapping[str, Any], folder: Path) -> str:
    """Return the closing lines of a run.

    Args:
        content: its report.
        folder: where everything lies.

    Returns:
        A small table of errors per field, and where to look.
    """
    of_what = f"after {_length(content)}"
    if content["keep"] == "best" and content["best"]:
        of_what = f"of the best network, {_best(content)}"
    known = content["reference"] is not None
    lines = ["", *(_errors(content, of_what) if known else _held_out(content))]
    if "slabs" in content:
        lines += _slabs(content["slabs"])
    last = (content["raw_losses_last"] or {}) if content["rk4_floor"] else {}
    floors = [
        f"{field} {content['rk4_floor'][field]:.1e} (network {last[name]:.1e})"
        for field, name in zip(FIELDS, ("RK4_loss1", "RK4_loss2"), strict=True)
        if name in last
    ]
    if floors:
        lines.append(f"RK4 loss of the exact solution on these graphs: {', '.join(floors)}")
    if content.get("penalty"):
        lines.append(
            f"Penalty of {content['strategy']} beside the weighted losses: {content['penalty']:.3e}"
        )
    if content.get("gradients"):
        lines.append(content["gradients"]["sentence"])
    lines += term_sizes.lines(content["terms_apart"], content["scaling"])
    seconds, share = content["seconds_training"], content["seconds_weighting"]
    lines.append(f"Training took {seconds:.1f} s, {share:.2f} s of it for the weights.")
    if content.get("peak_memory_mib"):
        lines.append(_cost(content))
    if content.get("choice"):
        lines += _choice(content)
    if content.get("gauss_newton_ended"):
        where = " in the last slab" if "slabs" in content else ""
        lines.append(f"Gauss-Newton ended{where}: {content['gauss_newton_ended']}.")
    if content["message"]:
        lines.append(f"Training failed: {content['message']}")
    elif content["status"] != "ok":
        lines.append(f"Interrupted; go on with training.resume={folder}")
    lines.append(f"Results: {folder}")
    return "\n".join(lines)


def _cost(content: Mapping[str, Any]) -> str:
    """Return what to ask a cluster for."""
    own, on_device = content["peak_memory_mib"], content["peak_device_memory_mib"]
    more = f" and {on_device:.0f} MiB on the device" if on_device else ""
    return f"The run took {content['seconds_run']:.1f} s in all, and {own:.0f} MiB of memory{more}."


def _errors(content: Mapping[str, Any], of_what: str) -> list[str]:
    """Return the table of errors against what is known of the solution."""
    against = content["reference"]
    points = "points never trained on"
    if against not in ("exact solution", "stored reference"):
        points = f"against {against}"
    lines = [f"Relative L2 error {of_what} ({points}):"]
    lines.append(f"  {'field':8}{'network':>11}{'trivial answer':>17}")
    for field in FIELDS:
        error, trivial = content["relative_l2"][field], content["relative_l2_trivial"][field]
        lines.append(f"  {field:8}{error:11.2e}{trivial:17.2e}")
    return lines + _lost_to_trivial(content) + _other_network(content)


def _lost_to_trivial(content: Mapping[str, Any]) -> list[str]:
    """Return a sentence where the network is no better than what needs no training."""
    errors = content["relative_l2"]
    if content["dataset"] == FAMILY and not all(math.isfinite(errors[f]) for f in FIELDS):
        return [
            "The roll-out of the network leaves all bounds before its last step, so it has no "
            "error there: train it longer; `pinn-ext rollout` shows how far it goes."
        ]
    lost = content["no_better_than_trivial"]
    where = " and ".join(lost or ())
    return [f"In {where} the network is no better than the trivial answer."] if lost else []


def _held_out(content: Mapping[str, Any]) -> list[str]:
    """Return the raw losses that a run without a known solution is judged by."""
    lines = [
        "No solution is known, so there are no errors. Raw losses on held-out snapshots, at the "
        "first and the last row:"
    ]
    first, last = content["validation_losses_first"] or {}, content["validation_losses_last"] or {}
    lines += [f"  {name:11}{first[name]:11.2e}{last[name]:11.2e}" for name in last]
    return lines


def _other_network(content: Mapping[str, Any]) -> list[str]:
    """Return the errors of the network that the table is not about, if they are others."""
    last, best = content["relative_l2_last"], content["relative_l2_best"]
    if content["best"] is None or repr(last) == repr(best):  # nan is not equal to itself
        return []
    kept_best = content["keep"] == "best"
    errors = last if kept_best else best
    text = ", ".join(f"{field} {errors[field]:.2e}" for field in FIELDS)
    if kept_best:
        return [f"The last network, after {_length(content)}: {text}"]
    return [f"The best network by validation losses, {_best(content)}: {text} (best.pt)"]


def _best(content: Mapping[str, Any]) -> str:
    best = content["best"]
    return f"{PHASES[best['phase']].counted} {best['epoch']}"


def _choice(content: Mapping[str, Any]) -> list[str]:
    """Return what was chosen, and what fixed weights would have cost."""
    seconds = sum(row["seconds"] for row in content["pilots"])
    chosen = content["choice"]
    if "slabs" in content:
        chosen = ", ".join(str(row["choice"]) for row in content["slabs"]) + ", slab after slab"
    lines = [f"Chosen: {chosen}.", f"The pilots took {seconds:.1f} s of the training."]
    if content["seconds_fixed"]:
        lines[-1] += (
            f" With fixed weights the {content['epochs']} epochs would take about "
            f"{content['seconds_fixed']:.1f} s (by their pilot; training=default makes that run)."
        )
    return lines


def _length(content: Mapping[str, Any]) -> str:
    counts = {phase.counted: content[phase.total] for phase in PHASES.values()}
    parts = [f"{n} {unit}{'s' * (n != 1)}" for unit, n in counts.items() if n]
    each = " and ".join(parts) or "0 epochs"
    count = len(content.get("slabs", ()))
    return f"{each} in each of {count} slab{'s' * (count != 1)}" if count else each
