"""The table of peers can't rot: our own row is made anew, and the README's has the libraries that are looked at."""

import re

import pytest

from tests.benchmarks.stalled.__main__ import BEGIN, END, HEAD, README
from tests.benchmarks.stalled.findings import look_at
from tests.benchmarks.stalled.libraries import LIBRARIES, OURS, by_name


def rows() -> list[list[str]]:
    table = README.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    return [[cell.strip(" *") for cell in row.split("|")[1:-1]] for row in re.findall(r"^\|.*\|$", table, re.MULTILINE)]


def test_the_readme_has_the_whole_table() -> None:
    head, _, *rest = rows()
    assert head == HEAD
    assert [row[0] for row in rest] == [library.name for library in LIBRARIES]


@pytest.mark.time_limit(240)
def test_our_row_is_what_happens() -> None:
    found = [value.strip("*") for value in vars(look_at(by_name(OURS))).values()]
    assert found == rows()[-1]


@pytest.mark.time_limit(240)
def test_bytes_that_go_out_late_are_seen() -> None:
    found = look_at(by_name("pyserial-asyncio"))
    assert found.reported == "none"
    assert int(found.later.replace(",", "")) > 100_000


def test_it_is_on_a_page() -> None:
    page = README.parent / "docs" / "explanation" / "why.md"
    assert f":start-after: {BEGIN.strip()}" in page.read_text(encoding="utf-8")
