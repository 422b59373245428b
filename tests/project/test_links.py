"""Links of the documentation lead to files and headings that exist, and every page can be reached.

The sources are read, nothing is built: `make docs` finds the same, in minutes. Links to other sites
are followed by `make docs-check`.
"""

import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
DEPTH = 3
"""Headings down to this level have an anchor; `myst_heading_anchors` of docs/conf.py."""

PAGES = [page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts]
TEXTS = [*PAGES, *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG"))]
LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)")
PICTURE = re.compile(r"^ *[`:]{3,}\{(?:image|figure|include)\} (\S+)", re.MULTILINE)
TREE = re.compile(r"^ *```\{toctree\}\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
MENTION = re.compile(r"\bdocs/[\w/]+\.(?:md|py|html|yaml|png|svg)\b(?:#[\w-]+)?")
"""A page that code, comments and settings name by its path."""


def prose(text):
    """Return a page without what stands between fences of backticks, its lines kept."""
    code = re.compile(r"^( *)(`{3,})[^`\n]*\n.*?^\1\2 *$", re.MULTILINE | re.DOTALL)
    return code.sub(lambda found: "\n" * found[0].count("\n"), text)


def slug(title):
    """Return the anchor of a heading: the rule of GitHub, which MyST shares."""
    shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).replace("`", "").replace("*", "")
    return re.sub(r"[^\w\- ]", "", shown.lower().replace(" ", "-"))


def anchors(text, depth=6):
    """Return the anchors of all headings of a page, repeated ones numbered."""
    found = []
    for marks, title in re.findall(r"^(#{1,6}) +(.+?)(?: +#+)?$", prose(text), re.MULTILINE):
        base = slug(title)
        if len(marks) <= depth:
            names = itertools.chain([base], (f"{base}-{again}" for again in itertools.count(1)))
            found.append(next(name for name in names if name not in found))
    return found


def targets(text):
    """Yield (line, target) of each link of a page, and of each picture that it shows."""
    code = re.compile(r"(`+)(?!`).*?\1")  # in a line: `model[0](x)` is no link
    bare = "\n".join(code.sub("", line) for line in prose(text).split("\n"))
    for pattern, source in ((LINK, bare), (PICTURE, text)):
        for found in pattern.finditer(source):
            yield source.count("\n", 0, found.start()) + 1, found[1]


def fault(page, target):
    """Return what is wrong with a link of a page, None if nothing is."""
    if re.match(r"[a-z]+:", target):
        return None  # another site
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists():
        return f"no file {path}"
    if not anchor:
        return None
    depth = DEPTH if DOCS in page.parents else 6
    known = anchors(file.read_text("utf-8"), depth) if file.suffix == ".md" else ()
    return None if anchor in known else f"no heading #{anchor} in {file.name}"


def faults(page):
    """Return a sentence for each link of a page that leads nowhere."""
    found = (
        (line, target, fault(page, target)) for line, target in targets(page.read_text("utf-8"))
    )
    return [f"{page.name}:{line}: {target}: {what}" for line, target, what in found if what]


def test_the_rule_of_anchors():
    text = "# `a.b` and *C*\n## More of `a.b`\n```\n# no heading\n```\n## More of a.b\n"
    assert anchors(text) == ["ab-and-c", "more-of-ab", "more-of-ab-1"]
    assert list(targets("[x](a.md#b), `y[0](z)`\n```python\n[x](c.md)\n```\n")) == [(1, "a.md#b")]
    assert f"myst_heading_anchors = {DEPTH}\n" in (DOCS / "conf.py").read_text("utf-8")


def test_the_rule_of_anchors_is_that_of_myst():
    slugs = pytest.importorskip("myst_parser.slugs")
    for page in PAGES:
        for title in re.findall(r"^#{1,3} +(.+)$", prose(page.read_text("utf-8")), re.MULTILINE):
            if not re.search(r"[`*\[]", title):  # MyST has taken marks away by then
                assert slug(title) == slugs.github_slugify(title)


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    assert faults(page) == []


def test_pages_that_code_names_are_there():
    lost = []
    folders = ("pinn_ext", "solvers", "configs", "examples", "benchmarks", "findings", "docs")
    files = (file for folder in folders for file in sorted((ROOT / folder).rglob("*")))
    for file in files:
        if file.suffix in (".py", ".yaml", ".ipynb", ".html") and "_build" not in file.parts:
            for mention in MENTION.findall(file.read_text("utf-8")):
                if what := fault(ROOT / "README.md", mention):
                    lost.append(f"{file.relative_to(ROOT)}: {mention}: {what}")
    assert lost == []


def test_every_page_is_reached_from_the_first():
    reached, left = set(), [DOCS / "index.md"]
    while left:
        page = left.pop()
        if page in reached:
            continue
        assert page.exists(), page
        reached.add(page)
        for tree in TREE.findall(page.read_text("utf-8")):
            entries = [line.strip() for line in tree.splitlines()]
            left += [page.parent / f"{name}.md" for name in entries if name and name[0] != ":"]
    assert set(PAGES) - reached == set()
