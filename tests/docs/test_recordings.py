"""The terminal sessions that the documentation shows are what the commands print today, but for the figures."""

import html
import importlib.util
import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def module(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


record = module("record")


def shown(name):
    return (DOCS / "_static" / f"session-{name}.svg").read_text(encoding="utf-8")


def lines(drawn):
    """The text of a picture, line by line, with every figure as 9."""
    found = {}
    for y, text in re.findall(r'<text class="session-\w+-r\d+" [^>]*?y="([\d.]+)"[^>]*>([^<]*)</text>', drawn):
        found[y] = found.get(y, "") + html.unescape(text).replace("\xa0", " ")
    return [re.sub(r"\b[0-9a-f]{64}\b|[\d,.]*\d", "9", line) for line in found.values()]


def test_the_demo_prints_what_is_shown():
    def words(drawn):
        return [re.sub(r"[█░]+", "█", line) for line in lines(drawn)]

    assert words(shown("demo")) == words(record.record("demo")), "make recordings"


def test_the_loopback_test_prints_what_is_shown():
    def rows(drawn):
        """The names of the rows: what is in them hangs on how busy the machine is, and so does how lines break."""
        return [line.split("  ")[0] for line in lines(drawn) if line.strip() and line[0] != " "]

    assert len(rows(shown("loopback"))) > 20
    assert rows(shown("loopback")) == rows(record.record("loopback")), "make recordings"


def test_a_command_that_fails_is_not_recorded(monkeypatch):
    monkeypatch.setitem(record.SESSIONS, "wrong", f"{sys.executable} -m serialwrite nonsense")
    with pytest.raises(SystemExit, match="ended with 2"):
        record.record("wrong")
