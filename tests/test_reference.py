"""The reference has every public name, and no page is orphaned (``make docs`` refuses broken links)."""

import re
from pathlib import Path

import pytest

import serialwrite
import serialwrite.testing

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {page: page.read_text() for page in DOCS.rglob("*.md")}
# Values and aliases, which have no docstring of their own: a page names them in its words.
VALUES = {"deferred", "detached", "use_awaitable", "use_future", "use_promise", "inline_executor"}
ALIASES = {"Completion", "CompletionCondition"}


@pytest.mark.parametrize("name", sorted(name for name in vars(serialwrite) if not name.startswith("_")))
def test_every_public_name_is_on_a_reference_page(name):
    if type(getattr(serialwrite, name)).__name__ == "module":
        return
    reference = "\n".join(text for page, text in PAGES.items() if page.parent.name == "reference")
    source = (DOCS.parent / "serialwrite" / "_tokens.py").read_text() if name in VALUES else ""
    pattern = rf"\b{name}\b" if name in VALUES | ALIASES else rf"auto(function|class|exception):: {name}$"
    assert re.search(pattern, reference + source, re.MULTILINE), f"{name} is on no reference page"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_page_can_be_found(page):
    here = page.relative_to(DOCS).with_suffix("")
    assert str(here) == "index" or re.search(rf"^{here}$", PAGES[DOCS / "index.md"], re.MULTILINE)


def test_every_example_is_on_a_page():
    text = "\n".join(PAGES.values())
    for example in (DOCS / "examples").glob("*.py"):
        assert f"examples/{example.name}" in text, f"{example.name} is on no page"
