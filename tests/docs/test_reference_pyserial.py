"""The table of pyserial's names, on the page about leaving it, is complete, and says what is so."""

import re
from pathlib import Path

import pytest
import serial

import serialwrite as sw
from serialwrite.streams._advice import INSTEAD

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "move-from-pyserial.md"
ROWS = [
    (re.findall(r"`(\w+)`", names), kind)
    for names, kind in re.findall(r"^\| (`\w+`.*?) \| (same|other|not here) \|", PAGE.read_text(), re.MULTILINE)
]
KINDS = {name: kind for names, kind in ROWS for name in names}
PYSERIALS = {name for name in dir(serial.Serial()) if not name.startswith("_")} | {"fd"}  # which it has once it is open


def test_every_name_of_pyserials_is_in_the_table_once():
    listed = [name for names, _ in ROWS for name in names]
    missing = PYSERIALS - set(listed)
    assert (missing, [name for name in listed if listed.count(name) > 1]) == (set(), [])
    assert set(listed) == PYSERIALS


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_name_is_here_or_not_as_the_table_says(name):
    assert hasattr(sw.SerialPort, name) == (KINDS[name] != "not here")
    assert (name in INSTEAD) == (KINDS[name] == "not here"), "the AttributeError says what to write instead"
