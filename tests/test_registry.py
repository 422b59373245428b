"""Systems and strategies from outside: registered, or offered by installed packages."""

import importlib.metadata
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from pinn_ext import AdaptiveLossWeights, strategies, systems
from pinn_ext.adaptive_weights.settings import WeightSettings
from pinn_ext.checks import ArgumentError
from pinn_ext.strategies import PointStrategy, Proposal, Strategy
from pinn_ext.strategies.base.class_check import check_strategy
from pinn_ext.systems import System
from pinn_ext.systems.class_check import check_system
from tests.distributions import STRATEGY, SYSTEM, Distributions

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def installed(tmp_path, monkeypatch):
    return Distributions(tmp_path / "site", monkeypatch)


class Plain(Strategy):
    def init(self, initial_weights):
        return {"updates": 0}

    def update(self, statistics, state):
        return Proposal([1.0] * len(statistics.losses), blend=False), state


def strategy_called(text):
    @dataclass(frozen=True)
    class Made(Plain):
        share: float = 0.5
        name = text

    return Made


def system_called(text, **members):
    own = {
        "name": text,
        "boundaries": ("periodic",),
        "boundary": "periodic",
        "default_nodes": 9,
        "lower": (0.0,),
        "upper": (1.0,),
        "rhs": lambda self, u, v, d: (d.laplacian(u), d.laplacian(v)),
        "exact": lambda self, x, t: torch.zeros(len(x), 2),
    }
    content = {key: value for key, value in {**own, **members}.items() if value is not None}
    return type("Made", (System,), content)


# ---- registered ---------------------------------------------------------------------------------


def test_a_registered_strategy_is_known_by_its_name():
    cls = strategy_called("made_up")
    assert strategies.register(cls) is cls
    assert "made_up" in strategies.names() and "made_up" in strategies.term_names()
    assert strategies.create("made_up", {"share": 0.25}) == cls(share=0.25)
    assert strategies.option_names("made_up") == ["share"]
    weights = AdaptiveLossWeights(["a", "b"], {"a": 1.0, "b": 1.0}, "made_up")
    assert weights.update(1, {"a": 1.0, "b": 4.0}) == {"a": 1.0, "b": 1.0}
    with pytest.raises(ArgumentError, match=r"be one of auto, .*made_up.*got 'made_upp' .did you"):
        strategies.create("made_upp")
    stages = [{"strategy": "made_up", "until_epoch": 3}, {"strategy": "ema"}]
    parts = strategies.create("multi_stage", {"stages": stages}).parts
    assert isinstance(parts[0].method, cls)


def test_a_registered_system_is_known_by_its_name():
    cls = systems.register(system_called("made_up"))
    assert "made_up" in systems.names()
    system = systems.create("made_up", case=None, boundary=None)  # as the program asks for it
    assert type(system) is cls and systems.boundaries("made_up") == ["periodic"]
    with pytest.raises(ArgumentError, match="`parameters of made_up` must be left out"):
        systems.create("made_up", boundary="dirichlet")


def test_a_class_that_is_defined_again_takes_its_own_place():
    first = strategies.register(strategy_called("again"))
    second = strategies.register(strategy_called("again"))
    assert first is not second and strategies.class_of("again") is second


@pytest.mark.parametrize("package", [strategies, systems])
def test_a_name_that_is_taken_is_refused(package):
    made = strategy_called if package is strategies else system_called
    own = package.names()[0]
    with pytest.raises(ArgumentError, match=rf"`name` of \S+Made must be .*got '{own}', as has"):
        package.register(made(own))
    package.register(made("taken"))
    other = type("Other", (made("taken"),), {})
    with pytest.raises(ArgumentError, match=r"Other must be a name.*as has \S+Made\."):
        package.register(other)


def test_built_in_classes_are_what_registered_ones_must_be():
    for name in systems.names():
        check_system(systems._REGISTRY[name])
    for name in strategies.names():
        if name != "auto":
            check_strategy(strategies._REGISTRY[name])
    assert systems.register(systems._REGISTRY["brusselator"]).name == "brusselator"


@dataclass(frozen=True)
class Incomplete(Plain):
    share: float
    name = "incomplete"


@dataclass
class Melted(Plain):
    name = "melted"


