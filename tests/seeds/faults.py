"""What goes wrong at which byte, and whether an account that knows nothing of it finds just that."""

import random
from collections.abc import Iterable

from serialwrite.loopback import Account, Checker, Fault as Found, FaultKind as F, Pattern
from serialwrite.testing import FaultRecord

APART = 300  # bytes, at least, between two faults: closer ones have more than one explanation
LOSSLESS = ("stall 5 ms", "stall 30 ms", "throttle 10 ms")
HARM = (*("flip", "parity", "framing", "drop", "drop 3", "drop 16", "duplicate", "duplicate 7", "duplicate 16"), "swap")
CUTS = ("hang up", "unplug 20 ms")

FOUND_AS = {
    "flip": {F.CORRUPTED},
    "parity": {F.CORRUPTED},
    "framing": {F.CORRUPTED},
    "swap": {F.CORRUPTED, F.REORDERED},
    "drop": {F.LOST, F.TRUNCATED},
    "lost": {F.LOST, F.TRUNCATED},
    "duplicate": {F.DUPLICATED},
}


def script(rng: random.Random, size: int, words: Iterable[str]) -> str:
    """Some of these faults, at random bytes of the first `size`, apart from each other."""
    words = tuple(words)
    places = range(rng.randrange(APART), size - APART, APART)
    chosen = sorted(rng.sample(places, min(len(places), rng.randint(1, 8))))
    return "\n".join(f"at byte {at + rng.randrange(APART // 4)}: {rng.choice(words)}" for at in chosen)


def account_of(pattern: Pattern, received: bytes, sent: int) -> Account:
    """What a check of the received bytes, by itself, makes of them."""
    checker = Checker(pattern)
    checker.feed(received)
    return checker.finish(sent)


def check_found(account: Account, log: Iterable[FaultRecord]) -> None:
    """Raise where a fault of the log is not in the account as what it is and where it is, or where that has others."""
    records = joined(log)
    left = [each for each in account.faults if not is_last_of_all(each, account, records)]
    for record in records:
        found = [each for each in left if is_of(each, record)]
        told = f"{len(record.before):,} bytes at {record.offset:,}: {record.kind}"
        assert found, f"{told}: it was not found; what was: {list(map(str, account.faults))}"
        for each in found if record.kind == "swap" else found[:1]:  # bytes that changed places may be two faults
            left.remove(each)
    assert not left, f"nobody did this: {list(map(str, left))}"


def is_last_of_all(found: Found, account: Account, records: Iterable[FaultRecord]) -> bool:
    """Whether that is what came after a loss, before the end: too few bytes tell nobody that they are not corrupted."""
    ends = found.received_at + found.length == account.received
    return found.kind is F.CORRUPTED and ends and any((r.kind, r.offset) == ("lost", found.offset) for r in records)


def joined(log: Iterable[FaultRecord]) -> list[FaultRecord]:
    """What of the log changed a byte, with losses that follow upon each other as the one that they are to a reader."""
    records: list[FaultRecord] = []
    for record in log:
        last = records[-1] if records else None
        if record.before == record.after:  # an event, or a swap of two equal bytes
            continue
        if last and record.kind == last.kind == "lost" and last.offset + len(last.before) == record.offset:
            records[-1] = last._replace(before=last.before + record.before)
        else:
            records.append(record)
    return records


def is_of(found: Found, record: FaultRecord) -> bool:
    """Whether that is what the record tells. A run that is lost or doubled beside an equal byte has several places."""
    if found.kind not in FOUND_AS.get(record.kind, ()) or found.offset is None:
        return False
    if record.kind in {"flip", "parity", "framing"}:
        return (found.offset, found.length, found.flipped_bits) == (record.offset, 1, 1)
    if record.kind == "swap":
        return record.offset <= found.offset < record.offset + 2
    return found.length == len(record.before) and abs(found.offset - record.offset) <= found.length + 1
