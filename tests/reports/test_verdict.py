"""What a comparison says of fixed against adaptive weights, and of which runs it says it."""

import math

import pytest

from pinn_ext import schema
from pinn_ext.reports.compare import picture, sections, settings, tables
from pinn_ext.reports.compare.verdict import Group, verdict


def group(strategy, *worst, seeds=None):
    return Group(strategy, "", worst, frozenset(range(len(worst)) if seeds is None else seeds))


@pytest.mark.parametrize(
    ("groups", "start", "end"),
    [
        (
            [group("fixed", 1e-3), group("ema", 2e-3)],
            "Fixed weights win here: worst-field error 1.00e-03",
            "one seed.",
        ),
        (
            [group("fixed", 1e-3), group("ema", 1e-3)],
            "Fixed and adaptive weights (ema) end alike here",
            "one seed.",
        ),
        (
            [group("fixed", 4e-3), group("ema", 2e-3), group("equal_init", 3e-3)],
            "ema wins here: worst-field error 2.00e-03, 2.0 times smaller than 4.00e-03",
            "one seed.",
        ),
        (
            [group("fixed", 3e-3, 4e-3, 5e-3), group("ema", 1e-3, 2e-3, 2.5e-3)],
            "ema wins here: worst-field error 2.00e-03 (1.00e-03 to 2.50e-03), 2.0 times smaller",
            "3 seeds each.",
        ),
        (
            [group("fixed", 2e-3, 4e-3), group("ema", 1e-3, 2e-3)],
            "Fixed weights and ema are not told apart here",
            "2 seeds each.",
        ),
        (
            [group("fixed", 1.5e-3), group("ema", 1e-3, 2e-3)],
            "Fixed and adaptive weights (ema) end alike here",
            "one seed of fixed weights, 2 seeds of ema.",
        ),
        (
            # Run twice with one seed: no evidence of more than one.
            [group("fixed", 3e-3, 3e-3, seeds=[0]), group("ema", 1e-3)],
            "ema wins here",
            "one seed.",
        ),
        (
            # The largest error counts: a strategy that diverges for one seed in three wins nothing.
            [group("fixed", 3e-3, 3e-3, 4e-3), group("ema", 1e-3, 1e-3, math.inf)],
            "Fixed weights and ema are not told apart here",
            "3 seeds each.",
        ),
        (
            [group("fixed", math.inf), group("ema", 1e-3)],
            "ema wins here: worst-field error 1.00e-03, against not finite with fixed weights",
            "one seed.",
        ),
        ([group("fixed", math.inf), group("ema", math.inf)], "Neither fixed nor adaptive", "."),
        ([group("ema", 2e-3)], "", ""),
        ([group("fixed", 2e-3)], "", ""),
    ],
)
def test_verdict(groups, start, end):
    said = verdict(groups)
    assert said.startswith(start) and said.endswith(end)
    assert bool(said) == bool(start)


def written(folder, **keys):
    """Write a configuration as a run does; `a__b` stands for `a.b`."""
    cfg = schema.Config()
    for key, value in keys.items():
        node = cfg
        *path, last = key.split("__")
        for name in path:
            node = getattr(node, name)
        setattr(node, last, value)
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(schema.to_yaml(schema.as_dict(cfg)))
    return settings.read(folder)


ADAPTIVE = {"training__loss__adaptive__enabled": True, "training__loss__adaptive__strategy": "ema"}


@pytest.fixture
def compared(tmp_path):
    """Return the sections of runs given as (worst error, keys)."""

    def of(*runs):
        rows, known = [], {}
        for job, (worst, keys) in enumerate(runs):
            adaptive = keys.get("training__loss__adaptive__enabled")
            rows.append(
                {
                    "job": job,
                    "strategy": keys.get("training__loss__adaptive__strategy", "equal_init")
                    if adaptive
                    else "fixed",
                    "overrides": "",
                    "u": worst,
                    "v": worst,
                    "worst": worst,
                    "raw_loss": worst,
                    "seconds": 1.0,
                    "status": "ok" if worst is not None else "failed",
                    "message": None,
                }
            )
            known[job] = written(tmp_path / str(job), **keys)
        return sections.sections(rows, known)

    return of


