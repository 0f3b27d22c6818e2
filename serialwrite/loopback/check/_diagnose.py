"""Finds the one cause of many faults: newline translation, removed XON/XOFF, a stripped bit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from serialwrite.loopback._faults import Diagnosis
from serialwrite.loopback.check._ledger import TALLIED_SIZE, Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serialwrite.loopback.check._align import Read

_SHARE_MIN: Final = 0.9
"""The share of its opportunities that a cause must have taken; other faults may hide a few."""

_CHANGED: Final = {
    (0x0D, 0x0A): (
        "newline translation",
        "every CR (0x0d) arrives as LF (0x0a), as the terminal flag ICRNL does",
    ),
    (0x0A, 0x0D): (
        "newline translation",
        "every LF (0x0a) arrives as CR (0x0d), as the terminal flag INLCR does",
    ),
}
_MISSING: Final = {
    0x11: ("XON eaten", "every XON (0x11) is missing: software flow control is on somewhere"),
    0x13: ("XOFF eaten", "every XOFF (0x13) is missing: software flow control is on somewhere"),
    0x0D: ("newline translation", "every CR (0x0d) is missing, as the terminal flag IGNCR does"),
}
_ADDED: Final = {
    (0x0D, 0x0A): ("newline translation", "every LF (0x0a) arrives as CR LF (0d 0a), as the flag ONLCR does"),
}
_DOUBLED: Final = {0xFF: ("marked bytes", "every 0xff arrives twice, as the terminal flag PARMRK does")}


def diagnose(ledger: Ledger, read: Read, expected: int) -> tuple[Diagnosis, ...]:
    """Return the causes that explain what ``ledger`` tallied in the first ``expected`` bytes of the stream."""
    values = _Values(read, min(expected, TALLIED_SIZE))
    # a bit explains all the values it changes, so it comes first
    for causes in (_by_bit(ledger.changed, values), _by_value(ledger, values)):
        found = [cause for cause in causes if cause.occurrences >= max(2, _SHARE_MIN * cause.opportunities)]
        if found:
            return tuple(found)
    return ()


class _Values:
    """How often each byte value was sent; counted only when it is used."""

    def __init__(self, read: Read, size: int) -> None:
        self._read, self._size = read, size
        self._counts: Counter[int] | None = None

    def __getitem__(self, value: int) -> int:
        if self._counts is None:
            self._counts = Counter()
            for at in range(0, self._size, 1 << 16):
                self._counts.update(self._read(at, min(1 << 16, self._size - at)))
        return self._counts[value]


def _by_value(ledger: Ledger, values: _Values) -> Iterator[Diagnosis]:
    for (want, got), n in ledger.changed.most_common(4):
        name, text = _CHANGED.get((want, got), ("byte replaced", f"every 0x{want:02x} arrives as 0x{got:02x}"))
        yield Diagnosis(name, text, n, values[want])
    for want, n in ledger.missing.most_common(4):
        name, text = _MISSING.get(want, ("byte eaten", f"every 0x{want:02x} is missing"))
        yield Diagnosis(name, text, n, values[want])
    for want, n in ledger.doubled.most_common(4):
        name, text = _DOUBLED.get(want, ("byte doubled", f"every 0x{want:02x} arrives twice"))
        yield Diagnosis(name, text, n, values[want])
    for (got, want), n in ledger.added.most_common(4):
        text = f"0x{got:02x} comes before every 0x{want:02x}"
        name, text = _ADDED.get((got, want), ("byte added", text))
        yield Diagnosis(name, text, n, values[want])


def _by_bit(changed: Counter[tuple[int, int]], values: _Values) -> Iterator[Diagnosis]:
    flips = {want ^ got for want, got in changed}
    total = changed.total()
    if len(flips) != 1 or len(changed) < 8:  # one changed value is described better by the value
        return
    (flip,) = flips
    if flip == 0xFF:
        yield Diagnosis("inverted", "every bit arrives inverted", total, sum(values[v] for v in range(256)))
    if flip.bit_count() != 1:
        return
    bit = flip.bit_length() - 1
    arrived = {got >> bit & 1 for _, got in changed}
    if len(arrived) == 1:
        (level,) = arrived
        chances = sum(values[v] for v in range(256) if v >> bit & 1 != level)
        name = "seven bits" if flip == 0x80 and not level else "stuck bit"
        cause = ": the line carries 7 data bits" if name == "seven bits" else ""
        yield Diagnosis(name, f"bit {bit} always arrives as {level}{cause}", total, chances)
    parities = {got.bit_count() & 1 for _, got in changed}
    if flip == 0x80 and len(arrived) == 2 and len(parities) == 1:
        (parity,) = parities
        chances = sum(values[v] for v in range(256) if v.bit_count() & 1 != parity)
        text = f"bit 7 arrives as {'odd' if parity else 'even'} parity: one end has 7 data bits and parity"
        yield Diagnosis("parity for a bit", text, total, chances)
