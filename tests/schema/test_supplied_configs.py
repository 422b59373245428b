"""Configurations that the program supplies for systems and strategies from outside."""

import importlib.metadata
import sys

import pytest

from pinn_ext import schema, strategies, systems
from pinn_ext.cli import main
from pinn_ext.program.composition import compose, config_loader
from pinn_ext.program.terminal.refusals import Refused
from tests.distributions import STRATEGY, Distributions


@pytest.fixture(autouse=True)
def installed(tmp_path, monkeypatch):
    return Distributions(tmp_path / "site", monkeypatch)


def composed(*overrides, search=None):
    return schema.as_dict(compose(overrides, search=search)[0])


def test_a_system_from_outside_needs_no_yaml(installed):
    installed.system("offered", "offered_system")
    cfg = composed("problem=offered", "problem.conditions=soft")
    assert cfg["problem"] == {
        **composed("problem=brusselator")["problem"],
        "name": "offered",
        "conditions": "soft",
        "parameters": {"rate": 0.5},
    }


def test_a_strategy_from_outside_needs_no_yaml(installed):
    installed.strategy("offered", "offered_strategy")
    cfg = composed("training=adaptive_offered", "training.loss.adaptive.max_ratio=7")
    plain = composed("training=adaptive_ema")["training"]
    plain["loss"]["adaptive"] |= {"strategy": "offered", "max_ratio": 7.0}
    assert cfg["training"] == plain


@pytest.mark.parametrize("name", systems.names())
def test_our_own_files_state_the_parameters_that_a_supplied_one_would(name):
    assert composed(f"problem={name}")["problem"]["parameters"] == systems.default_parameters(name)


def test_what_is_registered_needs_no_yaml_either(installed):
    installed.module("only_registered", STRATEGY.format(name="in_memory", cls="Mine"))
    from only_registered import Mine

    strategies.register(Mine)
    adaptive = composed("training=adaptive_in_memory")["training"]["loss"]["adaptive"]
    assert (adaptive["enabled"], adaptive["strategy"]) == (True, "in_memory")


def test_names_are_listed_without_being_loaded(installed, capsys):
    installed.system("offered", "listed_system")
    installed.strategy("offered", "listed_strategy")
    with pytest.raises(Refused, match=r"`problem` must be one of belousov.*, offered, .*'offred'"):
        composed("problem=offred")
    with pytest.raises(Refused, match=r"of adaptive_auto, .*adaptive_offered.*\(did you mean"):
        composed("training=adaptive_ofered")
    loader = config_loader()
    assert "offered" in loader.get_group_options("problem")
    assert main(["--help"]) == 0
    listed = " ".join(capsys.readouterr().out.split())
    assert "adaptive_offered" in listed and "offered, predator_prey" in listed
    assert not {"listed_system", "listed_strategy"} & set(sys.modules)


def test_a_file_of_the_users_own_comes_first(installed, tmp_path):
    installed.strategy("offered", "hidden_strategy")
    folder = tmp_path / "recipes" / "training"
    folder.mkdir(parents=True)
    text = "defaults: [adaptive_ema, _self_]\nepochs: 7\n"
    (folder / "adaptive_offered.yaml").write_text(text)
    cfg = composed("training=adaptive_offered", search=str(tmp_path / "recipes"))
    assert cfg["training"]["epochs"] == 7
    assert cfg["training"]["loss"]["adaptive"]["strategy"] == "ema"
    assert "hidden_strategy" not in sys.modules


@pytest.mark.parametrize("override", ["problem=broken", "training=adaptive_broken"])
def test_a_broken_one_is_refused_in_a_sentence(installed, override):
    installed.module("broken_module", "1 / 0")
    point = {"broken": "broken_module:Mine"}
    installed.add("broken-package", point, point)
    message = (
        r"^The entry point broken = broken_module:Mine \(pinn_ext.(systems|strategies)\) of "
        r"broken-package 1.0 cannot be loaded \(ZeroDivisionError: division by zero\)\.$"
    )
    with pytest.raises(Refused, match=message):
        composed(override)
    others = composed("problem=gray_scott", "training=adaptive_ema")
    assert others["problem"]["name"] == "gray_scott"


def test_our_own_names_read_no_entry_points(monkeypatch):
    def read():
        raise AssertionError("entry points were read")

    composed()  # whatever Hydra reads at its first use
    monkeypatch.setattr(importlib.metadata, "distributions", read)
    cfg = composed("problem=gray_scott", "training=adaptive_ema", "training.epochs=3")
    assert cfg["training"]["epochs"] == 3
