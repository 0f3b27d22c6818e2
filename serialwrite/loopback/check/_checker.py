"""Checker: compares received bytes with the expected stream, and classifies each one that does not match.

Received bytes are compared with the expected stream in large blocks.  At the first block that differs, the check waits
for a look-ahead. It then finds where the received stream continues (_align) or what translates it (_disciplines), and
enters the bytes between in the ledger (_ledger). If the look-ahead fits nowhere, it is held as a gap until a later one
does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serialwrite.loopback._faults import Account, FaultKind
from serialwrite.loopback.card._disciplines import Discipline, find_discipline
from serialwrite.loopback.check._align import ANCHOR_SIZE, AnchorSearch, common_prefix, xor
from serialwrite.loopback.check._diagnose import diagnose
from serialwrite.loopback.check._ledger import Ledger
from serialwrite.loopback.check._settle import enter_end, settle

if TYPE_CHECKING:
    from serialwrite.loopback.patterns._patterns import Pattern

LOOK_AHEAD_SIZE: Final = 4096
"""Received bytes that must be there before a fault is judged."""

_PIECE_SIZE: Final = 1 << 18


class Checker:
    """Accounts for every byte of a received stream, fed in pieces of any size.

    A slip is searched within ``reach`` bytes. Beyond that, patterns that can locate themselves (PRBS, counting,
    repeating) are found anywhere, and the others up to 64 times ``reach`` ahead.  At most
    LOOK_AHEAD_SIZE + ``reach`` received bytes are held back; ``finish`` judges them too.
    """

    def __init__(self, pattern: Pattern, *, data_bits: int = 8, reach: int = 1 << 16, keep: int = 1000) -> None:
        """Expect ``pattern`` from its offset 0; keep the first ``keep`` faults whole, count all."""
        self._pattern, self._data_bits, self._reach = pattern, data_bits, reach
        self._search = AnchorSearch(self._read, pattern.locate, reach, pattern.period)
        self._ledger = Ledger(self._read, keep=keep, reach=reach)
        self._expected: int = 0  # the first byte of the stream that has not been expected yet
        self._back: int | None = None  # where an earlier part of the stream is being received
        self._pending = b""  # received, not judged: from _at on
        self._at: int = 0
        self._gap = b""  # received, and fits nowhere so far
        self._resembling = False
        self._discipline: Discipline | None = None
        self._finished = False
        self._seen = 0

    @property
    def received(self) -> int:
        """Bytes fed."""
        return self._seen

    @property
    def expected(self) -> int:
        """How far in the sent stream the judged bytes reach."""
        return self._expected

    @property
    def correct(self) -> int:
        """How many of the judged bytes are right."""
        return self._ledger.correct

    @property
    def clean(self) -> bool:
        """Whether nothing fed so far is wrong or in doubt."""
        return not self._ledger.faults and self._back is None and not self._gap and self._at == len(self._pending)

    @property
    def faults(self) -> int:
        """How many faults were found so far; later bytes may still explain some away."""
        return self._ledger.faults

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Account for the next received bytes.  Raises RuntimeError after ``finish``."""
        if self._finished:
            raise RuntimeError("this check is finished: make a new Checker for another stream")
        view = memoryview(data).cast("B")
        for at in range(0, len(view), _PIECE_SIZE):
            self._feed(bytes(view[at : at + _PIECE_SIZE]))

    def finish(self, total_sent: int | None = None) -> Account:
        """Return the account, given how many bytes the sender says it sent (None: not known).

        Raises RuntimeError if it was called before.
        """
        if self._finished:
            raise RuntimeError("this check is finished: its account was returned before")
        self._finished = True
        self._work(final=True)
        if got := self._gap:
            left = len(got) if total_sent is None else total_sent - self._expected
            self._expected += enter_end(self._ledger, self._read, self._expected, self.received - len(got), got, left)
        sent = self._expected if total_sent is None else total_sent
        period = self._pattern.period
        modulo = period if period is not None and max(sent, self._expected) > period else None
        ledger, counts = self._ledger, self._ledger.log.counts
        settle(ledger, self._read, sent=sent, expected=self._expected, received=self.received, modulo=modulo)
        return Account(
            pattern=self._pattern.name,
            sent=sent,
            received=self.received,
            correct=ledger.correct,
            corrupted=counts[FaultKind.CORRUPTED] + counts[FaultKind.UNALIGNED],
            lost=ledger.lost,
            duplicated=counts[FaultKind.DUPLICATED],
            reordered=counts[FaultKind.REORDERED],
            inserted=counts[FaultKind.INSERTED],
            unclaimed=counts[FaultKind.UNCLAIMED],
            flipped_bits=ledger.flipped_bits,
            data_bits=self._data_bits,
            sent_is_known=total_sent is not None,
            faults=ledger.log.first(modulo=modulo),
            fault_count=ledger.log.number,
            diagnoses=diagnose(ledger, self._read, self._expected),
            error_map=ledger.log.error_map(),
            modulo=modulo,
        )

    def _read(self, offset: int, size: int) -> bytes:
        return self._pattern.block(offset, size)

    def _feed(self, data: bytes) -> None:
        self._seen += len(data)
        if not self._pending and not self._gap and self._back is None:  # the fast path, most of all runs' life
            if data == self._read(self._expected, len(data)):
                self._expected += len(data)
                self._ledger.correct += len(data)
                return
            self._pending = data
        else:
            self._pending = self._pending[self._at :] + data
            self._at = 0
        self._work(final=False)
        self._pending, self._at = self._pending[self._at :], 0

    def _work(self, *, final: bool) -> None:
        while left := len(self._pending) - self._at:
            if not self._gap:
                self._follow()
                left = len(self._pending) - self._at
            if not left or (left < LOOK_AHEAD_SIZE and not final):
                return
            if not self._resynchronise(final=final):
                return

    def _follow(self) -> None:
        """Consume what fits: first an earlier part of the stream that is being received again."""
        if self._back is not None:
            limit = self._ledger.hole_end(self._back, self._expected) - self._back
            run = self._next(limit)
            n = common_prefix(run, self._read(self._back, len(run)))
            self._ledger.back(self._back, self._received_at, run[:n], self._expected)
            self._at += n
            # at the end of what there is, the next piece may go on; elsewhere the run is over
            self._back = self._back + n if n == len(run) < limit else None
            if self._back is not None:
                return
        step = LOOK_AHEAD_SIZE  # small steps first: where faults are many, the next one is near
        while run := self._next(step):
            n = common_prefix(run, self._read(self._expected, len(run)))
            self._ledger.correct += n
            self._expected += n
            self._at += n
            if n < len(run):
                return
            step = _PIECE_SIZE

    def _next(self, n: int) -> bytes:
        return self._pending[self._at : self._at + n]

    @property
    def _received_at(self) -> int:
        """Where in the received stream the byte at _at is."""
        return self._seen - (len(self._pending) - self._at)

    def _resynchronise(self, *, final: bool) -> bool:
        """Find where the look-ahead fits, and enter what comes before that place; False: wait for more."""
        ahead = self._next(LOOK_AHEAD_SIZE)
        if not self._gap and self._translate(ahead):
            return True
        found = self._search.find(ahead, self._expected, len(self._gap), resembling_first=self._resembling)
        if found is None:
            return self._give_up(ahead, final=final)
        self._resembling = not found.exact
        at = self._received_at - len(self._gap)
        got = self._gap + ahead[: found.received]
        self._gap = b""
        self._at += found.received
        if found.expected >= 0:
            self._ledger.gap(self._expected, found.expected, at, got)
            self._expected += found.expected
            return True
        self._back = self._expected + found.expected
        right = xor(got, self._read(self._expected, len(got))).count(0)
        if len(got) <= 8 or 2 * right >= len(got):  # wrong bytes in their place, before a repeated or late run
            self._ledger.in_place(self._expected, at, got)
            self._expected += len(got)
        else:
            self._ledger.surplus(self._expected, at, got)
        return True

    def _translate(self, ahead: bytes) -> bool:
        """Enter as much of the look-ahead as a line discipline explains."""
        previous = self._read(self._expected - 1, 1)[0] if self._expected else None
        want = self._read(self._expected, len(ahead))
        found = find_discipline(previous, want, ahead, self._discipline)
        if found is None:
            return False
        discipline, size = found
        self._discipline = discipline
        if discipline.table:
            self._ledger.changed_in_place(self._expected, self._received_at, ahead[:size])
            self._expected += size
            self._at += size
            return True
        end = self._at + size
        for kind, length in discipline.pieces(want):
            if kind == "lose":
                self._ledger.gap(self._expected, length, self._received_at, b"")
                self._expected += length
            elif self._at == end:
                break
            elif kind == "add":
                enter = self._ledger.inserted if discipline.doubles is None else self._ledger.surplus
                enter(self._expected, self._received_at, self._next(length))
                self._at += length
            else:
                n = min(length, end - self._at)
                self._ledger.correct += n
                self._expected += n
                self._at += n
        return True

    def _give_up(self, ahead: bytes, *, final: bool) -> bool:
        """Hold bytes that fit nowhere as a gap; enter a gap that grows beyond the reach as noise."""
        take = len(ahead) if final and len(ahead) < LOOK_AHEAD_SIZE else len(ahead) - ANCHOR_SIZE + 1
        self._gap += ahead[:take]
        self._at += take
        if len(self._gap) > self._reach:
            self._ledger.noise(self._expected, self._received_at - len(self._gap), self._gap)
            self._expected += len(self._gap)
            self._gap = b""
        return True
