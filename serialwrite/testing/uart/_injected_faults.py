"""The faults of a simulated line: their kinds, when each is due, and the log of those that happened."""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from serialwrite.testing.rigs._rig import End

# Faults of bytes: what arrives is not what was sent.
ByteKind = Literal["flip", "parity", "framing", "drop", "duplicate", "swap"]
# Events on the line: it falls silent, or ends.
EventKind = Literal["break", "stall", "throttle", "hang up", "unplug"]
# What a line does to every byte of a sort.
TranslationKind = Literal["eat", "newline"]
Kind = Literal[ByteKind, EventKind, TranslationKind]
# What is recorded because of something else: of a full receiver, of a device that went away, of flow control.
ConsequenceKind = Literal["overrun", "lost", "lost by the receiver", "flow control", "plug", "plug failed"]

BYTE_KINDS: tuple[ByteKind, ...] = get_args(ByteKind)
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)
TIMED_KINDS: tuple[EventKind, ...] = ("break", "stall", "throttle", "unplug")
LOSSLESS_KINDS: tuple[EventKind, ...] = ("stall", "throttle")


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong; only the fields that its kind uses count."""

    kind: Kind
    count: int = 1  # bytes, of a drop or a duplicate
    seconds: float = 0.0  # of a break, a stall, a throttle; of an unplug until it is plugged in again, 0 for never
    bit: int | None = None  # of a flip, a parity or a framing error; None for any
    end: End | None = None  # of a hang-up or an unplug; None for the sender
    table: tuple[tuple[int, bytes], ...] = ()  # of a translation: bytes, and what arrives for each

    @property
    def needs(self) -> int:
        """How many bytes it takes to happen."""
        return {"swap": 2, "drop": self.count, "duplicate": self.count}.get(self.kind, 1)

    def __str__(self) -> str:
        bit = "" if self.bit is None else f" bit {self.bit}"
        seconds = f" {self.seconds:g} s" if self.seconds else ""
        end = "" if self.end is None else f" {self.end}"
        match self.kind:
            case "drop" | "duplicate":
                return f"{self.kind} {self.count}"
            case "eat":
                return "eat " + " ".join(f"0x{byte:02x}" for byte, _ in self.table)
            case "newline":
                source, target = self.table[0]
                return f"newline {NEWLINES[bytes([source])]} to {NEWLINES[target]}"
            case _:
                return f"{self.kind}{bit}{end}{seconds}"


NEWLINES = {b"\r": "cr", b"\n": "lf", b"\r\n": "crlf"}


@dataclass(frozen=True)
class Rule:
    """A fault and when it happens: one of ``at``, ``every`` and ``rate``, or always."""

    fault: Fault
    sender: End = "port"  # whose bytes are counted and harmed
    at: int | None = None  # the index of a byte that ``sender`` sends, from 0
    every: int | None = None  # bytes
    rate: float | None = None  # faults per byte, at random

    def __str__(self) -> str:
        words = ((self.at, "at byte {:_}"), (self.every, "every {:_} bytes"), (self.rate, "at rate {:g}"))
        when = next((text.format(value) for value, text in words if value is not None), "always")
        return f"{when} from {self.sender}: {self.fault}"


class FaultRecord(NamedTuple):
    """What happened at this offset in what ``sender`` sent: ``after`` arrived instead of ``before``."""

    sender: End
    offset: int
    kind: Kind | ConsequenceKind
    before: bytes = b""
    after: bytes = b""
    seconds: float = 0.0
    rule: str = ""  # makes just this happen again, random choices included; "" for a consequence


def what_arrives(sent: bytes, sender: End, log: Iterable[FaultRecord]) -> bytes:
    """Return what the other end must have received of ``sent``, by the log: the oracle for a test."""
    arrived = bytearray()
    position = 0
    for record in log:
        changed = record.before or record.after
        if record.sender == sender and changed and record.kind != "lost by the receiver":
            if sent[record.offset : record.offset + len(record.before)] != record.before:
                raise ValueError(f"log: {record} is not about these bytes; pass the log of the rig that sent them")
            arrived += sent[position : record.offset] + record.after
            position = record.offset + len(record.before)
    return bytes(arrived + sent[position:])


def random_script(
    seed: int | str,
    size: int,
    *,
    faults: int = 8,
    kinds: Sequence[ByteKind | EventKind] = (*BYTE_KINDS, *LOSSLESS_KINDS),
) -> str:
    """Return a script of random faults of these kinds on the first ``size`` bytes that the port sends.

    The same seed gives the same script. Raises ``ValueError`` for a kind that doesn't happen at a byte.
    """
    if unknown := set(kinds) - {*BYTE_KINDS, *EVENT_KINDS}:
        raise ValueError(f"kinds: {', '.join(map(str, sorted(unknown)))} do not happen at a byte; leave them out")
    rng = random.Random(f"script {seed}")  # noqa: S311  # repeatable, not secret
    rules = [
        Rule(
            Fault(
                kind := rng.choice(kinds),
                count=rng.choice((1, 1, 1, 2, 7, 16)),
                seconds=round(rng.uniform(0.001, 0.05), 3) if kind in TIMED_KINDS else 0.0,
            ),
            at=rng.randrange(size),
        )
        for _ in range(faults)
    ]
    return "\n".join(map(str, sorted(rules, key=lambda rule: rule.at or 0)))


class FaultPlan:
    """When the next fault strikes: by offsets in what one sender sends and the seed, never by the clock."""

    def __init__(self, rules: Iterable[Rule], seed: int | str) -> None:
        self._rules = list(rules)
        # One generator a rule, so that rules don't disturb each other's dice.
        self._dice = [
            random.Random(f"{seed} {index} {rule}")  # noqa: S311  # repeatable, not secret
            for index, rule in enumerate(self._rules)
        ]
        self._due: list[tuple[int, int]] = []
        # a byte, and what arrives for it
        self.translations: dict[int, tuple[Kind | ConsequenceKind, bytes]] = {}
        for index, rule in enumerate(self._rules):
            if rule.fault.table:
                self.translations |= {byte: (rule.fault.kind, after) for byte, after in rule.fault.table}
            else:
                heapq.heappush(self._due, (self._gap(index) if rule.at is None else rule.at, index))

    @property
    def next_offset(self) -> float:
        """The offset of the next fault; infinity for none."""
        return self._due[0][0] if self._due else math.inf

    @property
    def next_fault(self) -> Fault:
        """The next fault, random choices not yet made."""
        return self._rules[self._due[0][1]].fault

    def take(self) -> Fault:
        """Take the next fault off the schedule, its random choices made."""
        offset, index = heapq.heappop(self._due)
        rule = self._rules[index]
        if rule.at is None:
            heapq.heappush(self._due, (offset + 1 + self._gap(index), index))
        if rule.fault.bit is None and rule.fault.kind in {"flip", "parity", "framing"}:
            return replace(rule.fault, bit=self._dice[index].randrange(8))
        return rule.fault

    def _gap(self, index: int) -> int:
        """How many bytes stay unharmed before the next strike of a repeated rule."""
        rule = self._rules[index]
        if rule.every is not None:
            return rule.every - 1
        assert rule.rate is not None
        if rule.rate >= 1:
            return 0
        return int(math.log(1.0 - self._dice[index].random()) / math.log1p(-rule.rate))
