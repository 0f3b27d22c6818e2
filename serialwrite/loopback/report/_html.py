"""Owns making HTML out of text that nobody vouches for: whatever isn't Html already is escaped."""

from __future__ import annotations

import html
from typing import Final

from serialwrite.loopback.report._words import printable

_VOID: Final = frozenset({"meta", "br", "line", "rect", "path", "hr"})


class Html(str):
    """Markup that is safe to put in a page; only this module's functions should make it."""

    __slots__ = ()


def text(value: object) -> Html:
    """Return a value as text: control and bidirectional characters shown, markup escaped."""
    return value if isinstance(value, Html) else Html(html.escape(printable(str(value))))


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """Return an element; None and False children and attributes are left out, `class_` means class."""
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text("" if value is True else value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{named}>") if name in {"meta", "br", "hr"} else Html(f"<{name}{named}/>")
    return Html(f"<{name}{named}>{join(*children)}</{name}>")


def join(*children: object) -> Html:
    """Return several pieces one after another."""
    return Html("".join(text(child) for child in children if child is not None and child is not False))