def test_other_problems_conditions_and_data_sets_have_tables_of_their_own(compared):
    found = compared(
        (1e-3, {"problem__name": "coupled_burgers"}),
        (2e-1, ADAPTIVE | {"problem__geometry": "annulus", "problem__conditions": "soft"}),
        (1e-2, ADAPTIVE | {"dataset__num_graphs": 7}),
        (1e-3, {"dataset__num_graphs": 9}),
    )
    assert [section.title for section in found] == [
        "brusselator on annulus, soft conditions, grid graphs",
        "brusselator, hard conditions, grid graphs (dataset.num_graphs=7)",
        "brusselator, hard conditions, grid graphs (dataset.num_graphs=9)",
        "coupled_burgers, hard conditions, grid graphs",
    ]
    assert [len(section.rows) for section in found] == [1, 1, 1, 1]
    assert not any(section.verdict for section in found)
    assert "win" not in tables.text(found)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"training__loss__use_gn_solver": True}, "use_gn_solver=true"),
        ({"training__lbfgs_iterations": 50}, "lbfgs_iterations=50"),
        ({"dtype": "float64"}, "dtype=float64"),
        ({"training__epochs": 900}, "epochs=900"),
        ({"network__hidden": [64, 64]}, "network.hidden=[64,64]"),
        ({"problem__scaling": "none"}, "problem.scaling=none"),
    ],
)
def test_other_differences_are_named_and_win_nothing(compared, keys, named):
    (section,) = compared((5e-9, keys), (1e-3, ADAPTIVE), (2e-3, ADAPTIVE | {"seed": 1}))
    assert section.rows[0]["differs"] == named
    assert section.rows[1]["differs"] == section.rows[2]["differs"] == ""
    assert "so none wins" in section.verdict and "5.00e-09" not in section.verdict
    assert named in tables.text([section])
    # With a fixed run of the same settings there is something to say, of those alone.
    (section,) = compared((5e-9, keys), (1e-3, ADAPTIVE), (4e-3, {}))
    assert section.verdict.startswith("ema wins here: worst-field error 1.00e-03, 4.0 times")
    # And so there is among the others.
    (section,) = compared((1e-3, ADAPTIVE), (4e-3, {}), (2e-3, keys), (1e-3, ADAPTIVE | keys))
    assert f"With {named}: ema wins here: worst-field error 1.00e-03, 2.0 times" in section.verdict


def test_names_logs_devices_and_settings_of_weights_that_do_not_move_differ_in_nothing(compared):
    (section,) = compared(
        (2e-3, {"experiment__name": "a", "device": "cpu", "training__log_every": 1}),
        (3e-3, {"experiment__name": "b", "training__loss__adaptive__ema_alpha": 0.5, "seed": 1}),
        (1e-3, ADAPTIVE),
    )
    assert [one.name for one in section.groups] == ["ema", "fixed"]
    assert section.groups[1].seeds == {0, 1}
    assert not any(row["differs"] for row in section.rows)


def test_settings_of_the_weights_tell_groups_apart(compared):
    (section,) = compared(
        (2e-3, ADAPTIVE | {"training__loss__adaptive__ema_alpha": 0.5}),
        (3e-3, ADAPTIVE | {"training__loss__adaptive__options": {"power": 2.0}}),
        (1e-3, {}),
    )
    assert [one.name for one in section.groups] == [
        "fixed",
        "ema ema_alpha=0.5 options.power=default",
        "ema ema_alpha=0.9 options.power=2",
    ]
    assert section.verdict.startswith("Fixed weights win here")


def test_a_label_with_signs_of_formulas_is_drawn(compared, tmp_path):
    groups = {"$\\foo$": ["PI_loss1"]}
    keys = ADAPTIVE | {"training__loss__adaptive__groups": groups}
    found = compared((1e-3, keys), (2e-3, ADAPTIVE), (3e-3, {}))
    picture.draw(tmp_path / "comparison.png", found, {})
    assert (tmp_path / "comparison.png").stat().st_size > 10_000


def test_runs_without_settings_or_errors_are_shown_and_not_compared(compared, tmp_path):
    (section,) = compared((1e-3, {}), (None, ADAPTIVE), (2e-3, ADAPTIVE))
    assert len(section.rows) == 3 and len(section.groups) == 2
    rows, known = list(section.rows), {0: written(tmp_path / "0"), 1: None, 2: None}
    (section,) = sections.sections(rows, known)
    assert len(section.rows) == 3 and [one.name for one in section.groups] == ["fixed"]
    known[2] = written(tmp_path / "2", problem__name="coupled_burgers")
    found = sections.sections(rows, known)
    assert [section.title for section in found][-1] == "Settings not known"
    assert [len(section.rows) for section in found] == [1, 1, 1]


@pytest.mark.parametrize("text", ["", "[1, 2]", "training: 3", "{", "\0", "a: ${oc.env:HOME}"])
def test_a_configuration_that_is_none_of_ours_is_not_known(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    assert settings.read(tmp_path) is None
    assert settings.read(tmp_path / "nowhere") is None
