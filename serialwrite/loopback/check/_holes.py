"""Runs whose meaning may still change: holes that a late run may fill, insertions that came early."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from serialwrite.loopback.check._align import Read

CHANCE_MAX_SIZE: Final = 4
"""Runs shorter than this match by chance, so they are paired only with a run no further than PAIRING_DISTANCE_MAX."""
PAIRING_DISTANCE_MAX: Final = 64

_RUN_COUNT_MAX: Final = 1024


@dataclass(slots=True)
class ByteRun:
    """A run of bytes, by its place in the sent and in the received stream."""

    offset: int
    length: int
    received_at: int
    whole_end: int
    """Where the whole hole ended, before parts of it were filled."""
    partly_filled: bool = False
    data: bytes = b""
    """What was received; nothing for a hole."""

    @property
    def end(self) -> int:
        """Return where it ends in the sent stream."""
        return self.offset + self.length

    def may_be(self, length: int, distance: int) -> bool:
        """Whether a run of ``length`` bytes that far away can be this one."""
        return self.length == length and (
            self.partly_filled or length >= CHANCE_MAX_SIZE or distance <= PAIRING_DISTANCE_MAX
        )


class Holes:
    """Stretches of the sent stream that have not arrived, in order."""

    def __init__(self, read: Read) -> None:
        """``read(offset, size)`` gives expected bytes."""
        self._read = read
        self._runs: list[ByteRun] = []

    def __len__(self) -> int:
        """Return how many holes there are."""
        return len(self._runs)

    def open(self, offset: int, length: int, received_at: int, reach: int) -> list[ByteRun]:
        """Add a hole; return those that are too many or too far behind to be filled any more."""
        self._runs.append(ByteRun(offset, length, received_at, offset + length))
        old = sum(1 for hole in self._runs if hole.whole_end < offset - reach)
        return self.close(max(old, len(self._runs) - _RUN_COUNT_MAX))

    def close(self, count: int | None = None) -> list[ByteRun]:
        """Remove and return the oldest ``count`` holes, or all."""
        closed = self._runs[:count]
        del self._runs[:count]
        return closed

    def take_like(self, got: bytes, expected: int) -> ByteRun | None:
        """Remove and return the latest hole that ``got``, received at ``expected``, fills; None if none."""
        for hole in reversed(self._runs):
            if hole.may_be(len(got), expected - hole.whole_end) and self._read(hole.offset, len(got)) == got:
                self._runs.remove(hole)
                return hole
        return None

    def first_in(self, offset: int, size: int) -> ByteRun | None:
        """Return the first hole that overlaps ``size`` bytes from ``offset`` on."""
        return next((h for h in self._runs if offset < h.end and h.offset < offset + size), None)

    def end_after(self, offset: int, default: int) -> int:
        """Return where the first hole that ends after ``offset`` ends."""
        return next((hole.end for hole in self._runs if offset < hole.end), default)

    def slide_to(self, offset: int) -> None:
        """Move a hole that begins a little after ``offset`` down to it, if the stream reads the same then.

        A late run that begins like the run that overtook it seems to begin too late by as many bytes.
        """
        for hole in self._runs:
            by = hole.offset - offset
            if 0 < by < min(PAIRING_DISTANCE_MAX, hole.length) and self._read(offset, by) == self._read(
                hole.end - by, by
            ):
                hole.offset, hole.whole_end = hole.offset - by, hole.whole_end - by

    def fill(self, hole: ByteRun, offset: int, n: int) -> None:
        """Fill ``n`` bytes of ``hole`` from ``offset`` on; what is left of it stays."""
        before = replace(hole, length=offset - hole.offset, partly_filled=True)
        after = replace(hole, offset=offset + n, length=hole.end - offset - n, partly_filled=True)
        at = self._runs.index(hole)
        self._runs[at : at + 1] = [run for run in (before, after) if run.length]