@dataclass(frozen=True)
class Thirsty(Plain):
    name = "thirsty"
    needs = frozenset({"losses", "hessian"})


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Plain(), "`cls` must be a class derived from Strategy or PointStrategy, got <"),
        (int, "`cls` must be a class derived from Strategy or PointStrategy, got <class 'int'>"),
        (PointStrategy, "`PointStrategy` must define factors, init, update, got a class without"),
        (Plain, "`name` of Plain must be text of letters, digits and _ .*, got None"),
        (strategy_called("made-up"), "`name` of Made must be .*, got 'made-up'"),
        (type("Bare", (Plain,), {"name": "bare"}), "`Bare` must be a frozen dataclass, got"),
        (Melted, "`Melted` must be a frozen dataclass, got one that is not frozen"),
        (Incomplete, "`share` of Incomplete must have a default, got none"),
        (Thirsty, "`needs` of Thirsty must be a frozenset of names among losses, gradients"),
    ],
)
def test_what_is_no_strategy_is_refused(cls, message):
    with pytest.raises(ArgumentError, match=message):
        strategies.register(cls)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (dict, "`cls` must be a class derived from System, got <class 'dict'>"),
        (system_called("made", rhs=None), "`Made` must define rhs, got a class without"),
        (system_called(""), "`name` of Made must be text"),
        (system_called("from_file"), "`name` of Made must be another one, as problem files have"),
        (system_called("made", boundaries=None), r"`boundaries` of Made must be a tuple .*\(\)"),
        (system_called("made", boundaries="periodic"), "`boundaries` of Made must be a tuple"),
        (system_called("made", cases=("a",)), r"`cases` of Made must map names .*got \('a',\)"),
        (system_called("made", cases={"a": ()}), r"`cases\['a'\]` of Made must be a tuple"),
        (system_called("made", cases={"a": ("periodic",)}), "`Made` must take `case`"),
        (system_called("made", default_nodes=None), "`default_nodes` of Made must be .*got None"),
        (system_called("made", default_nodes=2), "`default_nodes` of Made must be .*>= 3, got 2"),
        (system_called("made", exact=None), "`Made` must define `exact`, or `data`"),
    ],
)
def test_what_is_no_system_is_refused(cls, message):
    with pytest.raises(ArgumentError, match=message):
        systems.register(cls)


def constructor(**members):
    def __init__(self, size):
        vars(self).update(members)

    return {"__init__": __init__}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"lower": None}, "`lower` of Made must be a tuple of 1 to 3 numbers once .*, got None"),
        (constructor(upper=[1.0]), r"`upper` of Made must be a tuple of 1 to 3 .*, got \[1.0\]"),
        (constructor(upper=(1.0, 2.0)), "`upper` of Made must lie above lower"),
        (constructor(upper=(-1.0,)), r"`upper` of Made must lie above lower = \(0.0,\), got"),
        (constructor(boundary="dirichlet"), "`boundary` of Made must be one of periodic once"),
    ],
)
def test_what_a_system_has_left_out_is_said_when_it_is_built(members, message):
    systems.register(system_called("made", **members))
    parameters = {"size": 1.0} if "__init__" in members else {}
    with pytest.raises(ArgumentError, match=message):
        systems.create("made", **parameters)


def test_a_parameter_that_a_system_needs_is_asked_for():
    systems.register(system_called("made", **constructor()))
    with pytest.raises(ArgumentError, match=r"`parameters of made` must be complete, got .*'size'"):
        systems.create("made")
    with pytest.raises(ArgumentError, match="`parameter of made` must be one of size, got 'sise'"):
        systems.create("made", sise=1.0)


# ---- offered by installed packages --------------------------------------------------------------


@pytest.mark.parametrize(("package", "add"), [(strategies, "strategy"), (systems, "system")])
def test_an_entry_point_is_listed_at_once_and_loaded_when_asked_for(installed, package, add):
    getattr(installed, add)("offered", f"{add}_offered")
    getattr(installed, add)("unasked", f"{add}_unasked")
    assert {"offered", "unasked"} <= set(package.names())
    assert f"{add}_offered" not in sys.modules
    made = package.create("offered")
    assert type(made).__module__ == f"{add}_offered"
    assert type(package.create("offered")) is type(made)
    assert f"{add}_unasked" not in sys.modules


def test_default_parameters_are_those_of_the_constructor(installed):
    installed.system("offered", "system_with_rate")
    assert systems.default_parameters("offered") == {"rate": 0.5}
    assert systems.create("offered", rate=2).rate == 2.0


def test_controllers_take_what_is_offered(installed):
    installed.strategy("offered", "strategy_for_auto")
    auto = strategies.create("auto", {"candidates": ["offered"]})
    assert [candidate.name for candidate in auto.field] == ["fixed", "field_scale", "offered"]
    with pytest.raises(ArgumentError, match=r"candidates\[0\].strategy` must be one of .*offered"):
        strategies.create("auto", {"candidates": ["rba"]})


def test_a_module_may_register_its_class_too(installed):
    text = STRATEGY.replace("@dataclass", "@register\n@dataclass", 1)
    text = text.replace("Proposal, Strategy", "Proposal, Strategy, register")
    installed.module("registers_itself", text.format(name="offered", cls="Mine"))
    installed.add("registers-itself", strategies={"offered": "registers_itself:Mine"})
    assert strategies.class_of("offered").__module__ == "registers_itself"


SOUND = STRATEGY.format(name="offered", cls="Mine")
SENTENCE = r"^The entry point offered = \S+ \(pinn_ext.strategies\) of broken-package 1.0 "


