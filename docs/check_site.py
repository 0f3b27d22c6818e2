"""Is the site that was built whole? Every link within it leads somewhere, and the search finds every public name.

``python docs/check_site.py SITE``; ``make docs`` runs it.
"""

import json
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import serialwrite
import serialwrite.loopback
import serialwrite.testing
from serialwrite import pytest_plugin

MODULES = (serialwrite, serialwrite.testing, serialwrite.loopback)


class Page(HTMLParser):
    """What a page links to, and what can be linked to on it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in {"href", "src"} and value:
                self.links.append(value)
            elif name == "id" and value:
                self.anchors.add(value)


def broken_links(site: Path) -> list[str]:
    """Links to files or places that are not there; those to other sites are not followed."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = pages[target].anchors if target in pages else None
            if not target.is_file() or (parts.fragment and there is not None and unquote(parts.fragment) not in there):
                broken.append(f"{path.relative_to(site.resolve())}: {link}")
    return broken


def not_found(site: Path) -> list[str]:
    """Public names, fixtures and options that the search does not know."""
    text = (site / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text[text.index("(") + 1 : text.rindex(")")])
    known = {
        f"{prefix}.{entry[4]}" if prefix else entry[4] for prefix, all_ in index["objects"].items() for entry in all_
    }
    wanted = [
        f"{module.__name__}.{name}"
        for module in MODULES
        for name, value in vars(module).items()
        if name[0] != "_" and not isinstance(value, ModuleType)
    ]
    fixtures = [
        name for name, value in vars(pytest_plugin).items() if type(value).__name__ == "FixtureFunctionDefinition"
    ]
    options = ["serialwrite-write.--idle-timeout", "serialwrite-loopback.--sweep", "pytest.--serial-port"]
    return [name for name in [*wanted, *fixtures, *options] if name not in known]


def main(site: Path) -> int:
    problems = [f"broken link: {link}" for link in broken_links(site)]
    problems += [f"not found by the search: {name}" for name in not_found(site)]
    print(*problems, sep="\n", end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
