"""Formulas of the pages become MathML, so that they are shown without a network."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("latex2mathml", reason="the extra docs is not installed")
dollarmath = pytest.importorskip("mdit_py_plugins.dollarmath")
from markdown_it import MarkdownIt  # noqa: E402
from mathml import FormulaError, mathml  # noqa: E402

DOCS = Path(__file__).resolve().parents[2] / "docs"
NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"


def formulas(text):
    """Yield (formula, whether it is a block) as the pages' own reader of Markdown finds them."""
    reader = MarkdownIt("commonmark").enable("table").use(dollarmath.dollarmath_plugin)
    tokens = reader.parse(text)
    for token in [*tokens, *(child for parent in tokens for child in parent.children or [])]:
        if token.type.startswith("math"):
            yield token.content, token.type.startswith("math_block")


FOUND = [
    (page.relative_to(DOCS).as_posix(), *formula)
    for page in sorted(DOCS.rglob("*.md"))
    if "_build" not in page.parts
    for formula in formulas(page.read_text("utf-8"))
]


def test_every_formula_of_the_pages_is_translated():
    wrong = []
    for page, formula, block in FOUND:
        try:
            root = ElementTree.fromstring(mathml(formula, block))
        except (FormulaError, ElementTree.ParseError) as error:
            wrong.append(f"{page}: {error}")
            continue
        assert root.tag == f"{NAMESPACE}math" and root.get("alttext") == formula
    assert wrong == [] and len(FOUND) > 300


def test_no_page_has_a_formula_that_the_reader_has_not_found():
    """A `$$` or `\\(` that stays is shown as it is written."""
    fence = re.compile(r"^( *)(`{3,}).*?^\1\2 *$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
    for page in sorted(DOCS.glob("*.md")):
        text = fence.sub("", page.read_text("utf-8"))
        for formula, _ in formulas(text):
            text = text.replace(formula, "")
        assert not re.search(r"\\(frac|sum|mathrm|begin)\b", text), page.name


def tags(formula):
    return [e.tag.removeprefix(NAMESPACE) for e in ElementTree.fromstring(mathml(formula)).iter()]


def test_words_bars_and_signs_are_spaced_as_tex_does():
    assert tags(r"\cos x") == ["math", "mrow", "mi", "mspace", "mi"]
    assert "mspace" not in tags(r"\cos (x)")
    assert "<mi>mean</mi>" in mathml(r"\mathrm{mean} f")
    minus = '<mo form="prefix">\N{MINUS SIGN}</mo>'
    assert minus in mathml("a = -b") and minus not in mathml("(a) - b")
    forms = re.findall(r'form="(\w+)"', mathml(r"\lvert a \rvert + \lVert b \rVert_2"))
    assert forms == ["prefix", "postfix"] * 2


@pytest.mark.parametrize("formula", [r"\nosuchcommand x", r"\frac{a", "a}", r"\left( x", ""])
def test_what_cannot_be_translated_is_said(formula):
    with pytest.raises(FormulaError, match=r"^Formula '"):
        mathml(formula)


def test_signs_of_markup_are_escaped():
    assert "<mo>&lt;</mo>" in mathml("a < b") and 'alttext="a &lt; b"' in mathml("a < b")