@pytest.mark.parametrize(
    ("text", "value", "message"),
    [
        ("import no_such_module", "broken:Mine", "cannot be loaded .*: No module named 'no_such_"),
        ("1 / 0", "broken:Mine", r"cannot be loaded \(ZeroDivisionError: division by zero\)\.$"),
        ("raise SystemExit(3)", "broken:Mine", r"cannot be loaded \(SystemExit: 3\)\.$"),
        ("raise ValueError('a.\\nb')", "broken:Mine", r"cannot be loaded \(ValueError: a\)\.$"),
        (SOUND, "broken:Yours", "cannot be loaded .*no attribute 'Yours'"),
        (SOUND, "broken:", "cannot be loaded"),
        (SOUND, "broken", "leads to no strategy that can be used: `cls` must be a class derived"),
        (SOUND, "broken:Proposal", "leads to no strategy that can be used: `cls` must be a class"),
        (
            STRATEGY.format(name="other", cls="Mine"),
            "broken:Mine",
            "must have its class's name, which is 'other'",
        ),
    ],
)
def test_a_broken_entry_point_is_one_sentence_and_breaks_no_other(installed, text, value, message):
    installed.module("broken", text)
    installed.add("broken-package", strategies={"offered": value})
    installed.strategy("sound", "sound_strategy")
    assert {"offered", "sound", "ema"} <= set(strategies.names())
    with pytest.raises(ValueError, match=SENTENCE + message) as caught:
        strategies.create("offered")
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=SENTENCE):
        WeightSettings("offered")
    assert type(strategies.create("sound")).__module__ == "sound_strategy"
    assert strategies.create("ema").name == "ema"


def test_a_broken_system_names_its_entry_point_too(installed):
    installed.module("flat", SYSTEM.format(name="flat", cls="Mine").replace("def rhs", "def rsh"))
    installed.add("flat-package", {"flat": "flat:Mine"}, version="2.1")
    message = (
        r"^The entry point flat = flat:Mine \(pinn_ext.systems\) of flat-package 2.1 leads to no "
        r"system that can be used: `Mine` must define rhs, got a class without\.$"
    )
    with pytest.raises(ValueError, match=message):
        systems.create("flat")


def test_two_packages_with_one_name_are_both_named(installed):
    installed.strategy("offered", "first_package")
    installed.strategy("offered", "second_package")
    with pytest.raises(
        ValueError, match=r"^The strategy .offered. is offered twice: by the entry "
    ):
        strategies.create("offered")
    with pytest.raises(ValueError, match=r"of first_package 1.0 and by the .* of second_package 1"):
        strategies.create("offered")
    assert strategies.names().count("offered") == 1


def test_a_registered_class_and_an_entry_point_of_its_name(installed):
    installed.strategy("offered", "late_package")
    strategies.register(strategy_called("offered"))
    with pytest.raises(ValueError, match=r"of late_package 1.0 must not take the name of \S+Made,"):
        strategies.create("offered")


def test_an_entry_point_of_a_built_in_name_is_left_out(installed):
    installed.strategy("ema", "shadow")
    assert strategies.class_of("ema").__module__ == "pinn_ext.strategies.ema"
    with pytest.warns(UserWarning, match="of shadow 1.0 is left out: pinn_ext has a strategy of"):
        names = strategies.names()
    assert names.count("ema") == 1 and "shadow" not in sys.modules


def test_entry_points_that_cannot_be_read_hide_no_others(installed):
    info = installed.add("unreadable", strategies={"lost": "nowhere:Mine"})
    (info / "entry_points.txt").write_text("[pinn_ext.strategies]\nno equals sign\n")
    installed.strategy("offered", "readable")
    with pytest.warns(UserWarning, match="^The entry points of unreadable 1.0 cannot be read"):
        assert "offered" in strategies.names()


def test_a_distribution_without_metadata_is_called_by_its_folder(installed):
    installed.add("nameless", strategies={"offered": "nowhere:Mine"}, metadata=False)
    with pytest.raises(ValueError, match=r"of \S+nameless-1.0.dist-info cannot be loaded"):
        strategies.create("offered")


def test_a_package_that_is_there_twice_counts_once(installed, tmp_path, monkeypatch):
    installed.strategy("offered", "older")
    newer = Distributions(tmp_path / "first", monkeypatch)
    newer.strategy("offered", "older", cls="Newer")
    assert strategies.class_of("offered").__name__ == "Newer"


def test_built_in_names_read_no_entry_points(monkeypatch):
    def read():
        raise AssertionError("entry points were read")

    monkeypatch.setattr(importlib.metadata, "distributions", read)
    for name in ("ema", "rba", "multi_stage", "auto"):
        WeightSettings(name)
    with pytest.raises(ArgumentError, match="an option of dwa"):
        strategies.create("gradnorm", {"temperature": 1.0})
    systems.create("gray_scott", case="pulse")
    with pytest.raises(AssertionError, match="were read"):
        systems.create("gray_scot")


def test_importing_reads_no_entry_points():
    code = (
        "import importlib.metadata as m\nm.distributions = m.entry_points = None\n"
        "import pinn_ext, pinn_ext.strategies, pinn_ext.schema\n"
        "pinn_ext.AdaptiveLossWeights(['a'], {'a': 1.0}, 'ema')"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
