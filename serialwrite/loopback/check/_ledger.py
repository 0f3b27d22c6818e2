"""The ledger of a check: counts, holes that may yet be filled, faults and their offsets."""

from __future__ import annotations

from collections import Counter
from typing import Final

from serialwrite.loopback._faults import QUOTED_SIZE, Fault, FaultKind
from serialwrite.loopback.check._align import Read, Step, bits_set, common_prefix, edit_script, xor
from serialwrite.loopback.check._fault_log import FaultLog
from serialwrite.loopback.check._holes import CHANCE_MAX_SIZE, PAIRING_DISTANCE_MAX, ByteRun, Holes

TALLIED_SIZE: Final = 1 << 20
"""Faults before this offset are tallied by byte value, for the diagnoses."""


class Ledger:
    """Enters every byte once, and corrects the entry when a later byte shows that it was something else."""

    def __init__(self, read: Read, *, keep: int, reach: int) -> None:
        """Keep the first ``keep`` faults; look back ``reach`` bytes for what is late or repeated."""
        self._read, self._reach = read, reach
        self.log = FaultLog(keep)
        self.correct = self.flipped_bits = 0
        self.changed: Counter[tuple[int, int]] = Counter()
        self.missing: Counter[int] = Counter()
        self.added: Counter[tuple[int, int]] = Counter()
        self.doubled: Counter[int] = Counter()
        self._holes = Holes(read)
        self._early: list[ByteRun] = []

    # What the checker reports.

    def in_place(self, offset: int, at: int, got: bytes) -> None:
        """Enter bytes that stand where they should, some of them wrong."""
        want = self._read(offset, len(got))
        same = common_prefix(want, got)
        end = len(got) - common_prefix(want[:same:-1], got[:same:-1])
        self.correct += len(got) - (end - same)
        offset, at, want, got = offset + same, at + same, want[same:end], got[same:end]
        if not got or (len(got) > 1 and self._moved(offset, at, want, got)):
            return
        differing = xor(want, got)
        if len(got) > PAIRING_DISTANCE_MAX and bits_set(differing) > 2 * len(
            got
        ):  # a quarter of the bits: chance gives half
            self.noise(offset, at, got)
            return
        wrong = len(got) - differing.count(0)
        if wrong >= 3 and len(got) <= PAIRING_DISTANCE_MAX:  # perhaps slips that cancel out are simpler
            steps = edit_script(want, got)
            if sum(n for kind, _, _, n in steps if kind != "keep") < wrong:
                self._apply(steps, offset, at, got)
                return
        self._changed(offset, at, want, got)

    def changed_in_place(self, offset: int, at: int, got: bytes) -> None:
        """Enter bytes that stand where they should and are known to be changed, not moved."""
        self._changed(offset, at, self._read(offset, len(got)), got)

    def gap(self, offset: int, length: int, at: int, got: bytes) -> None:
        """Enter what stands between two right places: ``length`` bytes expected from ``offset``, and ``got``."""
        if length == len(got):
            self.in_place(offset, at, got)
        elif not got:
            self._lost(offset, length, at)
        elif not length:
            self.surplus(offset, at, got)
        elif length * len(got) <= 1 << 14:
            self._apply(edit_script(self._read(offset, length), got), offset, at, got)
        else:
            both = min(length, len(got))
            self.noise(offset, at, got[:both])
            self.gap(offset + both, length - both, at + both, got[both:])

    def noise(self, offset: int, at: int, got: bytes) -> None:
        """Enter bytes that fit nowhere, in the place of as many expected ones."""
        want = self._read(offset, len(got))
        flipped = bits_set(xor(want, got))
        self.flipped_bits += flipped
        self.log.enter(
            Fault(FaultKind.UNALIGNED, offset, len(got), at, flipped, 0, want[:QUOTED_SIZE], got[:QUOTED_SIZE])
        )

    def surplus(self, expected: int, at: int, got: bytes) -> None:
        """Enter received bytes that were not expected here: late, repeated, or never sent."""
        n = len(got)
        if hole := self._holes.take_like(got, expected):
            self._placed(FaultKind.REORDERED, hole.offset, at, got, expected - hole.whole_end)
            return
        for size in (size for size in range(1, min(n, expected) + 1) if n % size == 0):
            for offset in (expected - size, expected):  # repeated after it came, or, the same thing, before
                if self._read(offset, size) * (n // size) == got:
                    if size == 1 and expected < TALLIED_SIZE:
                        self.doubled[got[0]] += n
                    self._placed(FaultKind.DUPLICATED, offset, at, got, 0)
                    return
        back = min(self._reach, expected)
        where = self._read(expected - back, back).rfind(got) if n >= CHANCE_MAX_SIZE else -1
        if where >= 0:
            offset = expected - back + where
            self._placed(FaultKind.DUPLICATED, offset, at, got, expected - offset - n)
            return
        self.inserted(expected, at, got)

    def inserted(self, expected: int, at: int, got: bytes) -> None:
        """Enter received bytes that were never sent."""
        n = len(got)
        if expected < TALLIED_SIZE and n == 1:
            self.added[got[0], self._read(expected, 1)[0]] += 1
        self._early.append(ByteRun(expected, n, at, expected, data=got[: self._reach]))
        del self._early[:-64]
        self.log.enter(Fault(FaultKind.INSERTED, expected, n, at, received=got[:QUOTED_SIZE]))

    def back(self, offset: int, at: int, got: bytes, expected: int) -> None:
        """Enter a run found before the first byte missing: what fills a hole is late, the rest repeated."""
        self._holes.slide_to(offset)
        while got:
            hole = self._holes.first_in(offset, len(got))
            if hole is None or offset < hole.offset:
                n = len(got) if hole is None else hole.offset - offset
                self._placed(FaultKind.DUPLICATED, offset, at, got[:n], expected - offset - n)
            else:
                n = min(len(got), hole.end - offset)
                self._holes.fill(hole, offset, n)
                self._placed(FaultKind.REORDERED, offset, at, got[:n], expected - hole.whole_end)
            offset, at, got = offset + n, at + n, got[n:]

    def hole_end(self, offset: int, expected: int) -> int:
        """Return where a run that goes on from ``offset`` should be looked at anew."""
        return self._holes.end_after(offset, expected)

    # How the books end.

    @property
    def lost(self) -> int:
        """Bytes lost; a hole that may yet be filled is none of them until ``close``."""
        return self.log.counts[FaultKind.LOST] + self.log.counts[FaultKind.TRUNCATED]

    @property
    def faults(self) -> int:
        """How many faults there are so far, holes included."""
        return self.log.number + len(self._holes)

    def close(self) -> None:
        """Enter what is missing as lost: nothing comes any more that could fill it."""
        self._never_came(self._holes.close())

    # Entries.

    def _changed(self, offset: int, at: int, want: bytes, got: bytes) -> None:
        differing = xor(want, got)
        self.correct += differing.count(0)
        self.flipped_bits += bits_set(differing)
        if offset < TALLIED_SIZE:
            self.changed.update((w, g) for w, g in zip(want, got, strict=True) if w != g)
        if self.log.is_full:  # every second byte may be wrong: only counts matter now
            self.log.count_wrong(FaultKind.CORRUPTED, offset, differing)
            return
        start = 0
        while start < len(got):
            if not differing[start]:
                start += 1
                continue
            end = differing.find(0, start)
            end = len(got) if end < 0 else end
            flipped = bits_set(differing[start:end])
            run = slice(start, min(end, start + QUOTED_SIZE))
            self.log.enter(
                Fault(
                    FaultKind.CORRUPTED,
                    offset + start,
                    end - start,
                    at + start,
                    flipped,
                    0,
                    want[run],
                    got[run],
                )
            )
            start = end

    def _moved(self, offset: int, at: int, want: bytes, got: bytes) -> bool:
        """Enter two neighbouring runs that changed places, if that is what it is; name the shorter one."""
        if sorted(want) != sorted(got):
            return False
        # runs that begin or end alike left their like bytes outside the gap
        for before, after in ((b, a) for b in range(min(4, offset + 1)) for a in range(4)):
            whole = self._read(offset - before, before + len(want) + after)
            turned = whole[:before] + got + whole[before + len(want) :]
            turns = (whole + whole).find(turned, 1)
            if 0 < turns < len(whole):
                self.correct -= before + after
                self._enter_move(offset - before, at - before, whole, turned, turns)
                return True
        return False

    def _enter_move(self, offset: int, at: int, want: bytes, got: bytes, turns: int) -> None:
        first, second = turns, len(want) - turns
        late = first <= second
        start, n = (offset, first) if late else (offset + first, second)
        self.correct += len(got) - n
        by = second if late else -first
        self.log.enter(Fault(FaultKind.REORDERED, start, n, at, 0, by, want[:QUOTED_SIZE], got[:QUOTED_SIZE]))

    def _apply(self, steps: list[Step], offset: int, at: int, got: bytes) -> None:
        for kind, i, j, n in steps:
            run = got[j : j + n]
            if kind == "lose":
                self._lost(offset + i, n, at + j)
            elif kind == "add":
                self.surplus(offset + i, at + j, run)
            elif kind == "swap":
                self._moved(offset + i, at + j, self._read(offset + i, n), run)
            else:
                self._changed(offset + i, at + j, self._read(offset + i, n), run)

    def _lost(self, offset: int, length: int, at: int) -> None:
        for early in reversed(self._early):
            if early.may_be(length, offset - early.offset):
                place = self._same_loss(offset, early.data)
                if place is None:
                    continue
                offset = place
                self._early.remove(early)
                by = early.offset - offset
                self.log.withdraw(FaultKind.INSERTED, early.received_at, length, early.offset)
                self._placed(FaultKind.REORDERED, offset, early.received_at, early.data, by)
                return
        if offset < TALLIED_SIZE and length <= QUOTED_SIZE:
            self.missing.update(self._read(offset, length))
        self._never_came(self._holes.open(offset, length, at, self._reach))

    def _same_loss(self, offset: int, data: bytes) -> int | None:
        """Return where ``data`` was lost, if its loss reads the same as one of as many bytes at ``offset``."""
        for place in range(offset, max(offset - 8, -1), -1):
            by, end = offset - place, place + len(data)
            if self._read(place, len(data)) == data and self._read(place, by) == self._read(end, by):
                return place
        return None

    def _never_came(self, holes: list[ByteRun]) -> None:
        for hole in holes:
            want = self._read(hole.offset, min(hole.length, QUOTED_SIZE))
            self.log.enter(Fault(FaultKind.LOST, hole.offset, hole.length, hole.received_at, expected=want))

    def _placed(self, kind: FaultKind, offset: int, at: int, got: bytes, displacement: int) -> None:
        self.log.enter(Fault(kind, offset, len(got), at, 0, displacement, b"", got[:QUOTED_SIZE]))
