"""The data types of a check: kinds of fault, one fault, a cause, the account."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class FaultKind(StrEnum):
    """What happened to a run of bytes."""

    CORRUPTED = "corrupted"
    """Arrived in their place, with wrong bits."""
    UNALIGNED = "unaligned"
    """Arrived as noise that fits nowhere in the stream; counted as corrupted."""
    LOST = "lost"
    """Sent, and never arrived."""
    TRUNCATED = "truncated"
    """The end of the stream never arrived; counted as lost."""
    DUPLICATED = "duplicated"
    """Arrived once more."""
    REORDERED = "reordered"
    """Arrived once, but out of their place."""
    INSERTED = "inserted"
    """Arrived, and was not sent."""
    UNCLAIMED = "unclaimed"
    """Continue the stream rightly, beyond what the sender says it sent: bytes that went out uncounted."""


QUOTED_SIZE: Final = 16
"""How many bytes of a run a fault quotes."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One run of bytes that did not arrive as sent."""

    kind: FaultKind
    offset: int | None
    """Where in the sent stream; None where the pattern does not determine it."""
    length: int
    """Bytes."""
    received_at: int
    """Where in the received stream it showed."""
    flipped_bits: int = 0
    displacement: int = 0
    """Reordered or duplicated: how many bytes too late (negative: too early) they came."""
    expected: bytes = b""
    """The first QUOTED_SIZE bytes that should have been there."""
    received: bytes = b""
    """The first QUOTED_SIZE bytes that were there."""
    modulo: int | None = None
    """Offset and length are known only up to multiples of this many bytes, the pattern's period."""

    def __str__(self) -> str:
        """Say it in one line."""
        words = f"{self.length:,} byte{'s' * (self.length != 1)} {self.kind}"
        words += " somewhere" if self.offset is None else f" at {self.offset:,}"
        if self.kind is FaultKind.CORRUPTED:
            words += f" ({self.flipped_bits} bit{'s' * (self.flipped_bits != 1)} flipped)"
        if by := abs(self.displacement):
            words += f", {by:,} byte{'s' * (by != 1)} too {'late' if self.displacement > 0 else 'early'}"
        if self.expected or self.received:
            words += f": sent {self.expected.hex(' ') or 'nothing'}, got {self.received.hex(' ') or 'nothing'}"
        if self.modulo is not None:
            words += f" (known modulo {self.modulo:,})"
        return words


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One cause that explains many faults, such as newline translation."""

    name: str
    text: str
    occurrences: int
    """How often it was seen."""
    opportunities: int
    """How often it could have been seen, in the part of the stream that was looked at."""


@dataclass(frozen=True, slots=True)
class ErrorMap:
    """Where in the sent stream the faults lie: bytes affected per kind, in equal stretches of the stream."""

    bytes_per_cell: int
    counts: dict[FaultKind, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Account:
    """What became of every byte.

    Two sums are checked: ``sent = correct + corrupted + reordered + lost``, and
    ``received = correct + corrupted + reordered + duplicated + inserted + unclaimed``.
    """

    pattern: str
    sent: int
    received: int
    correct: int
    corrupted: int
    lost: int
    duplicated: int
    reordered: int
    inserted: int
    unclaimed: int
    flipped_bits: int
    data_bits: int
    sent_is_known: bool
    """Whether the sender stated its total; without it a cut tail can't be seen."""
    faults: tuple[Fault, ...]
    """The first faults, in the order in which they showed."""
    fault_count: int
    """All of them."""
    diagnoses: tuple[Diagnosis, ...]
    error_map: ErrorMap
    modulo: int | None
    """The pattern's period where the stream is longer: whole periods lost or repeated have no known place."""

    def __post_init__(self) -> None:
        """Refuse to exist if a byte is unaccounted for: that would be the checker's fault, not the line's."""
        placed = self.correct + self.corrupted + self.reordered
        if (self.sent, self.received) != (
            placed + self.lost,
            placed + self.duplicated + self.inserted + self.unclaimed,
        ):
            raise AssertionError(f"serialwrite's own account doesn't add up: {self!r}")

    @property
    def clean(self) -> bool:
        """Whether every byte arrived once, right and in order, and nothing else did."""
        return self.correct == self.sent == self.received

    @property
    def compared_bits(self) -> int:
        """How many received bits have a sent bit to be compared with: what a bit error ratio is out of."""
        return (self.correct + self.corrupted + self.reordered) * self.data_bits
