"""A letter's HTML: to plain text (quotes keep their ">" marks), and made safe to show."""

from __future__ import annotations

import re
from html import unescape

import nh3
from selectolax.lexbor import LexborHTMLParser, LexborNode

from adapters.mail.charset import clean

LONGEST = 2_000_000  # characters of HTML looked at
DEEPEST = 1_000  # elements inside one another

_SKIP = frozenset({"script", "style", "head", "title", "template", "noscript", "svg", "object", "_comment", "!doctype"})
_BLOCK_TAGS = """p div li ul ol tr table h1 h2 h3 h4 h5 h6 section article header footer pre hr dl dt dd form center body
address fieldset"""
_BLOCK = frozenset(_BLOCK_TAGS.split())
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]{0,30})")
# Elements that do not nest: void ones, and those whose end is implied by the next.
_FLAT = frozenset(
    {
        "p",
        "li",
        "td",
        "th",
        "tr",
        "tbody",
        "thead",
        "tfoot",
        "dt",
        "dd",
        "option",
        "html",
        "head",
        "body",
        "meta",
        "link",
    }
    | {"br", "img", "hr", "input", "col", "area", "base", "wbr", "source", "embed", "param", "track"}
)
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
_Step = tuple[LexborNode, bool]  # a node, and whether its children are done


def to_text(html: str) -> str:
    """The readable text; lines inside <blockquote> begin with "> ". An own stack: nesting depth is the sender's choice."""
    if too_deep(html):
        return clean(unescape(re.sub(r"<[^<>]*>", " ", html[:LONGEST]))).strip()
    root = LexborHTMLParser(html[:LONGEST]).body
    if root is None:
        return ""
    out = _Lines()
    stack: list[_Step] = [(root, False)]
    while stack:
        node, done = stack.pop()
        tag = node.tag or ""
        if done:
            _leave(out, tag)
        elif tag == "-text":
            out.write(node.text_content or "")
        elif tag not in _SKIP and not _HIDDEN.search(node.attributes.get("style") or ""):
            _enter(out, tag)
            stack.append((node, True))
            stack.extend((child, False) for child in _children(node))
    return out.text()


def too_deep(html: str) -> bool:
    """Nested so deep that parsers, whose time grows with the square of the depth, would be busy for minutes: an attack."""
    depth = 0
    for match in _TAG.finditer(html, 0, LONGEST):
        if match[2].lower() not in _FLAT:
            depth = max(depth - 1, 0) if match[1] else depth + 1
            if depth > DEEPEST:
                return True
    return False


def _children(node: LexborNode) -> list[LexborNode]:
    """Last first, as a stack takes them."""
    found: list[LexborNode] = []
    child = node.last_child
    while child is not None:
        found.append(child)
        child = child.prev
    return found


def _enter(out: _Lines, tag: str) -> None:
    if tag == "br":
        out.end_line(keep_empty=True)
    elif tag == "blockquote":
        out.end_line()
        out.depth += 1
    elif tag == "pre":
        out.end_line()
        out.pre += 1
    elif tag in _BLOCK:
        out.end_line()
        if tag == "li":
            out.write("- ")
    elif tag in ("td", "th"):
        out.write(" ")


def _leave(out: _Lines, tag: str) -> None:
    if tag == "blockquote":
        out.end_line()
        out.depth -= 1
    elif tag in _BLOCK:
        out.end_line()
        if tag == "pre":
            out.pre -= 1
        if tag == "p":
            out.end_line(keep_empty=True)


class _Lines:
    def __init__(self) -> None:
        self.depth = 0  # of quotes
        self.pre = 0  # inside <pre>, where line ends count
        self._lines: list[str] = []
        self._line: list[str] = []

    def write(self, text: str) -> None:
        if not self.pre:
            self._line.append(text)
            return
        first, *rest = text.splitlines() or [""]
        self._line.append(first)
        for line in rest:
            self.end_line(keep_empty=True)
            self._line.append(line)

    def end_line(self, keep_empty: bool = False) -> None:
        line = " ".join("".join(self._line).split())  # white space of HTML, no-break spaces too
        self._line.clear()
        if line or keep_empty:
            self._lines.append(("> " * min(self.depth, 9) + line).rstrip() if self.depth else line)

    def text(self) -> str:
        self.end_line()
        return re.sub(r"\n{3,}", "\n\n", clean("\n".join(self._lines))).strip()


def safe(html: str) -> str:
    """HTML that can be shown: no script, no style, no form, and no image at all (a remote one tells the sender who
    reads). "" for an attack."""
    if too_deep(html):
        return ""
    tags = nh3.ALLOWED_TAGS - {"img", "map", "area"}
    return nh3.clean(clean(html[:LONGEST]), tags=tags, url_schemes={"http", "https", "mailto", "tel"})
