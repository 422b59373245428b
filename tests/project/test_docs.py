"""The Python blocks of README.md and the pages in docs/ run, file by file, from top to bottom."""

import re
import textwrap
from pathlib import Path

import pytest

from tests.lengths import quick_are

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>`{3,})(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=indent)(?P=ticks) *$",
    re.MULTILINE | re.DOTALL,
)


def runnable(text):
    """Return the blocks marked exactly `python` as one script that keeps the line numbers."""
    lines = []
    for block in FENCE.finditer(text):
        if block["info"].split() == ["python"]:
            start = text.count("\n", 0, block.start("body"))
            lines += [""] * (start - len(lines))
            lines += textwrap.dedent(block["body"]).splitlines()
    return "\n".join(lines) + "\n" if lines else ""


DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *(page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.relative_to(DOCS).parts),
]
WITH_CODE = [page for page in PAGES if page.exists() and runnable(page.read_text("utf-8"))]


def test_blocks_are_joined_on_their_own_lines_and_others_are_left_out():
    text = (
        "# Title\n```python\na = 1\n```\ntext\n```python no-run\n1 / 0\n```\n"
        "```bash\nmake\n```\n- item\n\n  ```python\n  assert a == 1\n  ```\n"
    )
    script = runnable(text)
    assert script.split("\n")[2] == "a = 1"
    assert script.split("\n")[14] == "assert a == 1"
    assert "1 / 0" not in script and "make" not in script
    assert runnable("no code\n") == ""


LONG = ("boundary_loss", "callback", "gauss_newton", "graphs", "predict", "quasi_newton")
"""Pages whose code trains for longer than some seconds."""


@pytest.mark.parametrize(
    "page",
    quick_are([page for page in WITH_CODE if page.stem not in LONG], WITH_CODE),
    ids=lambda page: page.name,
)
def test_page_runs(run_script, page, tmp_path):
    script = tmp_path / f"{page.stem}_blocks.py"
    script.write_text(runnable(page.read_text("utf-8")), "utf-8")
    done = run_script(script, folder=tmp_path)
    assert done.returncode == 0, f"{page.name}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
