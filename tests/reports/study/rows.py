"""Rows of studies made by hand."""

import itertools

from pinn_ext.reports.study.records import CHOSEN, PILOT, RUN, Job, Record

TERMS = ("PI_loss1", "PI_loss2")


def job(system="a", strategy="fixed", seed=0, role=RUN, conditions="soft", **more):
    name = ".".join((system, conditions, "epochs", strategy, str(seed)))
    place = {"system": system, "conditions": conditions, "phase": "epochs", "strategy": strategy}
    moves = strategy not in ("fixed", "tuned_fixed")
    overrides = (f"training=adaptive_{strategy}" if moves else "training=default",)
    name = more.pop("name", name)
    return Job(name, **place, seed=seed, overrides=overrides, role=role, **more)


def row(own, worst, held_out=1.0, seconds=2.0, status="ok"):
    """Return the row of a job; without an error it is one of a problem of unknown solution."""
    keys = ("name", "system", "conditions", "phase", "strategy", "seed", "role")
    head = {key: getattr(own, key) for key in keys} | {"overrides": [], "pinn_ext": "0.1.0"}
    if status != "ok":
        return {**head, "status": status, "message": "It has failed.", "wall": 1.0}
    curve = {
        "at": [1, 2],
        "seconds": [1.0, 2.0],
        "worst": [0.5, worst],
        "held_out": [2.0, held_out],
    }
    return {
        **head,
        "status": "ok",
        "message": None,
        "wall": 3.0,
        "errors": None if worst is None else {"u": worst / 2, "v": worst},
        "worst": worst,
        "trivial": None if worst is None else {"u": 1.0, "v": 1.0},
        "reference": None if worst is None else "exact solution",
        "held_out": held_out,
        "validation_losses": dict.fromkeys(TERMS, held_out / 2),
        "weights": dict.fromkeys(TERMS, 1.0),
        "seconds": seconds,
        "seconds_weighting": 0.01 * seconds,
        "lengths": {"epochs": 2},
        "choice": None,
        "curve": {**curve, "weights": {t: [1.0, 2.0] for t in TERMS}},
    }


def study(errors, contenders=(), title="By hand"):
    """Return record and rows of `{(system, strategy): [error of seed 0, of seed 1, ...]}`.

    An error of "failed" is a run without a result, one of "absent" a run that is to come.
    """
    jobs, rows = [], {}
    for (system, strategy), values in errors.items():
        for seed, value in enumerate(values):
            own = job(system, strategy, seed)
            jobs.append(own)
            if value == "failed":
                rows[own.name] = row(own, None, status="failed")
            elif value != "absent":
                rows[own.name] = row(own, value)
    strategies = tuple(dict.fromkeys(strategy for _, strategy in errors))
    return Record(title, tuple(contenders), strategies, tuple(jobs)), rows


def with_grid(scores):
    """Return jobs of a grid with these held-out scores, the job that needs them, and their rows."""
    pilots = [job(seed=0, role=PILOT, name=f"grid{i}") for i in range(len(scores))]
    last = job(role=CHOSEN, chosen_from=tuple(one.name for one in pilots))
    rows = {}
    for one, score in zip(pilots, scores, strict=True):
        status = "failed" if score is None else "ok"
        rows[one.name] = row(one, 0.1, held_out=score, status=status)
        rows[one.name]["overrides"] = [f"training.loss.w1_IC={one.name[4:]}", "training.epochs=3"]
    return pilots, last, rows


def product(systems, strategies, values):
    """Return errors of `study` that are the same in all systems."""
    return {(s, t): values[t] for s, t in itertools.product(systems, strategies)}
