"""Every public name is on a page of the documentation, under the path that scripts write."""

import doctest
import functools
import importlib
import inspect
import re
from pathlib import Path

import pytest

import pinn_ext
from tests.project.test_public_paths import PATHS

DOCS = Path(__file__).resolve().parents[2] / "docs"
DIRECTIVE = re.compile(
    r"^\.\. auto(?P<kind>\w+):: (?P<path>[\w.]+)\n(?P<options>(?: +:.*\n)*)", re.MULTILINE
)
PARSER = doctest.DocTestParser()
API = (DOCS / "api.md").read_text("utf-8")
SAID = set(re.findall(r"`([A-Za-z_]\w*)`", API))
# Former places, whose names stand under their present one.
FORMER = (
    *("pinn_ext.aggregators", "pinn_ext.dde.tensorboard"),
    *("solvers.semidiscrete", "solvers.stability", "solvers.tableaus"),
)
MODULES = [
    *(path for path in PATHS if path not in FORMER),
    *("pinn_ext.datasets.families", "pinn_ext.datasets.meshes", "pinn_ext.references"),
    *("pinn_ext.datasets.reference_files", "pinn_ext.dde.slabs", "solvers.quasi_newton"),
]


def documented():
    """Return path by identity of all that the pages' directives show."""
    return {id(value): path for path, value, _ in directives()}


def directives():
    """Yield (path, object, options) of all that the pages' directives show."""
    for page in DOCS.rglob("*.md"):
        if "_build" in page.relative_to(DOCS).parts:
            continue
        for shown in DIRECTIVE.finditer(page.read_text("utf-8")):
            path, options = shown["path"], said_in(shown["options"])
            home, _, name = path.rpartition(".")
            if shown["kind"] != "module":
                yield path, getattr(importlib.import_module(home), name), options
                continue
            module = importlib.import_module(path)
            for member in names_in(module):
                if member not in options.get("exclude-members", ()):
                    # What is named is a part of the module, not of a class in it.
                    yield f"{path}.{member}", getattr(module, member), {**options, "members": []}


def said_in(options):
    """Return the words of each option of a directive."""
    return {
        name: [word.strip() for word in words.split(",") if word.strip()]
        for name, words in re.findall(r":([\w-]+):(.*)", options)
    }


def names_in(module):
    """Return the public names of a module, as autodoc finds them."""
    own = (name for name, value in vars(module).items() if is_code(value, module.__name__))
    return getattr(module, "__all__", None) or [name for name in own if name[0] != "_"]


def is_code(value, home=None):
    """Return whether a value is a class or function, of a module if one is named."""
    found = inspect.isclass(value) or inspect.isfunction(value)
    return found and home in (None, value.__module__)


@pytest.fixture(scope="module")
def shown():
    return documented()


@pytest.mark.parametrize("path", MODULES)
def test_every_public_name_of_a_module_is_on_a_page(path, shown):
    module = importlib.import_module(path)
    lost = []
    for name in {*PATHS.get(path, ()), *getattr(module, "__all__", ())} - {"MARKER"}:
        value = getattr(module, name)
        if id(value) not in shown and (is_code(value) or name not in SAID):
            lost.append(name)
        if is_code(value) and not inspect.getdoc(value):
            lost.append(f"{name} (without a docstring)")
    assert lost == []


ELSEWHERE = {
    "pinn_ext.PinaWeighting": ("PinaWeighting(", "docs/ecosystem.md"),
    "pinn_ext.AdaptiveWeights.to_dataframe": (
        ".to_dataframe()",
        "examples/notebooks/deepxde_adaptive_then_second_order.ipynb",
    ),
}
"""Names that only a package beside ours can show: the call, and the file that is run with it."""


def examples_of(value):
    """Return the code of the examples in a docstring that doctest runs, none that it skips."""
    examples = PARSER.get_examples(value.__doc__ or "")
    return "".join(each.source for each in examples if not each.options.get(doctest.SKIP))


def function_of(member):
    """Return what holds the docstring of a method or property, None of anything else."""
    if isinstance(member, (classmethod, staticmethod)):
        member = member.__func__
    if isinstance(member, (property, functools.cached_property)):
        member = getattr(member, "fget", None) or member.func
    return member if inspect.isfunction(member) else None


