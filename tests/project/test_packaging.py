"""What pyproject.toml says agrees with the tree, constraints.txt, setup.cfg and the Makefile."""

import ast
import configparser
import re
import sys
from pathlib import Path

import pytest

from pinn_ext import version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]
# Distributions whose import name is another than their own.
IMPORT_NAMES = {
    "hydra-core": "hydra",
    "pillow": "PIL",
    "pina-mathlab": "pina",
    "py-pde": "pde",
    "scikit-fem": "skfem",
}


def distribution(requirement):
    """Return the normalised name that a requirement line starts with."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def packages_in_tree():
    """Return the dotted names of all folders that belong into the wheel."""
    code = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for room in ("pinn_ext", "solvers")
        for file in (ROOT / room).rglob("*.py")
    }
    data = {
        ".".join(("pinn_ext", *file.parent.relative_to(ROOT).parts))
        for file in (ROOT / "configs").rglob("*.yaml")
    }
    return code, data


REQUIREMENTS = [
    *PROJECT["dependencies"],
    *(line for extra in PROJECT["optional-dependencies"].values() for line in extra),
]
CONSTRAINTS = [
    line
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


def test_setup_cfg_holds_no_metadata():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", "utf-8")
    assert parser.sections() == ["flake8"]


def test_direct_dependencies_are_constrained():
    assert set(map(distribution, REQUIREMENTS)) <= set(map(distribution, CONSTRAINTS))


def test_constraints_are_exact_public_versions():
    version = re.compile(r"[\w.-]+==[\w.]+(; python_version (>=|<) \"3\.\d+\")?")
    assert [line for line in CONSTRAINTS if not version.fullmatch(line)] == []


def test_torch_is_not_capped():
    (torch,) = (line for line in PROJECT["dependencies"] if distribution(line) == "torch")
    assert not set("<=~!,") & set(torch.replace(">=", ""))


def test_every_package_of_the_tree_is_listed():
    code, data = packages_in_tree()
    assert code <= set(SETUPTOOLS["packages"])
    assert data <= set(SETUPTOOLS["packages"])


def test_every_listed_package_is_a_folder():
    for name in SETUPTOOLS["packages"]:
        folder = name.removeprefix("pinn_ext.") if name.startswith("pinn_ext.configs") else name
        assert (ROOT / folder.replace(".", "/")).is_dir(), name


def test_every_folder_with_yaml_is_shipped():
    _, data = packages_in_tree()
    shipped = {name for name, globs in SETUPTOOLS["package-data"].items() if "*.yaml" in globs}
    assert data and data <= shipped


def test_configs_hold_only_yaml():
    others = [p for p in (ROOT / "configs").rglob("*") if p.is_file() and p.suffix != ".yaml"]
    assert not others


def test_version_is_a_literal_that_setuptools_can_read():
    tree = ast.parse((ROOT / "pinn_ext" / "version.py").read_text("utf-8"))
    values = [
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and "__version__" in [getattr(target, "id", None) for target in node.targets]
    ]
    assert len(values) == 1 and re.fullmatch(r"\d+\.\d+\.\d+(\.?\w+)?", values[0])


def test_type_hints_are_shipped():
    for package in ("pinn_ext", "solvers"):
        assert (ROOT / package / "py.typed").read_bytes() == b""
        assert "py.typed" in SETUPTOOLS["package-data"][package]


def test_the_citation_is_of_this_version():
    lines = (ROOT / "CITATION.cff").read_text("utf-8").splitlines()
    entries = dict(line.split(": ", 1) for line in lines if ": " in line)
    assert entries["version"] == version.__version__ and entries["license"] == PROJECT["license"]
    assert entries["title"] == f'"pinn_ext: {lowered(PROJECT["description"])}"'
    assert [line[4:] for line in lines if line.startswith("  - ")][1:] == PROJECT["keywords"]
    assert f"  - name: {PROJECT['authors'][0]['name']}" in lines


def lowered(text):
    return text[0].lower() + text[1:]


def test_third_party_imports_are_declared():
    declared = {
        IMPORT_NAMES.get(name, name.replace("-", "_")) for name in map(distribution, REQUIREMENTS)
    }
    known = declared | set(sys.stdlib_module_names) | {"pinn_ext", "solvers"}
    for room in ("pinn_ext", "solvers"):
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    names = [node.module]
                else:
                    continue
                unknown = {name.split(".")[0] for name in names} - known
                assert not unknown, f"{file.relative_to(ROOT)}:{node.lineno} imports {unknown}"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_make_targets_named_in_the_documents_exist(page):
    text = (ROOT / page).read_text("utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*)(?=[a-z -]*:(?!=))", makefile(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^|\$ )make ((?!PYTHON)[a-z][a-z-]*)", text, re.MULTILINE))
    assert named <= targets, f"{page} names targets that the Makefile lacks"
    assert {"train", "test", "test-all", "lint", "docs", "wheel-check", "clean"} <= targets


def makefile():
    return (ROOT / "Makefile").read_text("utf-8")
