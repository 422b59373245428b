"""Limits of the house: files, functions and folders that a reader can take in."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = ("pinn_ext", "solvers", "benchmarks")
LONGEST_FILE = 350
LONGEST_TEST_FILE = 500
LONGEST_FUNCTION = 59  # without its docstring
MOST_FILES = 14
# Function, and why it is one piece; a shorter list is better than a good reason.
LONG_FUNCTIONS = {}
FULL_FOLDERS = {
    "pinn_ext/strategies": "one file a method",
    "pinn_ext/systems": "one file a system",
    "pinn_ext/systems/templates": "one file a problem",
}


def files(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def lengths(source):
    """Yield (name, lines) of every function of a source; signature, but no docstring counted."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0]
            has_docstring = ast.get_docstring(node, clean=False) is not None
            docstring = first.end_lineno - first.lineno + 1 if has_docstring else 0
            yield node.name, node.end_lineno - node.lineno + 1 - docstring


def too_long(folders, most):
    """Return the files of some folders with more lines than that."""
    counts = {name_of(path): path.read_text("utf-8").count("\n") for path in files(*folders)}
    return {name: count for name, count in counts.items() if count > most}


def test_files_are_short():
    assert too_long(CODE, LONGEST_FILE) == {}


def test_test_files_are_short():
    assert too_long(["tests"], LONGEST_TEST_FILE) == {}


def test_functions_are_short_but_those_that_say_why_not():
    long = {
        f"{name_of(path)}:{name}": count
        for path in files(*CODE)
        for name, count in lengths(path.read_text("utf-8"))
        if count > LONGEST_FUNCTION
    }
    assert {name: count for name, count in long.items() if name not in LONG_FUNCTIONS} == {}
    assert set(LONG_FUNCTIONS) <= set(long), "the list names functions that are short by now"
    assert all(LONG_FUNCTIONS.values()), "each needs its reason"


def test_folders_are_small_but_those_of_one_kind():
    folders = {path.parent for path in files("pinn_ext", "solvers")}
    counts = {name_of(folder): len(list(folder.glob("*.py"))) for folder in folders}
    full = {name: count for name, count in counts.items() if count > MOST_FILES}
    assert {name: count for name, count in full.items() if name not in FULL_FOLDERS} == {}
    assert set(FULL_FOLDERS) <= set(full), "the list names folders that are small by now"


@pytest.mark.parametrize("count", [1, 59, 60])
def test_a_function_is_measured_without_its_docstring(count):
    body = "\n".join(["    x = 1"] * (count - 1)) or "    pass"
    text = f'def f():\n    """One.\n\n    Two.\n    """\n{body}\n'
    assert dict(lengths(text)) == {"f": max(count, 2)}


def test_each_package_has_its_tests():
    """In the folder or the file of its name, or in a file whose docstring names it."""
    said = " ".join(
        ast.get_docstring(ast.parse(p.read_text("utf-8"))) or "" for p in files("tests")
    )
    lost = []
    for path in files("pinn_ext", "solvers"):
        package = path.parent.relative_to(ROOT).parts
        if path.name == "__init__.py" and len(package) > 1:
            own = package[1:] if package[0] == "pinn_ext" else package
            folder = ROOT.joinpath("tests", *own)
            here = [*folder.glob("test_*.py"), *folder.parent.glob(f"test_{own[-1]}.py")]
            if not here and f"`{'.'.join(package)}`" not in said:
                lost.append("/".join(package))
    assert lost == []


def test_only_files_of_tests_are_called_so():
    helpers = [p for p in files("tests") if not p.name.startswith("test_")]
    with_tests = [
        name_of(path)
        for path in helpers
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    without = [
        name_of(path)
        for path in files("tests")
        if path not in helpers and "\ndef test_" not in path.read_text("utf-8")
    ]
    assert with_tests == without == []
