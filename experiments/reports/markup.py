"""HTML elements from texts, which are escaped once, here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(tag: str, *content: str, **attributes: str) -> Html:
    """`class_` is written "class"."""
    given = "".join(f' {name.rstrip("_")}="{escape(value)}"' for name, value in attributes.items())
    return Html(f"<{tag}{given}>{join(content)}</{tag}>")


def join(parts: Iterable[str]) -> Html:
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], **attributes: str) -> Html:
    """In a box that can be scrolled sideways, so that a narrow screen keeps its page."""
    top = element("thead", element("tr", *(element("th", cell, scope="col") for cell in head)))
    body = element("tbody", *(element("tr", *(element("td", cell) for cell in row)) for row in rows))
    return element("div", element("table", top, body, **attributes), class_="wide")


def unordered(items: Iterable[str]) -> Html:
    return element("ul", *(element("li", item) for item in items))


def folded(summary: str, *content: str) -> Html:
    """Opens without a script."""
    return element("details", element("summary", summary), *content)
