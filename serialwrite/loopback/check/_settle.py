"""Closes the ledger: classifies the last bytes, and settles the rest by the sender's total."""

from __future__ import annotations

from serialwrite.loopback._faults import QUOTED_SIZE, Fault, FaultKind
from serialwrite.loopback.check._align import Read, edit_script, xor
from serialwrite.loopback.check._ledger import Ledger


def enter_end(ledger: Ledger, read: Read, expected: int, at: int, got: bytes, left: int) -> int:
    """Enter ``got``, the bytes after the last place that was certain; return how many expected ones that uses up.

    ``left`` bytes are to come from ``expected`` on. A slip just before the end leaves too few bytes for an anchor: the
    total is the anchor there.
    """
    straight = min(len(got), max(left, 0))
    if left > 0 and left * len(got) <= 1 << 16:
        want = read(expected, left)
        wrong = straight - xor(want[:straight], got[:straight]).count(0)
        steps = edit_script(want, got)
        cost = sum(n if kind == "change" else 1 for kind, _, _, n in steps if kind != "keep")
        if cost < wrong + (left != len(got)):
            ledger.gap(expected, left, at, got)
            return left
    ledger.gap(expected, straight, at, got)
    return straight


def settle(ledger: Ledger, read: Read, *, sent: int, expected: int, received: int, modulo: int | None) -> None:
    """Enter what the sender's total shows: a cut tail, unclaimed bytes, lost whole periods (of ``modulo`` bytes)."""
    ledger.close()
    short = sent - expected
    if modulo is not None and short % modulo == 0:
        if not _settle_slip(ledger, short) and short:
            kind = FaultKind.LOST if short > 0 else FaultKind.DUPLICATED
            ledger.log.enter(Fault(kind, None, abs(short), received))
            ledger.correct += min(short, 0)
    elif short > 0:
        want = read(expected, min(short, QUOTED_SIZE))
        ledger.log.enter(Fault(FaultKind.TRUNCATED, expected, short, received, expected=want))
    elif short < 0:
        ledger.log.enter(Fault(FaultKind.UNCLAIMED, sent, -short, received + short))
        ledger.correct += short


def _settle_slip(ledger: Ledger, short: int) -> bool:
    """Let the total decide what a lone slip was: losing 13 of a period of 16 looks like repeating 3."""
    slips = [f for f in ledger.log.first(modulo=None) if f.kind in (FaultKind.LOST, FaultKind.DUPLICATED)]
    if not short or len(slips) != 1 or slips[0].offset is None:
        return False
    slip, offset = slips[0], slips[0].offset
    ledger.log.withdraw(slip.kind, slip.received_at, slip.length, offset)
    if slip.kind is FaultKind.DUPLICATED:
        offset += slip.length
        ledger.correct += slip.length
        short -= slip.length
    else:
        short += slip.length
    if short > 0:
        ledger.log.enter(Fault(FaultKind.LOST, offset, short, slip.received_at))
    elif short < 0:
        ledger.log.enter(Fault(FaultKind.DUPLICATED, max(offset + short, 0), -short, slip.received_at))
        ledger.correct += short
    return True
