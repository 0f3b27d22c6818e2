"""Translations that terminals and wrong settings make of bytes, and the search for one that explains many faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from serialwrite.loopback.check._align import common_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

Piece = tuple[Literal["keep", "lose", "add"], int]


@dataclass(frozen=True, slots=True)
class Discipline:
    """Replaces bytes by a table, or swallows some, or puts one before some, or sends some twice."""

    table: bytes = b""
    swallows: bytes = b""
    before: tuple[int, int] | None = None
    """(added, value): the byte ``added`` comes before every byte ``value``."""
    doubles: int | None = None

    def touches(self, value: int) -> bool:
        """Whether a byte of this value arrives differently."""
        if self.table:
            return self.table[value] != value
        if self.before is not None:
            return value == self.before[1]
        return value == self.doubles or value in self.swallows

    def begins(self, previous: int | None, value: int) -> bool:
        """Whether the first difference can be between these two bytes (None: at the very start)."""
        return self.touches(value) if self.doubles is None else previous == self.doubles

    def apply(self, data: bytes) -> bytes:
        """Return ``data`` as it would arrive from the first difference on."""
        if self.table:
            return data.translate(self.table)
        if self.before is not None:
            added, value = self.before
            return data.replace(bytes([value]), bytes([added, value]))
        if self.doubles is not None:  # the first one arrived before ``data``, its double has not
            value = self.doubles
            return bytes([value]) + data.replace(bytes([value]), bytes([value, value]))
        return data.translate(None, self.swallows)

    def pieces(self, data: bytes) -> Iterator[Piece]:
        """Yield what happens to ``data``, in order: runs kept, runs lost, bytes added."""
        if self.doubles is not None:
            yield "add", 1
        start = 0
        for at, value in enumerate(data):
            if not self.touches(value):
                continue
            kept = at + (self.doubles is not None) - start
            if kept:
                yield "keep", kept
            start += kept
            if self.swallows:
                yield "lose", 1
                start += 1
            else:
                yield "add", 1
        if start < len(data):
            yield "keep", len(data) - start


def _table(changes: dict[int, int]) -> bytes:
    return bytes(changes.get(value, value) for value in range(256))


def _parity(odd: int) -> bytes:
    return bytes(low | ((low.bit_count() & 1) ^ odd) << 7 for low in (value & 0x7F for value in range(256)))


DISCIPLINES: Final = (
    Discipline(before=(0x0D, 0x0A)),  # ONLCR
    Discipline(table=_table({0x0D: 0x0A})),  # ICRNL
    Discipline(table=_table({0x0A: 0x0D})),  # INLCR
    Discipline(table=_table({0x0A: 0x0D, 0x0D: 0x0A})),
    Discipline(swallows=b"\x0d"),  # IGNCR
    Discipline(swallows=b"\x11\x13"),  # IXON
    Discipline(swallows=b"\x11"),
    Discipline(swallows=b"\x13"),
    Discipline(swallows=b"\x00"),
    Discipline(doubles=0xFF),  # PARMRK
    # a bit that is stuck; bit 7 at zero is ISTRIP or seven data bits
    *(Discipline(table=bytes(value & ~(1 << bit) for value in range(256))) for bit in reversed(range(8))),
    *(Discipline(table=bytes(value | 1 << bit for value in range(256))) for bit in reversed(range(8))),
    Discipline(table=_parity(0)),
    Discipline(table=_parity(1)),
    Discipline(table=bytes(value ^ 0xFF for value in range(256))),
)

_CONVINCING_SIZE: Final = 32
"""Bytes that a discipline must explain before it is accepted, two changed ones among them."""


def find_discipline(
    previous: int | None, want: bytes, got: bytes, believed: Discipline | None
) -> tuple[Discipline, int] | None:
    """Return the discipline that turns ``want`` into ``got``, and for how many bytes of ``got``; None if none does.

    The first bytes of the two differ, and ``previous`` came before them.  A discipline that is ``believed`` from
    earlier bytes needs no more proof.
    """
    best: tuple[Discipline, int] | None = None
    for discipline in DISCIPLINES:
        if not discipline.begins(previous, want[0]):
            continue
        glance = discipline.apply(want[:_CONVINCING_SIZE])[:_CONVINCING_SIZE]
        if discipline is not believed and glance != got[: len(glance)]:
            continue
        size = common_prefix(discipline.apply(want), got)
        if discipline is believed:
            if size:
                return discipline, size
        elif size >= _CONVINCING_SIZE and (best is None or size > best[1]):
            changes = sum(1 for value in want[1:size] if discipline.touches(value))
            if changes:
                best = discipline, size
    return best