def members_on_a_page(options, cls):
    """Yield the names that autodoc shows of a class under the options of a directive."""
    if "members" not in options:
        return
    yield from options["members"]
    bases = inspect.getmro(cls) if "inherited-members" in options else [cls]
    for base in [] if options["members"] else bases:
        if base.__name__ in options.get("inherited-members", ()):
            return
        for name in vars(base):
            if name[0] != "_" and name not in options.get("exclude-members", ()):
                yield name


def test_every_class_and_function_on_the_pages_has_an_example():
    """In its own docstring, where doctest runs it."""
    for call, file in ELSEWHERE.values():
        assert call in (DOCS.parent / file).read_text("utf-8")
    shown = {path: value for path, value, _ in directives() if is_code(value)}
    lost = [path for path, value in shown.items() if not examples_of(value)]
    assert set(lost) <= set(ELSEWHERE)


def test_every_method_and_property_on_the_pages_has_an_example():
    """It is used, or written as a user would, in the docstrings of its class."""
    lost = []
    for path, cls, options in directives():
        if not inspect.isclass(cls):
            continue
        names = dict.fromkeys(members_on_a_page(options, cls))
        functions = {name: function_of(inspect.getattr_static(cls, name)) for name in names}
        code = "".join(examples_of(part) for part in (*inspect.getmro(cls), *functions.values()))
        for name, function in functions.items():
            # `forward` is the call of a module, which its example makes.
            is_told = function is not None and function.__doc__ and name != "forward"
            if is_told and not re.search(rf"(\.|\bdef ){name}\b", code):
                lost.append(f"{path}.{name}")
    assert [name for name in lost if not name.startswith(tuple(ELSEWHERE))] == []


def test_names_of_the_package_stand_under_its_own_name(shown):
    for name in set(pinn_ext.__all__) - {"strategies", "systems"}:
        assert shown[id(getattr(pinn_ext, name))] == f"pinn_ext.{name}"
        assert name in SAID


def test_what_start_pages_use_is_shown():
    options = {found["path"]: found["options"] for found in DIRECTIVE.finditer(API)}
    callback, weights = options["pinn_ext.AdaptiveWeights"], options["pinn_ext.AdaptiveLossWeights"]
    for name in ("manager", "events", "verdict", "restore_best", "write_events", "state_dict"):
        assert re.search(rf"\b{name}\b", callback), name
    for name in ("update", "get_weight", "get_weights", "state_dict", "load_state_dict"):
        assert re.search(rf"\b{name}\b", weights), name
    told = inspect.getdoc(pinn_ext.AdaptiveWeights)
    for name in ("history", "best", "events", "stopped", "gradient_history"):
        assert f"\n    {name}: " in told and name in SAID | {"events"}, name


def test_members_that_are_named_are_there():
    for found in DIRECTIVE.finditer(API):
        named = re.search(r":members: (.+)", found["options"])
        if named:
            home, _, name = found["path"].rpartition(".")
            is_module = found["kind"] == "module"
            owner = importlib.import_module(found["path"] if is_module else home)
            owner = owner if is_module else getattr(owner, name)
            assert all(hasattr(owner, member) for member in named[1].split(", ")), found["path"]


def test_nothing_internal_is_shown():
    """Hooks that DeepXDE calls, former names, and private ones; a default would show all."""
    assert (
        '"members"'
        not in re.search(
            r"^autodoc_default_options = .*", (DOCS / "conf.py").read_text("utf-8"), re.MULTILINE
        )[0]
    )
    barred = r"\b(on_(train|epoch|batch)_\w+|take_lines|from_settings|settle|MARKER|_\w+)\b"
    for found in DIRECTIVE.finditer(API):
        named = re.search(r" :members: (.+)", found["options"])
        assert not re.search(barred, named[1] if named else ""), found["path"]
        assert "._" not in found["path"]
        own = {"pinn_ext.LayerNorm", "pinn_ext.BatchNorm"}  # all they have is torch's
        if found["kind"] in ("module", "class") and found["path"] not in own:
            assert " :members:" in found["options"], found["path"]
