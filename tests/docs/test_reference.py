"""The reference has every public name, and no page is orphaned (``make docs`` refuses broken links)."""

import re
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

from serialwrite.cli._app import app

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {page: page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md")}
REFERENCE = {page.stem: text for page, text in PAGES.items() if page.parent.name == "reference"}


def public(module):
    names = vars(import_module(module)).items()
    return [(module, name) for name, value in names if name[0] != "_" and not isinstance(value, ModuleType)]


def documented(module):
    """What the reference's directives name, each in the module that is the current one there."""
    names, current = [], None
    for text in REFERENCE.values():
        for directive, name in re.findall(
            r"^ *\.\. (auto(?:function|class|exception)|value|currentmodule):: (\w[\w.]*)(?:\(.*\))?$",
            text,
            re.MULTILINE,
        ):
            if directive == "currentmodule":
                current = name
            elif current == module:
                names.append(name)
    return names


@pytest.mark.parametrize("module", ["serialwrite", "serialwrite.testing", "serialwrite.loopback"])
def test_the_reference_has_every_public_name_once(module):
    assert sorted(documented(module)) == sorted(name for _, name in public(module))


@pytest.mark.parametrize("module", ["serialwrite", "serialwrite.testing", "serialwrite.loopback"])
def test_a_public_name_has_words(module):
    values = {name: getattr(import_module(module), name) for _, name in public(module)}
    assert [
        name
        for name, value in values.items()  # of a value, the page itself has the words
        if isinstance(value, (type, FunctionType)) and not (value.__doc__ or "").strip()
    ] == []


def test_every_command_is_there():
    commands = [command.name or command.callback.__name__ for command in app.registered_commands]
    assert re.findall(r"^\.\. command:: (\w+)$", REFERENCE["cli"], re.MULTILINE) == commands


def test_every_page_can_be_found():
    pages = {str(page.relative_to(DOCS).with_suffix("")) for page in PAGES}
    assert pages - set(PAGES[DOCS / "index.md"].splitlines()) == {"index"}


def test_every_example_is_on_a_page():
    text = "\n".join(PAGES.values())
    for example in (DOCS / "examples").glob("*.py"):
        assert f"examples/{example.name}" in text, f"{example.name} is on no page"
