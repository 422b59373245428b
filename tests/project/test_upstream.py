"""The page of what was found in outside software names each script of findings/, and no other."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "upstream.md").read_text("utf-8")


def test_each_script_is_named_once_and_is_there():
    named = re.findall(r"`(\w+\.sh)`", PAGE)
    assert sorted(named) == sorted(path.name for path in (ROOT / "findings").glob("*.sh"))


def test_each_row_has_a_state_and_each_section_a_version():
    rows = [line for line in PAGE.splitlines() if re.match(r"\| (?!What is seen)[^-]", line)]
    assert len(rows) > 40
    states = [re.sub(r" `\w+\.sh`|: [\d, ]+", "", row.split(" | ")[1]) for row in rows]
    assert set(states) == {"script", "known", "wishes", "not reported"}
    for title in re.findall(r"^## (.+)$", PAGE, re.MULTILINE):
        assert re.search(r"\d\.\d", title) or title == "Others"


def test_versions_are_those_that_the_scripts_install():
    pinned = {}
    for script in (ROOT / "findings").glob("*.sh"):
        pinned.update(re.findall(r"\b([a-z][\w-]+)==([\d.]+)", script.read_text("utf-8")))
    for name, package in (("DeepXDE", "deepxde"), ("torch-geometric", "torch-geometric")):
        assert f"{name} {pinned[package]}" in PAGE
    for name in ("torchdiffeq", "py-pde", "meshio", "scikit-fem"):
        assert f"{name} {pinned[name]}" in PAGE, name
