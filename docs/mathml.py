"""A Sphinx extension: formulas become MathML when the pages are built.

Browsers show MathML by themselves, so that the pages need no script from another machine, no
network, and have their formulas where they are printed or searched. latex2mathml translates; what
browsers space otherwise than TeX is put right here.
"""

from __future__ import annotations

import html
import re
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from docutils import nodes
from latex2mathml.converter import convert_to_element
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

LOGGER = logging.getLogger(__name__)
NARROW = "0.167em"  # TeX's thin space
BARS = ("|", "\N{DOUBLE VERTICAL LINE}")
SIGNS = ("+", "\N{MINUS SIGN}")
OPENING = ("(", "[", "{", "prefix")
CLOSING = (")", "]", "}", "postfix")
BRACES = re.compile(r"\\[{}]")  # those that are signs


class FormulaError(ValueError):
    """A formula that cannot be translated; the sentence holds it."""


def mathml(formula: str, block: bool = False) -> str:
    """Return a formula as MathML.

    Args:
        formula: in TeX, without dollars.
        block: whether it stands in a line of its own.

    Returns:
        One element `math`, with the formula's TeX as the text for readers that show none.

    Raises:
        FormulaError: if a command is not known, or a brace is missing.

    >>> mathml("a = 1").partition("<mrow>")[2]
    '<mi>a</mi><mo>=</mo><mn>1</mn></mrow></math>'
    """
    if BRACES.sub("", formula).count("{") != BRACES.sub("", formula).count("}"):
        raise FormulaError(f"Formula {formula!r} needs as many closing braces as opening ones.")
    try:
        root = convert_to_element(formula, display="block" if block else "inline")
    except Exception as error:  # latex2mathml has a class for each mistake, and some of Python's
        raise FormulaError(f"Formula {formula!r} cannot be translated: {error!r}") from error
    elements = list(root.iter())
    for element in elements:
        element.text = html.unescape(element.text or "")  # it writes signs as entities
        if "\\" in element.text:
            raise FormulaError(f"Formula {formula!r} has {element.text}, which is not known.")
    root.set("alttext", formula)
    for element in elements:
        _join_letters(element)
    _pair_bars(root)
    for element in elements:
        _space(element)
    return tostring(root, encoding="unicode")


def _join_letters(element: Element) -> None:
    """Make one upright word of letters that stand upright one by one, as "mean" does."""
    letters = list(element)
    upright = [child.tag == "mi" and child.get("mathvariant") == "normal" for child in letters]
    if element.tag == "mrow" and len(letters) > 1 and all(upright):
        word = "".join(child.text or "" for child in letters)
        for child in letters:
            element.remove(child)
        SubElement(element, "mi").text = word


def _pair_bars(root: Element) -> None:
    """Say of each bar whether it opens or closes: browsers take it for a relation otherwise."""
    for sign in BARS:
        bars = [e for e in root.iter("mo") if e.text == sign and "form" not in e.attrib]
        for place, bar in enumerate(bars):
            bar.set("form", "postfix" if place % 2 else "prefix")
            bar.set("fence", "true")


def _core(element: Element) -> Element:
    """Return what an index or an exponent is attached to."""
    while element.tag in ("msub", "msup", "msubsup", "munder", "mrow") and len(element) > 0:
        element = element[0]
    return element


def _is_word(element: Element) -> bool:
    text = element.text or ""
    return element.tag in ("mi", "mo") and len(text) > 1 and text.isalpha()


def _space(element: Element) -> None:
    """Set words such as cos apart by thin spaces, and signs such as that of -1 by none."""
    before: Element | None = None
    for place, child in reversed(list(enumerate(element))):
        following = before
        before = _core(child)
        if element.tag != "mrow" or not _is_word(before):
            continue
        if before.tag == "mo":
            before.set("lspace", NARROW if place else "0")
            before.set("rspace", "0")
        opened = following is not None and following.text in OPENING
        if following is not None and following.tag not in ("mspace", "mo") and not opened:
            element.insert(place + 1, Element("mspace", width=NARROW))
    for left, right in zip([None, *element], element, strict=False):
        if right.tag == "mo" and right.text in SIGNS and left is not None and left.tag == "mo":
            closed = left.text in CLOSING or left.get("form") in CLOSING
            if not closed:
                right.set("form", "prefix")


def _translated(node: nodes.Element, block: bool) -> str:
    try:
        return mathml(node.astext(), block)
    except FormulaError as error:
        LOGGER.warning("%s", error, location=node, type="mathml")
        return f"<code>{html.escape(node.astext())}</code>"


def visit_inline(translator: Any, node: nodes.math) -> None:
    """Write a formula in a line."""
    translator.body.append(f'<span class="math">{_translated(node, False)}</span>')
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:
    """Write a formula in a line of its own, with its number if it has one."""
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    if node.get("number"):
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})</span>')
    translator.body.append(f"{_translated(node, True)}</div>\n")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, Any]:
    """Register the translation under the name that `conf.py` chooses."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
